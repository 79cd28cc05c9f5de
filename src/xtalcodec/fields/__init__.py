"""Representations: what a crystal looks like as voxels."""
