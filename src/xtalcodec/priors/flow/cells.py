"""Shapes of cells as numbers without bounds."""

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.cell_numbers import lattice_numbers, lattice_of


def cell_numbers(crystal: Crystal) -> Float[np.ndarray, "6"]:
    """Hencky strain of the cell, xx, yy, zz, yz, xz, xy, of which the volume per site is a cube of that edge."""
    numbers = lattice_numbers(crystal.lattice)[:6]
    numbers[:3] -= np.log(len(crystal)) / 3
    return numbers


def cell_of(numbers: Float[np.ndarray, "6"], sites: int) -> Float[np.ndarray, "3 3"]:
    """Return the cell of so many sites; inverse of `cell_numbers`, but for the orientation."""
    whole = np.concatenate([numbers, np.zeros(3)])
    whole[:3] += np.log(sites) / 3
    return lattice_of(whole)
