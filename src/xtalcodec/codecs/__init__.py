"""Codecs: crystals to latents and back; each joins a representation, a network and a finder of atoms."""
