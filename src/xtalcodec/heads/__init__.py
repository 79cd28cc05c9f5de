"""Properties of crystals from what the embedding sees of them: small networks, with how far they may be off."""
