"""What sites may be instead: another element, a site more, a site less, one at another place."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.crystal import alone
from xtalcodec.geometry.images import minimum_image

POSSIBLE = 0.001
"""Elements that are less likely are not tried on a site that is there."""
LIKELY = 0.03
"""Elements that are less likely are not tried on a site that is new."""
MOST = 6
"""Elements that are tried on a site."""
BESIDE = 0.35
"""Å: what is farther from a site may be another one, though both are not where they belong yet."""
SAME_PLACE = 0.2
"""Å: a place nearer to a site is the site's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Elsewhere:
    """Places of a crystal that may hold sites."""

    places: Float[np.ndarray, "places 3"]
    """Fractions of the axes."""
    likely: Float[np.ndarray, "places z"]
    """Of each element on each place, by Z."""
    lattice: Float[np.ndarray, "3 3"]
    """Cell vectors, rows in Å."""
    nearest: float
    """Å: sites are no nearer to each other."""

    def some(self, kept: Bool[np.ndarray, " places"]) -> "Elsewhere":
        """Some of the places."""
        return replace(self, places=self.places[kept], likely=self.likely[kept])


def other_elements(
    sites: FoundAtoms, likely: Float[np.ndarray, "sites z"], wrong: Bool[np.ndarray, " sites"]
) -> Iterator[FoundAtoms]:
    """Yield sites of which one, or all of an element, are another element's.

    Parameters
    ----------
    sites
        What a crystal is read as.
    likely
        How likely each element is on each site, by Z.
    wrong
        Sites that may be wrong: others are another element's only with one of these.
    """
    alone_there = sites.shares().max(1) == 1
    for k in np.flatnonzero(wrong):
        for z in _best(likely[k], POSSIBLE):
            if z != sites.numbers[k] or not alone_there[k]:
                yield _with(sites, np.arange(len(sites)) == k, z)
    for element in np.unique(sites.numbers[wrong]):
        all_of_it = (sites.numbers == element) & alone_there
        for z in _best(likely[all_of_it].mean(0), POSSIBLE) if all_of_it.sum() > 1 else []:
            if z != element:
                yield _with(sites, all_of_it, z)


def exchanged(sites: FoundAtoms, likely: Float[np.ndarray, "sites z"]) -> Iterator[FoundAtoms]:
    """Yield sites of which two have each other's elements, where either may be, see `other_elements`."""
    numbers = sites.numbers
    for a, b in combinations(range(len(sites)), 2):
        if numbers[a] != numbers[b] and max(likely[a, numbers[b]], likely[b, numbers[a]]) > POSSIBLE:
            order = np.arange(len(sites))
            order[[a, b]] = b, a
            yield replace(sites, numbers=numbers[order])


def other_places(sites: FoundAtoms, leaving: Bool[np.ndarray, " sites"], elsewhere: Elsewhere) -> Iterator[FoundAtoms]:
    """Yield sites and one more, with those that are too near to it and without; and sites but for one.

    Parameters
    ----------
    sites
        What a crystal is read as.
    leaving
        Those that may not be there.
    elsewhere
        Where there may be others.
    """
    apart = minimum_image(elsewhere.places[:, None] - sites.positions) @ elsewhere.lattice
    distance = np.linalg.norm(apart, axis=-1)
    for place, likely, away in zip(elsewhere.places, elsewhere.likely, distance, strict=True):
        if away.min() < SAME_PLACE:
            continue
        for z in _best(likely, LIKELY):
            yield _more(_part(sites, away >= elsewhere.nearest), place, z)
            if BESIDE < away.min() < elsewhere.nearest:
                yield _more(sites, place, z)
    for k in np.flatnonzero(leaving) if len(sites) > 1 else ():
        yield _part(sites, np.arange(len(sites)) != k)


def _best(likely: Float[np.ndarray, " z"], least: float) -> list[int]:
    """The likeliest elements."""
    return [int(z) for z in np.argsort(-likely)[:MOST] if z and likely[z] > least]


def _with(sites: FoundAtoms, where: Bool[np.ndarray, " sites"], z: int) -> FoundAtoms:
    """Return sites of which some are one element's."""
    numbers = np.where(where, z, sites.numbers)
    if sites.occupancies is None:
        return replace(sites, numbers=numbers)
    shares = np.where(where[:, None], alone(numbers), sites.occupancies)
    return replace(sites, numbers=numbers, occupancies=None if shares.max(1).min() == 1 else shares)


def _part(sites: FoundAtoms, kept: Bool[np.ndarray, " sites"]) -> FoundAtoms:
    """Return some of the sites."""
    own = {name: getattr(sites, name)[kept] for name in ("positions", "numbers", "confidence")}
    return replace(sites, **own, occupancies=None if sites.occupancies is None else sites.occupancies[kept])


def _more(sites: FoundAtoms, place: Float[np.ndarray, "3"], z: int) -> FoundAtoms:
    """Return sites and one more, which nothing speaks for yet."""
    shares = None if sites.occupancies is None else np.vstack([sites.occupancies, alone(np.array([z]))])
    return replace(
        sites,
        positions=np.vstack([sites.positions, place]),
        numbers=np.append(sites.numbers, z),
        confidence=np.append(sites.confidence, 0.0),
        occupancies=shares,
    )
