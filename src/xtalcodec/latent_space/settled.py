"""Rough crystals settled on a space group: the nearest crystal of whole orbits."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.assembly import assembled, orbits_on, positions_near, sites_of
from xtalcodec.geometry.distances import pairs_alike
from xtalcodec.geometry.group_on_cell import LaidGroup
from xtalcodec.geometry.images import minimum_image, wrapped
from xtalcodec.geometry.orbits import Operations
from xtalcodec.geometry.origins import origins
from xtalcodec.geometry.room import room
from xtalcodec.geometry.symmetry import space_group_number

ORIGINS = 3
"""Of each way in which the group lies on the cell."""

LOOKED_AT = 4
"""Origins of all ways together, the best."""

PROPOSED = 2
"""Crystals that are put together about each."""

AGAIN = 2
"""Origins about which such places are tried."""

BETTER = 3
"""Of all of them, the best, which are put together again about the origin to which their sites are nearest."""

EVERYWHERE = np.indices((4, 4, 4)).reshape(3, -1).T / 4
"""Places near which orbits are looked for where the drawn sites are near none that will do."""

CLOSEST = 0.7
"""Least distance of two atoms over the sum of their covalent radii: of real crystals, one in a hundred has less."""

TRIED = 500
"""Sets of orbits that are looked at for them."""

NOWHERE = np.zeros((0, 3))

FAR = 3.0
"""Å: a site further off counts as that far."""


class Settled(NamedTuple):
    """A crystal of whole orbits."""

    crystal: Crystal
    as_asked: bool
    """Whether its space group is that which was asked for, not one with more symmetry."""
    far: float
    """Å: root mean square of how far its sites are from those that were drawn."""


def settle(drawn: Crystal, group: LaidGroup, composition: Mapping[int, int]) -> Settled | None:
    """Return the nearest crystal of a space group with room for its atoms; None where none is found.

    Of another one with more symmetry only where there is none of just that group.

    Parameters
    ----------
    drawn
        In the cell of the group.
    group
        The group, on the cell.
    composition
        Atoms of each element, by atomic number.
    """
    origins = _origins(drawn, group)
    found = [one for origin in origins for one in _about(*origin, group, composition, PROPOSED)]
    if not found:
        found = [one for o in origins[:AGAIN] for one in _about(*o, group, composition, PROPOSED, EVERYWHERE)]
    best = sorted(found, key=_order)[:BETTER]
    found += [again for one in best for again in _about(one.way, one.drawn, group, composition, 1)]
    return min(found, key=_order).settled if found else None


class _Found(NamedTuple):
    """What was put together, and about what."""

    settled: Settled
    way: Operations
    drawn: Crystal
    """Moved to where its sites are nearest to those of the crystal."""


def _order(one: _Found) -> tuple[bool, float]:
    return not one.settled.as_asked, one.settled.far


def _origins(drawn: Crystal, group: LaidGroup) -> list[tuple[Operations, Crystal]]:
    """Ways of the group, with the crystal moved so that it lies about the origin: the likeliest."""
    every = [
        (score, way, at)
        for way in group.ways
        for score, at in origins(drawn.frac_coords, drawn.numbers, way, group.lattice, ORIGINS)
    ]
    every.sort(key=lambda one: -one[0])
    return [(way, drawn.translated(-at)) for _, way, at in every[:LOOKED_AT]]


def _about(
    way: Operations,
    moved: Crystal,
    group: LaidGroup,
    form: Mapping[int, int],
    most: int,
    further: Float[np.ndarray, "n 3"] = NOWHERE,
) -> Iterator[_Found]:
    """Crystals put together about an origin, and the drawn one moved to where its sites are nearest to theirs."""
    for crystal in _put_together(way, moved, form, most, further):
        mine, drawn, _ = pairs_alike(_sites(crystal), _sites(moved), group.lattice)
        steps = minimum_image(crystal.frac_coords[mine] - moved.frac_coords[drawn])
        near = moved.translated(steps.mean(0))
        _, _, far = pairs_alike(_sites(crystal), _sites(near), group.lattice)
        off = float(np.sqrt((np.minimum(far, FAR) ** 2).mean()))
        yield _Found(Settled(crystal, space_group_number(crystal) == group.number, off), way, near)


def _sites(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """Where they are, and what is there."""
    return crystal.frac_coords, crystal.numbers


def _put_together(
    way: Operations, drawn: Crystal, form: Mapping[int, int], most: int, further: Float[np.ndarray, "n 3"]
) -> list[Crystal]:
    """Crystals of whole orbits near drawn sites, or near further places."""
    lattice = drawn.lattice
    of = {z: drawn.frac_coords[drawn.numbers == z] for z in form}
    most_sites = max(form.values())
    if len(further):
        every = positions_near(np.concatenate([drawn.frac_coords, further]), way, lattice, most_sites)
        near = dict.fromkeys(form, every)
    else:
        near = {z: positions_near(own, way, lattice, most_sites) for z, own in of.items()}
    orbits = [orbit for z, own in of.items() for orbit in orbits_on(near[z], z, own, lattice, CLOSEST)]
    plain = drawn.without_properties()
    sites = (sites_of(some) for some in assembled(form, orbits, lattice, TRIED, CLOSEST)[:most])
    made = (replace(plain, frac_coords=wrapped(places), numbers=numbers) for places, numbers in sites)
    return [crystal for crystal in made if not room(crystal).reasons]
