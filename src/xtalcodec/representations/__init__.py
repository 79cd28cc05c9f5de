"""Representations: how a crystal becomes a field of voxels."""
