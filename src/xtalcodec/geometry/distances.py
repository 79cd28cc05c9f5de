"""Distances between all sites and all others, in any cell."""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from xtalcodec.geometry.images import minimum_image

AROUND = (np.indices((3, 3, 3)).reshape(3, -1).T - 1)[14:]
"""Of the 26 cells around a cell, one of each two that are opposite."""

UNLIKE = 1e3
"""Å, in place of the distance of sites that hold different elements."""


def distances(
    a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"], lattice: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n m"]:
    """Å from each place to the nearest image of each other one, among the 27 around the minimum image.

    Of the steps x + S and x − S the shorter is |x|² + |S|² − 2 |x·S|.

    Parameters
    ----------
    a, b
        Fractional coordinates.
    lattice
        Rows are the cell vectors, in Å.
    """
    apart = minimum_image(a[:, None] - b) @ lattice
    around = AROUND @ lattice
    shorter = ((around**2).sum(1) - 2 * np.abs(apart @ around.T)).min(-1)
    square = (apart**2).sum(-1) + np.minimum(shorter, 0.0)
    nearest: Float[np.ndarray, "n m"] = np.sqrt(np.maximum(square, 0.0))
    return nearest


def pairs_alike(
    a: tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, " n"]],
    b: tuple[Float[np.ndarray, "m 3"], Int[np.ndarray, " m"]],
    lattice: Float[np.ndarray, "3 3"],
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """Pair sites with sites of their element, each once, so that all distances together are least.

    Parameters
    ----------
    a, b
        Fractional coordinates and atomic numbers; the fewer of them are all paired.
    lattice
        Rows are the cell vectors, in Å.

    Returns
    -------
    Places of the first and of the second of each pair, and how far they are apart, Å: `UNLIKE` where none was left of
    the element.
    """
    far = np.minimum(distances(a[0], b[0], lattice), UNLIKE)
    far = np.where(a[1][:, None] == b[1], far, UNLIKE)
    first, second = linear_sum_assignment(far)
    return first, second, far[first, second]
