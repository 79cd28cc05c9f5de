"""A part of a crystal that is given: what training shows of a crystal that is to be completed."""

import numpy as np
from jaxtyping import Bool

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.images import minimum_image


def part_of(crystal: Crystal, rng: np.random.Generator) -> Bool[np.ndarray, " sites"]:
    """Choose the sites that are given: all but those of an element, of a slab, of a ball, or some at random.

    Parameters
    ----------
    crystal
        On its reduced cell.
    rng
        Random numbers.

    Returns
    -------
    Which sites stay; perhaps none.
    """
    return ~KINDS[rng.integers(len(KINDS))](crystal, rng)


def _element(crystal: Crystal, rng: np.random.Generator) -> Bool[np.ndarray, " sites"]:
    return crystal.numbers == rng.choice(np.unique(crystal.numbers))


def _slab(crystal: Crystal, rng: np.random.Generator) -> Bool[np.ndarray, " sites"]:
    along = (crystal.frac_coords[:, rng.integers(3)] - rng.random()) % 1
    return along < rng.uniform(0.1, 0.9)


def _ball(crystal: Crystal, rng: np.random.Generator) -> Bool[np.ndarray, " sites"]:
    apart = minimum_image(crystal.frac_coords - crystal.frac_coords[rng.integers(len(crystal))])
    return np.linalg.norm(apart @ crystal.lattice, axis=1) < rng.uniform(1.0, 4.0)


def _some(crystal: Crystal, rng: np.random.Generator) -> Bool[np.ndarray, " sites"]:
    return rng.random(len(crystal)) < rng.uniform(0.05, 0.7)


KINDS = (_element, _slab, _ball, _some)
"""Ways of taking sites away."""
