"""Sites under symmetry operations, and sites moved onto a symmetry that they nearly have."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.geometry.distances import pairs_alike
from xtalcodec.geometry.images import minimum_image, wrapped

ROUNDS = 8
"""Means of images, one after the other, until nothing moves; two are the rule."""


class Operations(NamedTuple):
    """Of a space group, on columns of fractional coordinates: x → R x + t."""

    rotations: Float[np.ndarray, "ops 3 3"]
    translations: Float[np.ndarray, "ops 3"]


def onto_symmetry(
    places: Float[np.ndarray, "sites 3"],
    numbers: Int[np.ndarray, " sites"],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
    within: float,
) -> tuple[Float[np.ndarray, "sites 3"], float]:
    """Move sites to the mean of their images by those operations that bring each near one of its element.

    Parameters
    ----------
    places, numbers
        Fractional coordinates, and what is there.
    operations
        Of a space group.
    lattice
        Niggli-reduced, rows in Å.
    within
        Å: an operation counts if no site is further than this from the image that takes its place.

    Returns
    -------
    The sites, and the share of the operations that counted.
    """
    share = 0.0
    for _ in range(ROUNDS):
        steps = [step for step in _steps(places, numbers, operations, lattice) if _longest(step, lattice) <= within]
        share = len(steps) / len(operations.rotations)
        if not steps or _longest(step := np.mean(steps, axis=0), lattice) < 1e-3:
            break
        places = places + step
    return wrapped(places), share


def _steps(
    places: Float[np.ndarray, "sites 3"],
    numbers: Int[np.ndarray, " sites"],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
) -> list[Float[np.ndarray, "sites 3"]]:
    """For every operation, the step from each site to the image that takes its place: the nearest, all in all."""
    found = []
    for rotation, translation in zip(*operations, strict=True):
        images = places @ rotation.T + translation
        _, partner, _ = pairs_alike((places, numbers), (images, numbers), lattice)
        found.append(minimum_image(images[partner] - places))
    return found


def _longest(steps: Float[np.ndarray, "sites 3"], lattice: Float[np.ndarray, "3 3"]) -> float:
    """Length of the longest of some steps, Å."""
    return float(np.linalg.norm(steps @ lattice, axis=1).max())
