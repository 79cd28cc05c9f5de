"""Properties of crystals from what surrounds their sites: small networks, with how far they may be off."""
