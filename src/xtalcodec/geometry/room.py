"""Room of atoms: how near the nearest two are by their covalent radii, and the volume that each has."""

from dataclasses import dataclass

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.elements import radii, symbol
from xtalcodec.geometry.neighbours import neighbours

CLOSEST = 0.5
"""Least distance of two atoms over the sum of their covalent radii (Cordero et al. 2008); a bond has about 1."""

VOLUME = (4.0, 150.0)
"""Å³ per atom: diamond has 5.7, caesium 115."""

FAR = 2.0
"""Distances are looked for up to so many sums of radii."""


@dataclass(frozen=True, slots=True)
class Room:
    """What room the atoms of a crystal have."""

    closest: float
    """Smallest distance of two atoms over the sum of their covalent radii; `FAR` where none is nearer."""
    reasons: tuple[str, ...]
    """What is wrong with it; empty where atoms are apart and have room."""


def room(crystal: Crystal) -> Room:
    """Look whether atoms are apart by `CLOSEST` and have `VOLUME`."""
    ratio, pair, distance = closest(crystal)
    volume = crystal.volume / len(crystal)
    reasons = []
    if ratio <= CLOSEST:
        reasons.append(f"{pair} {distance:.2f} Å apart, {ratio:.2f} of the sum of their radii")
    if not VOLUME[0] <= volume <= VOLUME[1]:
        reasons.append(f"{volume:.3g} Å³ per atom")
    return Room(ratio, tuple(reasons))


def closest(crystal: Crystal) -> tuple[float, str, float]:
    """Return the two atoms nearest to each other by the sum of their covalent radii, images included.

    Returns
    -------
    distance over sum of radii (at most `FAR`), names of the two (a–b), distance in Å.
    """
    size = radii(crystal.numbers)
    near = neighbours(crystal, 2 * FAR * float(size.max()))
    ratio = near.distance / (size[near.site] + size[near.other])
    if not len(ratio) or ratio.min() >= FAR:
        return FAR, "", float("inf")
    k = int(ratio.argmin())
    pair = "–".join(symbol(int(z)) for z in sorted(crystal.numbers[[near.site[k], near.other[k]]]))
    return float(ratio[k]), pair, float(near.distance[k])
