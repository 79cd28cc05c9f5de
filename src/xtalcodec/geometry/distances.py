"""Distances between all sites and all others, in any cell."""

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import minimum_image

IMAGES = np.indices((3, 3, 3)).reshape(3, -1).T - 1
"""Of a cell: itself and the 26 around it."""


def distances(
    a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"], lattice: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n m"]:
    """Å from each place to the nearest image of each other one, among the 27 around the minimum image.

    Parameters
    ----------
    a, b
        Fractional coordinates.
    lattice
        Rows are the cell vectors, in Å.
    """
    apart = minimum_image(a[:, None] - b) @ lattice
    steps = apart[:, :, None] + IMAGES @ lattice
    nearest: Float[np.ndarray, "n m"] = np.sqrt(np.einsum("nmkx,nmkx->nmk", steps, steps).min(-1))
    return nearest
