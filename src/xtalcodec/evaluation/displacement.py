"""How far two crystals are apart, by pymatgen's StructureMatcher with the tolerances of CDVAE's protocol."""

from typing import NamedTuple

from xtalcodec.crystal import Crystal

STOL, ANGLE_TOL, LTOL = 0.5, 10.0, 0.3
"""Site tolerance over (V/N)^(1/3), angle tolerance in degrees, relative length tolerance (Xie et al. 2022)."""


class Displacement(NamedTuple):
    """Displacements of the sites of two crystals that match, over (V/N)^(1/3)."""

    rms: float
    """Root mean square."""
    largest: float
    """Of the site that is farthest off."""


def displacement(a: Crystal, b: Crystal) -> Displacement | None:
    """Return how far the sites of two crystals are apart; None where StructureMatcher finds no match."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(stol=STOL, angle_tol=ANGLE_TOL, ltol=LTOL)
    result = matcher.get_rms_dist(a.to_pymatgen(), b.to_pymatgen())
    return None if result is None else Displacement(float(result[0]), float(result[1]))


def rms_displacement(a: Crystal, b: Crystal) -> float | None:
    """Normalised RMS displacement of two crystals; None where StructureMatcher finds no match."""
    found = displacement(a, b)
    return None if found is None else found.rms
