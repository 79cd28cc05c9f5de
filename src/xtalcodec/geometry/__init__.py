"""Cells and symmetry: reduction, alignment, elements' sizes."""
