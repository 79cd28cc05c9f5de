"""What ways to complete a crystal agree on, and the symmetry of what is known makes of them.

Crystals mostly keep the symmetry of the part that is known, and a drawn site that is some tenths of an ångström off is
still next to its place. So every way that was drawn is moved onto the symmetry that it nearly has, and further ways are
put together from whole orbits near sites that were drawn. What most of the drawn sites lie on comes first.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from xtalcodec.atom_finders.planned import Holding
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.distances import distances, pairs_alike
from xtalcodec.geometry.elements import radii, radius
from xtalcodec.geometry.orbits import Operations, onto_symmetry, orbit, special
from xtalcodec.geometry.room import CLOSEST, room
from xtalcodec.geometry.symmetry import operations

SYMPREC = 0.1
"""Å: tolerance of the symmetry of what is known."""

WITHIN = 1.3
"""Å: drawn sites this near their images are moved onto the symmetry."""

MERGED = (0.0, 0.4, 0.8, 1.3, 2.0)
"""Å: a drawn site stands for the special positions that are the mean of its images within each of these."""

SPREAD = 0.5
"""Å: width of the Gaussian by which a drawn site counts for one near it."""

SAME = 0.3
"""Å: ways none of whose sites are further apart are one."""

SYMMETRY = 0.3
"""What keeping all symmetry counts, where agreeing with all drawn sites counts 1."""

PROPOSED = 10
"""Ways that are put together from orbits, at most, for each composition."""

TRIED = 4000
"""Sets of orbits that are looked at for them."""

MOST = 1000
"""Drawn sites; of more, no ways are put together."""


class Sites(NamedTuple):
    """Sites that are added to what is known."""

    frac_coords: Float[np.ndarray, "sites 3"]
    numbers: Int[np.ndarray, " sites"]

    @property
    def holding(self) -> Counter[int]:
        """Atoms of each element."""
        return Counter(self.numbers.tolist())


def with_sites(known: Crystal, sites: Sites) -> Crystal:
    """Return what is known, with more sites after it."""
    places, numbers = (np.concatenate(pair) for pair in zip((known.frac_coords, known.numbers), sites, strict=True))
    return replace(known, frac_coords=places, numbers=numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Agreed:
    """Sites that may complete a crystal."""

    sites: Sites
    confidence: float
    """From 0 to 1: the share of all drawn atoms that lie on these, and the share of the symmetry of what is known that
    they keep, 10 to 3."""
    draws: tuple[int, ...]
    """Numbers of the draws that these are; none where they are put together from several."""


def agreed(known: Crystal, draws: Sequence[Sites], wanted: Holding | int) -> list[Agreed]:
    """Return different ways to complete a crystal, the surest first, those of another composition last.

    Parameters
    ----------
    known
        What is known, Niggli-reduced.
    draws
        Sites that were drawn to complete it, in its cell.
    wanted
        Atoms of each element that are to be added, by atomic number, or how many of any.
    """
    ground = _Ground.of(known, draws)
    forms = {tuple(sorted(one.holding.items())): one.holding for one in draws}
    right = (
        [form for form in forms.values() if form.total() == wanted] if isinstance(wanted, int) else [Counter(wanted)]
    )
    ways = [ground.way(*ground.tidy(one), (number,)) for number, one in enumerate(draws)]
    ways += [ground.way(one, 1.0, ()) for form in right for one in ground.put_together(form)]
    ways.sort(key=lambda way: (way.sites.holding not in right, -way.confidence))
    return ground.different(ways)


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """What is known, its symmetry, and all sites that were drawn."""

    known: Crystal
    operations: Operations
    cloud: Sites
    draws: int

    @classmethod
    def of(cls, known: Crystal, draws: Sequence[Sites]) -> "_Ground":
        none = Sites(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
        cloud = Sites(*(np.concatenate(parts) for parts in zip(none, *draws, strict=True)))
        return cls(known, operations(known, SYMPREC), cloud, len(draws))

    def drawn(self, z: int) -> Float[np.ndarray, "sites 3"]:
        """Sites of an element that were drawn."""
        return self.cloud.frac_coords[self.cloud.numbers == z]

    def votes(self, z: int, places: Float[np.ndarray, "sites 3"]) -> float:
        """How many of the drawn sites of an element lie on some places."""
        drawn = self.drawn(z)
        if not len(drawn):
            return 0.0
        return float(np.exp(-((distances(drawn, places, self.known.lattice).min(1) / SPREAD) ** 2)).sum())

    def way(self, sites: Sites, symmetric: float, draws: tuple[int, ...]) -> Agreed:
        """Judge sites that keep a share of the symmetry, and came of some draws."""
        votes = sum(self.votes(z, sites.frac_coords[sites.numbers == z]) for z in sites.holding)
        agreement = min(1.0, votes / max(1, len(sites.numbers) * self.draws))
        return Agreed(sites, (agreement + SYMMETRY * symmetric) / (1 + SYMMETRY), draws)

    def tidy(self, sites: Sites) -> tuple[Sites, float]:
        """Move sites onto the symmetry that they nearly have, if there is room, and tell how much of it they keep."""
        if not len(sites.numbers):
            return sites, 0.0
        lattice = self.known.lattice
        moved, share = onto_symmetry(*sites, self.operations, lattice, WITHIN)
        tidied = Sites(moved, sites.numbers)
        if not room(with_sites(self.known, tidied)).reasons:
            return tidied, share
        return sites, onto_symmetry(*sites, self.operations, lattice, SYMPREC)[1]

    def different(self, ways: Sequence[Agreed]) -> list[Agreed]:
        """Return the first of each kind, with the draws of all that are the same."""
        kept: list[Agreed] = []
        for way in ways:
            twin = next((k for k, other in enumerate(kept) if self._same(way.sites, other.sites)), None)
            if twin is None:
                kept.append(way)
            else:
                kept[twin] = replace(kept[twin], draws=tuple(sorted(kept[twin].draws + way.draws)))
        return kept

    def _same(self, a: Sites, b: Sites) -> bool:
        if a.holding != b.holding:
            return False
        _, _, far = pairs_alike(a, b, self.known.lattice)
        return bool((far <= SAME).all())

    def put_together(self, form: Holding) -> list[Sites]:
        """Return sites of a composition made of whole orbits that were drawn, those with the most votes first."""
        if len(self.cloud.numbers) > MOST:
            return []
        orbits = [one for z, count in form.items() for one in self._orbits(z, count)]
        orbits.sort(key=lambda one: -one.votes / len(one.places))
        sets = _sets(form, orbits, self._apart(orbits))
        best = sorted(sets, key=lambda some: -sum(orbits[k].votes for k in some))
        made = [
            Sites(
                np.concatenate([orbits[k].places for k in some]),
                np.repeat([orbits[k].number for k in some], [len(orbits[k].places) for k in some]),
            )
            for some in best[:PROPOSED]
        ]
        return [sites for sites in made if not room(with_sites(self.known, sites)).reasons]

    def _orbits(self, z: int, most: int) -> list["_Orbit"]:
        """Orbits of an element near sites that were drawn, of so many sites at most, that have room."""
        lattice = self.known.lattice
        found: list[_Orbit] = []
        for place in self._apart_by(SAME, self.drawn(z)):
            for within in MERGED:
                places = orbit(special(place, self.operations, lattice, within), self.operations, lattice)
                if len(places) <= most and not self._among(places, found) and self._has_room(z, places):
                    found.append(_Orbit(z, places, self.votes(z, places)))
        return found

    def _apart_by(self, least: float, places: Float[np.ndarray, "sites 3"]) -> Iterator[Float[np.ndarray, "3"]]:
        """Yield places, but for those that are near an earlier one."""
        while len(places):
            yield places[0]
            places = places[distances(places[:1], places, self.known.lattice)[0] > least]

    def _among(self, places: Float[np.ndarray, "sites 3"], found: Sequence["_Orbit"]) -> bool:
        """Whether an orbit is one of some."""
        alike = [other.places for other in found if len(other.places) == len(places)]
        return bool(alike) and float(self._far(places, np.concatenate(alike)).min()) < SAME / 2

    def _has_room(self, z: int, places: Float[np.ndarray, "sites 3"]) -> bool:
        """Whether the atoms of an orbit are apart from each other and from what is known."""
        to_others, to_known = self._far(places, places[1:]), self._far(places, self.known.frac_coords)
        sums = radius(z) + radii(self.known.numbers)
        return bool((to_others > 2 * CLOSEST * radius(z)).all() and (to_known > CLOSEST * sums).all())

    def _far(self, places: Float[np.ndarray, "sites 3"], others: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Å from the first site of an orbit to some places; if these are whole orbits, the others are as far."""
        return distances(places[:1], others, self.known.lattice)[0]

    def _apart(self, orbits: Sequence["_Orbit"]) -> Bool[np.ndarray, "orbits orbits"]:
        """Which orbits have room beside each other."""
        if not orbits:
            return np.zeros((0, 0), dtype=bool)
        every = np.concatenate([one.places for one in orbits])
        starts = np.cumsum([0, *(len(one.places) for one in orbits[:-1])])
        far = np.array([np.minimum.reduceat(self._far(one.places, every), starts) for one in orbits])
        size = radii(np.array([one.number for one in orbits]))
        return far > CLOSEST * (size[:, None] + size)


class _Orbit(NamedTuple):
    number: int
    places: Float[np.ndarray, "sites 3"]
    votes: float


def _sets(
    form: Holding, orbits: Sequence[_Orbit], apart: Bool[np.ndarray, "orbits orbits"]
) -> Iterator[tuple[int, ...]]:
    """Yield sets of orbits that make up a composition and have room beside each other, until `TRIED` were looked at."""
    stack: list[tuple[tuple[int, ...], Counter[int]]] = [((), Counter(form))]
    for _ in range(TRIED):
        if not stack:
            return
        chosen, left = stack.pop()
        if not left.total():
            yield chosen
            continue
        for k in reversed(range(chosen[-1] + 1 if chosen else 0, len(orbits))):
            one = orbits[k]
            if len(one.places) <= left[one.number] and all(apart[k, j] for j in chosen):
                stack.append(((*chosen, k), left - Counter({one.number: len(one.places)})))
