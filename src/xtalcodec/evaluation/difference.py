"""Where two crystals that do not match differ, in a line."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.disorder import TOLERANCE
from xtalcodec.geometry.distances import distances

FEW = 3
"""Sites that are told; of more their number."""
SAME_CELL = 0.01
"""Å: cells whose vectors differ by less are one."""


def difference(original: Crystal, decoded: Crystal) -> str:
    """Say what came back otherwise: the cell, the number of sites, what is on them, or where they are.

    Parameters
    ----------
    original, decoded
        Where their cells are one, sites are paired such that their distances sum to the least.
    """
    if np.abs(original.lattice - decoded.lattice).max() > SAME_CELL:
        return "another cell came back"
    if len(original) != len(decoded):
        return f"{len(decoded)} sites came back, not {len(original)}"
    far = distances(original.frac_coords, decoded.frac_coords, original.lattice)
    sites, partners = linear_sum_assignment(far)
    wrong = np.flatnonzero(np.abs(original.shares() - decoded.shares()[partners]).max(1) > TOLERANCE).tolist()
    told = [f"{original.label(k)} of site {k} came back as {decoded.label(int(partners[k]))}" for k in wrong]
    if told:
        return "; ".join(told[:FEW]) + (f"; and {len(told) - FEW} more sites" if len(told) > FEW else "")
    return f"its sites are up to {far[sites, partners].max():.2f} Å off"
