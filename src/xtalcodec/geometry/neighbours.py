"""Neighbours of sites, and the shortest distance of two atoms; periodic images included."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.images import wrapped

SAME = 1e-8
"""Å; what is nearer is the site itself."""

ROUNDING = 1e-6
"""By how much a radius is larger, relatively, so that no pair at just that distance is missed."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Pairs of a site and an atom near it, in no order."""

    site: Int[np.ndarray, " pairs"]
    """The site in the middle."""
    other: Int[np.ndarray, " pairs"]
    """The site that the atom is an image of."""
    apart: Float[np.ndarray, "pairs 3"]
    """Å: from the site to the atom."""
    distance: Float[np.ndarray, " pairs"]
    """Å."""


def neighbours(crystal: Crystal, radius: float) -> Neighbours:
    """Return the neighbours of all sites within `radius` Å, by pymatgen's cell lists; no site is its own neighbour."""
    from pymatgen.optimization.neighbors import find_points_in_spheres

    frac_coords = wrapped(crystal.frac_coords)
    lattice = np.ascontiguousarray(crystal.lattice)
    positions = np.ascontiguousarray(frac_coords @ lattice)
    site, other, image, distance = find_points_in_spheres(
        positions, positions, r=radius, pbc=np.ones(3, dtype=np.int64), lattice=lattice, tol=SAME
    )
    keep = (site != other) | (distance > SAME)
    # pymatgen counts in C's long long, which NumPy takes for another type
    site, other, distance = site[keep].astype(np.int64), other[keep].astype(np.int64), distance[keep]
    return Neighbours(site, other, positions[other] + image[keep] @ lattice - positions[site], distance)


def shortest(crystal: Crystal) -> float:
    """Return the shortest distance of two atoms in Å, images included, in any cell.

    Spheres of one size do not fill more of space than packed closely (Hales 2005, Annals of Mathematics 162, 1065), so
    d³ is at most √2 V / N, and there is a pair within that.
    """
    densest = (np.sqrt(2) * crystal.volume / len(crystal)) ** (1 / 3)
    return float(neighbours(crystal, (1 + ROUNDING) * densest).distance.min())
