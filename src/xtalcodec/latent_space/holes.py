"""What is taken out of a crystal before it is completed."""

import operator
import re
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.distances import distances
from xtalcodec.geometry.elements import atomic_number, symbol
from xtalcodec.geometry.images import wrapped
from xtalcodec.geometry.niggli import niggli

_RANGE = re.compile(r"(?:([-\d.]+)\s*(<=?)\s*)?([abcxyz])\s*(?:(<=?|>=?)\s*([-\d.]+))?")
_AXES = {"a": 0, "x": 0, "b": 1, "y": 1, "c": 2, "z": 2}
_COMPARE: dict[str, Callable] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def of_species(crystal: Crystal, element: str, what_for: str = "to take out") -> Bool[np.ndarray, " sites"]:
    """Sites of an element.

    Parameters
    ----------
    crystal
        Any.
    element
        Its symbol.
    what_for
        What is to be done with them, for the message where there is none.

    Raises
    ------
    CrystalError
        The crystal has none.
    ValueError
        There is no such element.
    """
    there = crystal.numbers == atomic_number(element)
    if not there.any():
        names = ", ".join(symbol(z) for z in crystal.elements)
        raise CrystalError(f"{crystal.called} has no {element} {what_for}; it has {names}")
    return there


def in_region(crystal: Crystal, region: str) -> Bool[np.ndarray, " sites"]:
    """Sites in a region, such as `0.2<z<0.5`, in fractional coordinates of the cell as given; `x<0.5, z>0.1` for both.

    Between two limits cells go on: `-0.1<z<0.1` has the sites on both sides of the border.

    Raises
    ------
    CrystalError
        No region in the text, or no site in the region.
    """
    inside = np.ones(len(crystal), dtype=bool)
    frac = wrapped(crystal.frac_coords)
    for part in region.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None or (found[2] is None and found[4] is None):
            raise CrystalError(f"{part.strip()!r} is no region: write 0.2<z<0.5, or x>0.5")
        along = frac[:, _AXES[found[3]]]
        try:
            if found[2]:
                low = float(found[1])
                if found[4] in ("<", "<="):  # each site by its first image above the lower limit, or on it with <=
                    along = along - (np.ceil(along - low) - 1 if found[2] == "<" else np.floor(along - low))
                inside &= _COMPARE[found[2]](low, along)
            if found[4]:
                inside &= _COMPARE[found[4]](along, float(found[5]))
        except ValueError as error:
            raise CrystalError(f"{part.strip()!r} is no region: {error}") from error
    if not inside.any():
        raise CrystalError(f"{crystal.called} has no site in {region}")
    return inside


def around(crystal: Crystal, text: str) -> Bool[np.ndarray, " sites"]:
    """Sites near an element, such as `Ti:2.5` for those up to 2.5 Å from a Ti, which stays.

    Raises
    ------
    CrystalError
        Not an element and a distance, or nothing that near.
    """
    element, colon, distance = text.partition(":")
    try:
        reach = float(distance)
    except ValueError:
        reach = -1.0
    if not colon or not reach > 0:
        raise CrystalError(f"{text!r} is no neighbourhood: write element:distance in Å, as in Ti:2.5")
    centres = of_species(crystal, element, "to look around")
    reduced, _ = niggli(crystal)
    far = distances(reduced.frac_coords, reduced.frac_coords[centres], reduced.lattice)
    near = (far.min(1) <= reach) & ~centres
    if not near.any():
        raise CrystalError(f"{crystal.called} has nothing up to {reach:g} Å from its {element}")
    return near
