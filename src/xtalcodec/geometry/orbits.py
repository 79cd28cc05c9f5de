"""Sites under symmetry operations: orbits, special positions, places moved onto a symmetry that they nearly have."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import minimum_image, wrapped
from xtalcodec.geometry.distances import distances, pairs_alike

ONE = 0.1
"""Å: images of a place that are this near each other are one site."""

ROUNDS = 8
"""Means of images, one after the other, until nothing moves; two are the rule."""


class Operations(NamedTuple):
    """Of a space group, on columns of fractional coordinates: x → R x + t."""

    rotations: Float[np.ndarray, "ops 3 3"]
    translations: Float[np.ndarray, "ops 3"]

    def images(self, place: Float[np.ndarray, "3"]) -> Float[np.ndarray, "ops 3"]:
        """Return where every operation takes a place."""
        moved: Float[np.ndarray, "ops 3"] = self.rotations @ place + self.translations
        return moved


def special(
    place: Float[np.ndarray, "3"], operations: Operations, lattice: Float[np.ndarray, "3 3"], within: float
) -> Float[np.ndarray, "3"]:
    """Move a place to the mean of those of its images that are within a distance: onto a special position near it.

    Parameters
    ----------
    place
        Fractional coordinates.
    operations
        Of a space group.
    lattice
        Niggli-reduced, rows in Å.
    within
        Å; where no image is that near, the place stays.
    """
    for _ in range(ROUNDS):
        steps = minimum_image(operations.images(place) - place)
        near = np.linalg.norm(steps @ lattice, axis=1) <= within
        if not near.any() or np.linalg.norm((step := steps[near].mean(0)) @ lattice) < 1e-6:
            break
        place = place + step
    return wrapped(place)


def orbit(
    place: Float[np.ndarray, "3"], operations: Operations, lattice: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "sites 3"]:
    """Return all sites that a place is taken to, each once, itself first.

    Parameters
    ----------
    place
        Fractional coordinates.
    operations
        Of a space group.
    lattice
        Niggli-reduced, rows in Å.
    """
    images = wrapped(np.concatenate([place[None], operations.images(place)]))
    sites: list[int] = []
    left = np.arange(len(images))
    while len(left):
        sites.append(int(left[0]))
        left = left[distances(images[left[:1]], images[left], lattice)[0] >= ONE]
    return images[sites]


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
