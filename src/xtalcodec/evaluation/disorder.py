"""Disordered crystals compared: places by StructureMatcher, and what is on them within a tolerance."""

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.distances import distances

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher

TOLERANCE = 0.1
"""Sites are alike where the occupancy of no element differs by more."""


@cache
def disordered_matcher(stol: float, angle_tol: float, ltol: float) -> "StructureMatcher":
    """Make a matcher of structures whose sites are alike within `TOLERANCE`.

    Cells are compared as they are: what counts as a smaller cell would depend on the last digit of occupancies.

    Parameters
    ----------
    stol, angle_tol, ltol
        Tolerances of StructureMatcher: of sites over (V/N)^(1/3), of angles in degrees, of lengths as a share.
    """
    from pymatgen.analysis.structure_matcher import AbstractComparator, StructureMatcher

    class AlikeWithin(AbstractComparator):
        """Compares the occupancies of two sites."""

        def are_equal(self, sp1: Any, sp2: Any) -> bool:
            """Whether two sites are alike."""
            return all(abs(sp1[element] - sp2[element]) <= TOLERANCE for element in {*sp1, *sp2})

        def get_hash(self, composition: Any) -> str:  # noqa: ARG002
            """Any composition may match any: sites decide."""
            return ""

    return StructureMatcher(primitive_cell=False, comparator=AlikeWithin(), stol=stol, angle_tol=angle_tol, ltol=ltol)


def partners(original: Crystal, decoded: Crystal) -> tuple[Int[np.ndarray, " sites"], Float[np.ndarray, " sites"]]:
    """Pair the sites of two crystals of one cell, as many of each, such that their distances sum to the least.

    Returns
    -------
    The decoded site of each original one, and how far it is, in Å.
    """
    far = distances(original.frac_coords, decoded.frac_coords, original.lattice)
    sites, found = linear_sum_assignment(far)
    return found, far[sites, found]


def occupancy_error(original: Crystal, decoded: Crystal) -> float | None:
    """Mean difference of an occupancy over the elements on the original's shared sites, each against its nearest.

    Sites are paired one to one such that their distances sum to the least; both crystals are in one cell.

    Returns
    -------
    0 to 1; None for an ordered original, or another number of sites.
    """
    if original.occupancies is None or len(original) != len(decoded):
        return None
    true, found = original.occupancies, decoded.shares()[partners(original, decoded)[0]]
    shared = true.max(1) < 1
    counts = ((true > 0) | (found > 0))[shared, 1:]
    return float(abs(true - found)[shared, 1:][counts].mean())
