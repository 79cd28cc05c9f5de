"""Crystals put together from whole orbits near sites that are not quite in their places."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from xtalcodec.geometry.distances import distances
from xtalcodec.geometry.elements import radii, radius
from xtalcodec.geometry.images import minimum_image, wrapped
from xtalcodec.geometry.orbits import ROUNDS, Operations
from xtalcodec.geometry.room import CLOSEST

MERGED = (0.0, 0.4, 0.8, 1.3, 2.0)
"""Å: a site stands for the special positions that are the mean of its images within each of these."""

ONE = 0.1
"""Å: images of a place that are this near each other are one site."""

SAME = 0.15
"""Å: orbits that are nearer to each other are one."""

SPREAD = 0.5
"""Å: width of the Gaussian by which a site counts for one near it."""

TRIED = 4000
"""Sets of orbits that are looked at."""


class Position(NamedTuple):
    """Sites that a group takes to each other."""

    places: Float[np.ndarray, "sites 3"]
    """Fractional coordinates."""
    apart: float
    """Å between the nearest two of them; infinite for one."""


class Orbit(NamedTuple):
    """Sites that a group takes to each other, and how many of the drawn ones lie on them."""

    number: int
    places: Float[np.ndarray, "sites 3"]
    votes: float


def votes(
    drawn: Float[np.ndarray, "n 3"], sites: Sequence[Float[np.ndarray, "_ 3"]], lattice: Float[np.ndarray, "3 3"]
) -> list[float]:
    """Return how many drawn sites lie on each of some lists of sites: one counts by a Gaussian of its distance.

    Parameters
    ----------
    drawn, sites
        Fractional coordinates.
    lattice
        Rows in Å.
    """
    if not sites or not len(drawn):
        return [0.0] * len(sites)
    near = np.minimum.reduceat(distances(drawn, np.concatenate(sites), lattice), _starts(sites), axis=1)
    counts: list[float] = np.exp(-((near / SPREAD) ** 2)).sum(0).tolist()
    return counts


def orbits_near(
    number: int,
    drawn: Float[np.ndarray, "n 3"],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
    most: int,
    apart: float = 0.0,
    closest: float = CLOSEST,
) -> list[Orbit]:
    """Return the orbits of at most so many sites near drawn ones that have room: each once.

    Parameters
    ----------
    number
        Element, by its atomic number.
    drawn
        Fractional coordinates of its sites.
    operations
        Of a space group.
    lattice
        Niggli-reduced, rows in Å.
    most
        Sites of an orbit.
    apart
        Å: of drawn sites that are nearer to each other, the first alone is looked at.
    closest
        Least distance of two atoms over the sum of their covalent radii.
    """
    near = positions_near(_apart_by(apart, drawn, lattice), operations, lattice, most)
    return orbits_on(near, number, drawn, lattice, closest)


def positions_near(
    places: Float[np.ndarray, "n 3"], operations: Operations, lattice: Float[np.ndarray, "3 3"], most: int
) -> list[Position]:
    """Return the positions of at most so many sites near some places, each once.

    Parameters
    ----------
    places
        Fractional coordinates.
    operations, lattice, most
        As in `orbits_near`.
    """
    places = _special(places, operations, lattice)
    images = _images(places, operations)
    kept_by = (_far(places[:, None], images, lattice) < ONE).sum(1)
    size = len(operations.rotations) / np.maximum(1, kept_by)
    fit = (size <= most) & (size == np.round(size))
    places, images, size = places[fit], images[fit], size[fit]
    found: list[Position] = []
    while len(places):
        own = _different(images[0], lattice)
        # if one site is apart from all others, all are
        found.append(Position(own, distances(own[:1], own[1:], lattice).min(initial=np.inf)))
        others = (size != size[0]) | (_far(places[:, None], images[0], lattice).min(1) >= SAME)
        others[0] = False
        places, images, size = places[others], images[others], size[others]
    return found


def orbits_on(
    positions: Sequence[Position],
    number: int,
    drawn: Float[np.ndarray, "n 3"],
    lattice: Float[np.ndarray, "3 3"],
    closest: float = CLOSEST,
) -> list[Orbit]:
    """Return the orbits of an element on those positions on which it has room.

    Parameters
    ----------
    positions
        To choose from.
    number, drawn, lattice, closest
        As in `orbits_near`.
    """
    roomy = [one.places for one in positions if one.apart > 2 * closest * radius(number)]
    return [Orbit(number, own, count) for own, count in zip(roomy, votes(drawn, roomy, lattice), strict=True)]


def assembled(
    form: Mapping[int, int],
    orbits: Sequence[Orbit],
    lattice: Float[np.ndarray, "3 3"],
    tried: int = TRIED,
    closest: float = CLOSEST,
) -> list[tuple[Orbit, ...]]:
    """Return sets of orbits that make up a composition and have room beside each other, most votes first.

    Parameters
    ----------
    form
        Atoms of each element, by atomic number.
    orbits
        To choose from.
    lattice
        Niggli-reduced, rows in Å.
    tried
        Sets, and beginnings of sets, that are looked at; those with the densest votes first.
    closest
        As in `orbits_near`.
    """
    orbits = sorted(orbits, key=lambda one: -one.votes / len(one.places))
    sets = _sets(form, orbits, _apart(orbits, lattice, closest), tried)
    return [
        tuple(orbits[k] for k in some) for some in sorted(sets, key=lambda some: -sum(orbits[k].votes for k in some))
    ]


def sites_of(orbits: Sequence[Orbit]) -> tuple[Float[np.ndarray, "sites 3"], Int[np.ndarray, " sites"]]:
    """Return all sites of some orbits: fractional coordinates, and what is there."""
    sizes = [len(one.places) for one in orbits]
    return np.concatenate([one.places for one in orbits]), np.repeat([one.number for one in orbits], sizes)


def _apart_by(
    least: float, places: Float[np.ndarray, "n 3"], lattice: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "m 3"]:
    """Places, but for those that are near an earlier one."""
    if not least:
        return places
    kept = np.zeros((0, 3))
    while len(places):
        kept = np.concatenate([kept, places[:1]])
        places = places[distances(places[:1], places, lattice)[0] > least]
    return kept


def _images(places: Float[np.ndarray, "n 3"], operations: Operations) -> Float[np.ndarray, "n ops 3"]:
    """Where every operation takes every place."""
    moved: Float[np.ndarray, "n ops 3"] = np.einsum("oij,nj->noi", operations.rotations, places)
    return moved + operations.translations


def _far(
    a: Float[np.ndarray, "*n 3"], b: Float[np.ndarray, "*m 3"], lattice: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "*k"]:
    """Å between places, of which one is rarely far off; for those that are near each other in a reduced cell."""
    far: Float[np.ndarray, "*k"] = np.linalg.norm(minimum_image(a - b) @ lattice, axis=-1)
    return far


def _special(
    places: Float[np.ndarray, "n 3"], operations: Operations, lattice: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "m 3"]:
    """Places moved to the mean of their images within each distance of `MERGED`."""
    within = np.tile(MERGED, len(places))[:, None]
    places = np.repeat(places, len(MERGED), axis=0)
    for _ in range(ROUNDS):
        steps = minimum_image(_images(places, operations) - places[:, None])
        near = np.linalg.norm(steps @ lattice, axis=2) <= within
        near[~near.any(1)] = True  # no operation: no step
        step = (steps * near[..., None]).sum(1) / near.sum(1)[:, None]
        places = places + step
        if np.abs(step @ lattice).max(initial=0.0) < 1e-6:
            break
    return wrapped(places)


def _different(images: Float[np.ndarray, "ops 3"], lattice: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "sites 3"]:
    """Images that are one site, once."""
    first = (_far(images[:, None], images, lattice) < ONE).argmax(1)
    return wrapped(images[np.unique(first)])


def _starts(sites: Sequence[Float[np.ndarray, "_ 3"]]) -> Int[np.ndarray, " lists"]:
    """Where each list begins when they are put one after the other."""
    return np.cumsum([0, *(len(own) for own in sites[:-1])])


def _apart(
    orbits: Sequence[Orbit], lattice: Float[np.ndarray, "3 3"], closest: float
) -> Bool[np.ndarray, "orbits orbits"]:
    """Which orbits have room beside each other."""
    if not orbits:
        return np.zeros((0, 0), dtype=bool)
    sites = [one.places for one in orbits]
    first = np.stack([own[0] for own in sites])
    far = np.minimum.reduceat(distances(first, np.concatenate(sites), lattice), _starts(sites), axis=1)
    size = radii(np.array([one.number for one in orbits]))
    return far > closest * (size[:, None] + size)


def _sets(
    form: Mapping[int, int], orbits: Sequence[Orbit], apart: Bool[np.ndarray, "orbits orbits"], tried: int
) -> Iterator[tuple[int, ...]]:
    """Yield sets of orbits, by their numbers, until so many were looked at; orbits are bits of whole numbers."""
    sizes = [(one.number, len(one.places)) for one in orbits]
    alike = {kind: sum(1 << k for k, other in enumerate(sizes) if other == kind) for kind in dict.fromkeys(sizes)}
    later = [sum(1 << j for j in np.flatnonzero(row[k + 1 :]).tolist()) << k + 1 for k, row in enumerate(apart)]
    stack: list[tuple[tuple[int, ...], int, dict[int, int]]] = [((), (1 << len(orbits)) - 1, dict(form))]
    for _ in range(tried):
        if not stack:
            return
        chosen, may, left = stack.pop()
        if not any(left.values()):
            yield chosen
            continue
        able = dict.fromkeys(left, 0)
        for (number, size), those in alike.items():
            if size > left[number]:
                may &= ~those
            else:
                able[number] += size * (may & those).bit_count()
        if any(able[number] < count for number, count in left.items()):
            continue
        rest = may
        while rest:  # the last first: it is looked at last
            k = rest.bit_length() - 1
            rest ^= 1 << k
            number, size = sizes[k]
            stack.append(((*chosen, k), may & later[k], left | {number: left[number] - size}))
