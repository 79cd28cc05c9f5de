"""Atoms beyond the faces of a window, where the lattice that those inside show puts them.

From 2 Å beyond a face atoms blend into one another, and what is made of them bends those inside. Inside,
atoms are told apart long before they are exact, and a lattice found there continues them as far as any reach in.
"""

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.atom_finders.superposition import Atomic
from xtalcodec.geometry.window_lattice.folding import window_of
from xtalcodec.geometry.window_lattice.search import LatticeError, explain


def continued(
    positions: Float[np.ndarray, "atoms 3"], numbers: Int[np.ndarray, " atoms"], edge: float, reach: float
) -> Atomic | None:
    """All atoms within `reach` Å of the cube, those inside averaged over their copies; None where no lattice shows.

    Parameters
    ----------
    positions, numbers
        Atoms inside, Å from the window's corner.
    edge
        Of the window, Å.
    reach
        Å: how far outside atoms still show.
    """
    try:
        cell = explain(positions, numbers, edge)
    except LatticeError:
        return None
    positions, numbers = window_of(cell.lattice, cell.frac_coords, cell.numbers, edge + 2 * reach, np.full(3, -reach))
    return Atomic(positions - reach, numbers.astype(np.float64))
