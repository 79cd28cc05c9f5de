"""Shapes of cells as numbers without bounds."""

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.cell_numbers import lattice_numbers, lattice_of

SPECIAL = (60.0, 90.0, 120.0)
"""Degrees: angles that symmetry makes."""


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


ALIKE = 0.005
"""Lengths that differ by a smaller share are one length."""
NEAR = 0.5
"""Degrees: an angle that is nearer to 60°, 90° or 120° is that."""


def settled(lattice: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Return the cell with lengths that are nearly equal made equal, and angles that are nearly special made special.

    Cells of crystals are so, and a sampled one is that but for the error of its six numbers: which grid a cell gets
    must not hang on that. Oriented as `cell_of` orients.
    """
    length = np.linalg.norm(lattice, axis=1)
    order = np.argsort(length, kind="stable")
    steps = np.diff(length[order]) > ALIKE * length[order][1:]
    for group in np.split(order, np.flatnonzero(steps) + 1):
        length[group] = length[group].mean()
    unit = lattice / np.linalg.norm(lattice, axis=1, keepdims=True)
    angle = np.degrees(np.arccos(np.clip(unit @ unit.T, -1, 1)))
    for special in SPECIAL:
        angle[abs(angle - special) < NEAR] = special
    cosine = np.where(np.eye(3, dtype=bool), 1.0, np.cos(np.radians(angle)))
    value, axes = np.linalg.eigh(length[:, None] * cosine * length)
    if value[0] <= 0:  # flat, were its angles special
        return lattice
    return axes @ np.diag(np.sqrt(value)) @ axes.T
