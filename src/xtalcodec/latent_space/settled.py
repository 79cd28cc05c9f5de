"""Rough crystals settled on a space group: the nearest crystal of whole orbits."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from xtalcodec.crystal import Crystal, minimum_image, wrapped
from xtalcodec.geometry.assembly import assembled, orbits_near, sites_of
from xtalcodec.geometry.distances import pairs_alike
from xtalcodec.geometry.group_on_cell import LaidGroup
from xtalcodec.geometry.orbits import Operations
from xtalcodec.geometry.origins import origins
from xtalcodec.geometry.room import room
from xtalcodec.geometry.symmetry import space_group_number

ORIGINS = 3
"""Of each way in which the group lies on the cell."""

LOOKED_AT = 4
"""Origins of all ways together, the best."""

PROPOSED = 3
"""Crystals that are put together about each."""

CLOSEST = 0.7
"""Least distance of two atoms over the sum of their covalent radii: of real crystals, one in a hundred has less."""

TRIED = 1500
"""Sets of orbits that are looked at for them."""

SHIFTS = 2
"""How often the origin is moved to where the sites are nearest."""

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
    found = [one for origin in _origins(drawn, group) for one in _about(*origin, group, composition)]
    return min(found, key=lambda one: (not one.as_asked, one.far), default=None)


def _origins(drawn: Crystal, group: LaidGroup) -> list[tuple[Operations, Crystal]]:
    """Ways of the group, with the crystal moved so that it lies about the origin: the likeliest."""
    every = [
        (score, way, at)
        for way in group.ways
        for score, at in origins(drawn.frac_coords, drawn.numbers, way, group.lattice, ORIGINS)
    ]
    every.sort(key=lambda one: -one[0])
    return [(way, drawn.translated(-at)) for _, way, at in every[:LOOKED_AT]]


def _about(operations: Operations, moved: Crystal, group: LaidGroup, form: Mapping[int, int]) -> Iterator[Settled]:
    """Crystals put together about an origin, which is moved to where their sites are nearest to those drawn."""
    for crystal in _put_together(operations, moved, form, PROPOSED):
        better, about = crystal, moved
        for shift in range(SHIFTS):
            if shift:
                better = next(iter(_put_together(operations, about, form, 1)), better)
            mine, drawn, _ = pairs_alike(_sites(better), _sites(about), group.lattice)
            steps = minimum_image(better.frac_coords[mine] - about.frac_coords[drawn])
            about = about.translated(steps.mean(0))
            _, _, far = pairs_alike(_sites(better), _sites(about), group.lattice)
            yield Settled(
                better,
                space_group_number(better) == group.number,
                float(np.sqrt((np.minimum(far, FAR) ** 2).mean())),
            )


def _sites(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """Where they are, and what is there."""
    return crystal.frac_coords, crystal.numbers


def _put_together(operations: Operations, drawn: Crystal, form: Mapping[int, int], most: int) -> list[Crystal]:
    """Crystals of whole orbits near drawn sites."""
    lattice = drawn.lattice
    orbits = [
        orbit
        for z, count in form.items()
        for orbit in orbits_near(z, drawn.frac_coords[drawn.numbers == z], operations, lattice, count, closest=CLOSEST)
    ]
    plain = drawn.without_properties()
    sites = (sites_of(some) for some in assembled(form, orbits, lattice, TRIED, CLOSEST)[:most])
    made = (replace(plain, frac_coords=wrapped(places), numbers=numbers) for places, numbers in sites)
    return [crystal for crystal in made if not room(crystal).reasons]
