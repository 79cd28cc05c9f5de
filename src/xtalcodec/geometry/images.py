"""Periodic images: coordinates in one cell, the shortest way around it, and the nearest image of others."""

import numpy as np
from jaxtyping import Float, Int

_PAIRS = 1_000_000
"""Pairs of sites whose distances are computed at a time."""


def wrapped(frac_coords: Float[np.ndarray, "*sites 3"]) -> Float[np.ndarray, "*sites 3"]:
    """Bring coordinates into [0, 1); in floating point, −1e-20 % 1 is 1, which is 0."""
    inside = frac_coords % 1.0
    return np.where(inside >= 1, 0.0, inside)


def minimum_image(apart: Float[np.ndarray, "*pairs 3"]) -> Float[np.ndarray, "*pairs 3"]:
    """Differences of fractional coordinates, each component brought into [−½, ½]: for a reduced cell, the shortest."""
    return apart - np.round(apart)


def nearest(
    places: Float[np.ndarray, "n 3"],
    among: Float[np.ndarray, "m 3"],
    lattice: Float[np.ndarray, "3 3"],
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Distance in Å from each place to the nearest of some others, images included, and which that is.

    Parameters
    ----------
    places, among
        Fractional coordinates.
    lattice
        Of a reduced cell, rows in Å.
    """
    distance, index = np.full(len(places), np.inf), np.zeros(len(places), dtype=np.int64)
    if not len(among):
        return distance, index
    part = max(1, _PAIRS // len(among))  # thousands of sites would make tables of gigabytes
    for start in range(0, len(places), part):
        apart = minimum_image(places[start : start + part, None] - among) @ lattice
        square = np.einsum("nmx,nmx->nm", apart, apart)
        rows = np.arange(len(square))
        index[start : start + part] = square.argmin(1)
        distance[start : start + part] = np.sqrt(square[rows, square.argmin(1)])
    return distance, index
