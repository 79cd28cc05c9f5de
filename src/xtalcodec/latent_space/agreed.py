"""What ways to complete a crystal agree on, and the symmetry of what is known makes of them.

Crystals mostly keep the symmetry of the part that is known, and a drawn site that is some tenths of an ångström off is
still next to its place. So every way that was drawn is moved onto the symmetry that it nearly has, and further ways are
put together from whole orbits near sites that were drawn. What most of the drawn sites lie on comes first.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.atom_finders.planned import Holding
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.assembly import Orbit, assembled, orbits_near, sites_of, votes
from xtalcodec.geometry.distances import distances, pairs_alike
from xtalcodec.geometry.elements import radii, radius
from xtalcodec.geometry.orbits import Operations, onto_symmetry
from xtalcodec.geometry.room import CLOSEST, room
from xtalcodec.geometry.symmetry import SYMPREC, operations

WITHIN = 1.3
"""Å: drawn sites this near their images are moved onto the symmetry."""

SAME = 0.3
"""Å: ways none of whose sites are further apart are one."""

SYMMETRY = 0.3
"""What keeping all symmetry counts, where agreeing with all drawn sites counts 1."""

PROPOSED = 10
"""Ways that are put together from orbits, at most, for each composition."""

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


def has_room(known: Crystal, added: Sites) -> bool:
    """Tell whether added atoms are apart from what is known and from each other, and all have room."""
    return not room(with_sites(known, added)).reasons


def as_wanted(sites: Sites, wanted: Holding | int) -> bool:
    """Tell whether sites are the atoms of each element, by atomic number, or as many of any, that are to be added."""
    return len(sites.numbers) == wanted if isinstance(wanted, int) else sites.holding == Counter(wanted)


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
    forms = {frozenset(one.holding.items()): one.holding for one in draws if as_wanted(one, wanted)}
    right = [*forms.values()] if isinstance(wanted, int) else [Counter(wanted)]
    ways = [ground.way(*ground.tidy(one), (number,)) for number, one in enumerate(draws)]
    ways += [ground.way(one, 1.0, ()) for form in right for one in ground.put_together(form)]
    ways.sort(key=lambda way: (not as_wanted(way.sites, wanted), -way.confidence))
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

    def way(self, sites: Sites, symmetric: float, draws: tuple[int, ...]) -> Agreed:
        """Judge sites that keep a share of the symmetry, and came of some draws."""
        lattice = self.known.lattice
        agreeing = sum(votes(self.drawn(z), [sites.frac_coords[sites.numbers == z]], lattice)[0] for z in sites.holding)
        agreement = min(1.0, agreeing / max(1, len(sites.numbers) * self.draws))
        return Agreed(sites, (agreement + SYMMETRY * symmetric) / (1 + SYMMETRY), draws)

    def tidy(self, sites: Sites) -> tuple[Sites, float]:
        """Move sites onto the symmetry that they nearly have, if there is room, and tell how much of it they keep."""
        if not len(sites.numbers):
            return sites, 0.0
        lattice = self.known.lattice
        moved, share = onto_symmetry(*sites, self.operations, lattice, WITHIN)
        tidied = Sites(moved, sites.numbers)
        if has_room(self.known, tidied):
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
        lattice = self.known.lattice
        every = (orbits_near(z, self.drawn(z), self.operations, lattice, n, SAME) for z, n in form.items())
        orbits = [one for some in every for one in some if self._has_room(one)]
        made = (Sites(*sites_of(some)) for some in assembled(form, orbits, lattice)[:PROPOSED])
        return [sites for sites in made if has_room(self.known, sites)]

    def _has_room(self, orbit: Orbit) -> bool:
        """Whether the atoms of an orbit are apart from what is known: its first one, which all others are like."""
        far = distances(orbit.places[:1], self.known.frac_coords, self.known.lattice)[0]
        return bool((far > CLOSEST * (radius(orbit.number) + radii(self.known.numbers))).all())
