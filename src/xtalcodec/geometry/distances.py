"""Distances between all sites and all others, in any cell."""

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import minimum_image


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
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    apart = minimum_image(a[:, None] - b)
    nearest: Float[np.ndarray, "n m"] = np.linalg.norm((apart[:, :, None] + images) @ lattice, axis=-1).min(-1)
    return nearest
