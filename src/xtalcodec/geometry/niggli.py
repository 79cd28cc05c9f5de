"""Niggli-reduced cells, and the way back to the cell that was given."""

from dataclasses import replace

import moyopy
import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.images import wrapped

FLATTEST = 1e-4
"""Least volume of a cell over the product of its lengths; rounding keeps the reduction of a flatter one from ending."""


def niggli_basis(lattice: Float[np.ndarray, "3 3"]) -> Int[np.ndarray, "3 3"]:
    """Return the integer matrix that takes cell vectors to those of the Niggli-reduced, right-handed cell.

    Raises
    ------
    CrystalError
        A cell that is flatter than `FLATTEST` or cannot be reduced.
    """
    flatness = abs(float(np.linalg.det(lattice))) / float(np.linalg.norm(lattice, axis=1).prod())
    if flatness < FLATTEST:
        raise CrystalError(f"its cell is impossible: the volume is {flatness:.1g} of abc, less than {FLATTEST:g}")
    try:
        _, transformation = moyopy.niggli_reduce(lattice.tolist())
    except ValueError as error:
        raise CrystalError(f"its lattice cannot be Niggli-reduced: {error}") from error
    return np.array(transformation, dtype=np.int64).T


def niggli(crystal: Crystal) -> tuple[Crystal, Int[np.ndarray, "3 3"]]:
    """Return the crystal on its Niggli-reduced, right-handed cell and the way back.

    Returns
    -------
    reduced crystal (coordinates in [0, 1)) and the integer matrix B with
    `crystal.lattice = B @ reduced.lattice`; det B is −1 for left-handed cells.

    Raises
    ------
    CrystalError
        A cell that is flatter than `FLATTEST` or cannot be reduced.
    """
    basis = niggli_basis(crystal.lattice)
    reduced = crystal.in_basis(basis)
    back = np.round(np.linalg.inv(basis)).astype(np.int64)
    return replace(reduced, frac_coords=wrapped(reduced.frac_coords)), back
