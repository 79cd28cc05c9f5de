"""Atoms that a reader found in one field: sites of a cell, or atoms in a window."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True)
class Sites:
    """Atoms read off one crystal's field."""

    frac_coords: Float[np.ndarray, "sites 3"]
    numbers: Int[np.ndarray, " sites"]
    confidence: Float[np.ndarray, " sites"]
    """Probability of the species times how well the heat around the site looks like an atom's."""
    explained: float
    """1 − the largest heat, in any voxel, that the atoms found leave unexplained or claim in vain."""


@dataclass(frozen=True, slots=True)
class WindowAtoms:
    """Atoms in a window."""

    positions: Float[np.ndarray, "atoms 3"]
    """Å, from the window's corner."""
    numbers: Int[np.ndarray, " atoms"]
    """Atomic numbers Z."""
