"""Crystals of pure elements for those that data have none of: without every element there is no hull."""

from dataclasses import replace
from functools import cache

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.datasets import load
from xtalcodec.evaluation.reduced_cells import reduced_cell
from xtalcodec.geometry.elements import symbol
from xtalcodec.geometry.room import room
from xtalcodec.io.read import quiet

LARGEST = 4
"""Sites of a primitive cell, at most: larger cells are those of few elements, and take long."""
STEPS = 100
"""Of FIRE, at most, from the prototype at the element's molar volume."""
PER_MOLE = 0.602214076
"""Å³ per atom in one cm³/mol: Avogadro's number by 10²⁴ (SI 2019), upside down."""


def pure(z: int) -> list[Crystal]:
    """Return an element in every structure that AFLOW has a prototype of, to be relaxed; the lowest energy counts.

    Parameters
    ----------
    z
        Atomic number.

    Returns
    -------
    Crystals at the molar volume of the element, named by element and prototype, but those whose atoms would be too near
    each other; none of an element without a known volume.
    """
    from pymatgen.core import Element

    with quiet():  # pymatgen warns of what it does not know
        molar = Element.from_Z(z).molar_volume
    if molar is None:
        return []
    each = float(molar) / PER_MOLE
    made = (
        replace(
            one,
            lattice=one.lattice * (each * len(one) / one.volume) ** (1 / 3),
            numbers=np.full(len(one), z),
            name=f"{symbol(z)} in {one.name}, relaxed",
        )
        for one in _prototypes()
    )
    return [one for one in made if not room(one).reasons]


@cache
def _prototypes() -> tuple[Crystal, ...]:
    """Primitive cells of AFLOW's prototypes of elements."""
    found = []
    for crystal in load(["aflow-prototypes"])[0]:
        if len(crystal.elements) == 1 and len(cell := reduced_cell(crystal)) <= LARGEST:
            plain = crystal.without_properties()
            found.append(replace(plain, lattice=cell.lattice, frac_coords=cell.frac_coords, numbers=cell.numbers))
    return tuple(found)
