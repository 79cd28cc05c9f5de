"""The lattice that atoms in a window repeat on."""
