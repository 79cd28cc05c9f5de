"""Sites under symmetry operations, and sites moved onto a symmetry that they nearly have."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components

from xtalcodec.geometry.distances import pairs_alike
from xtalcodec.geometry.images import minimum_image, wrapped

ROUNDS = 8
"""Means of images, one after the other, until nothing moves; two are the rule."""


class Operations(NamedTuple):
    """Of a space group, on columns of fractional coordinates: x → R x + t."""

    rotations: Float[np.ndarray, "ops 3 3"]
    translations: Float[np.ndarray, "ops 3"]


class Kept(NamedTuple):
    """What a symmetry leaves free: which sites are one, and how they may move."""

    orbits: Int[np.ndarray, " sites"]
    """Sites of one number, from 0, are images of each other."""
    places: Float[np.ndarray, "sites 3"]
    """Fractional coordinates that have the symmetry."""
    moves: Float[np.ndarray, "moves sites 3"]
    """Moves that keep it, and those of all sites together, in fractions of the axes: each of 1 Å, of the site that
    moves farthest."""

    @classmethod
    def without_symmetry(cls, places: Float[np.ndarray, "sites 3"], lattice: Float[np.ndarray, "3 3"]) -> "Kept":
        """Sites that have no symmetry."""
        sites = len(places)
        return cls(np.arange(sites), places, np.eye(3 * sites).reshape(-1, sites, 3) @ np.linalg.inv(lattice))


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
        steps = [step for _, step in _images(places, numbers, operations, lattice) if _longest(step, lattice) <= within]
        share = len(steps) / len(operations.rotations)
        if not steps or _longest(step := np.mean(steps, axis=0), lattice) < 1e-3:
            break
        places = places + step
    return wrapped(places), share


def kept_by(
    operations: Operations,
    places: Float[np.ndarray, "sites 3"],
    numbers: Int[np.ndarray, " sites"],
    lattice: Float[np.ndarray, "3 3"],
    within: float,
) -> Kept:
    """What operations leave free of sites: the mean of the images of any move is one that the symmetry keeps.

    Parameters
    ----------
    operations
        Of a space group.
    places, numbers
        Fractional coordinates, and what is there.
    lattice
        Niggli-reduced, rows in Å.
    within
        Å: an operation counts if no site is further than this from the image that takes its place.
    """
    places, _ = onto_symmetry(places, numbers, operations, lattice, within)
    sites, cartesian = len(places), lattice.T
    every, mean, alike = np.arange(sites), np.zeros((sites, 3, sites, 3)), np.eye(sites)
    images, count = _images(places, numbers, operations, lattice), 0
    for rotation, (partner, step) in zip(operations.rotations, images, strict=True):
        if _longest(step, lattice) <= within:
            count += 1
            mean[every, :, partner] += cartesian @ rotation @ np.linalg.inv(cartesian)
            alike[every, partner] = 1
    flat = mean.reshape(3 * sites, -1) / count
    values, fields = np.linalg.eigh((flat + flat.T) / 2)  # of a lattice that has the symmetry exactly, a projector
    fields = fields[:, values > 0.5]
    together = np.tile(np.eye(3), (sites, 1)) / np.sqrt(sites)
    fields, values, _ = np.linalg.svd(np.hstack([fields, together]), full_matrices=False)
    moves = fields[:, values > 0.5].T.reshape(-1, sites, 3)
    moves = moves / np.linalg.norm(moves, axis=2).max(1)[:, None, None] @ np.linalg.inv(lattice)
    return Kept(connected_components(alike)[1].astype(np.int64), places, moves)


def _images(
    places: Float[np.ndarray, "sites 3"],
    numbers: Int[np.ndarray, " sites"],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
) -> Iterator[tuple[Int[np.ndarray, " sites"], Float[np.ndarray, "sites 3"]]]:
    """For every operation, whose image takes the place of each site, and the step to it: the nearest, all in all."""
    for rotation, translation in zip(*operations, strict=True):
        images = places @ rotation.T + translation
        _, partner, _ = pairs_alike((places, numbers), (images, numbers), lattice)
        yield partner, minimum_image(images[partner] - places)


def _longest(steps: Float[np.ndarray, "sites 3"], lattice: Float[np.ndarray, "3 3"]) -> float:
    """Length of the longest of some steps, Å."""
    return float(np.linalg.norm(steps @ lattice, axis=1).max())
