"""The average minimum distance of a crystal, to compare embeddings with.

Widdowson et al. 2022 (MATCH 87, 529), definition 2: AMD_k is the distance from a site to its k-th nearest atom, in the
mean over the sites of a cell. It knows no elements, and depends neither on cell nor on orientation.
"""

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.neighbours import neighbours


def average_minimum_distance(crystal: Crystal, k: int = 100) -> Float[np.ndarray, " k"]:
    """Mean distance in Å from a site to its first, second, … k-th nearest atom, images included."""
    radius = 1.2 * float((3 * (k + 1) * crystal.volume / (4 * np.pi * len(crystal))) ** (1 / 3))
    while True:
        near = neighbours(crystal, radius)
        if np.bincount(near.site, minlength=len(crystal)).min() >= k:
            break
        radius *= 1.25
    order = np.lexsort((near.distance, near.site))
    start = np.searchsorted(near.site[order], np.arange(len(crystal)))
    nearest: Float[np.ndarray, "sites k"] = near.distance[order][start[:, None] + np.arange(k)]
    return nearest.mean(0)
