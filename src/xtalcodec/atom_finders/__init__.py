"""Readers of atoms: from a segmentation, from the density alone, from heat and offsets."""
