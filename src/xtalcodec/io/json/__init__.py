"""JSON of any length: structures of pymatgen, ASE, OPTIMADE and JARVIS, alone and in lists, maps and lines."""
