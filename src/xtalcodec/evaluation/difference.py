"""Where two crystals differ, in a line."""

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.disorder import TOLERANCE, partners
from xtalcodec.geometry.elements import symbol

FEW = 3
"""Sites that are told; of more their number."""
SAME_CELL = 0.01
"""Å: cells whose vectors differ by less are one."""


def other_elements(original: Crystal, decoded: Crystal) -> str:
    """Say which elements came back that were not there, and which did not; empty where they are the same."""
    had, has = set(original.elements), set(decoded.elements)
    new, lost = (", ".join(symbol(z) for z in sorted(some)) for some in (has - had, had - has))
    return "; ".join([f"{new} came back too"] * bool(new) + [f"{lost} did not come back"] * bool(lost))


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
    found, far = partners(original, decoded)
    wrong = np.flatnonzero(np.abs(original.shares() - decoded.shares()[found]).max(1) > TOLERANCE).tolist()
    told = [f"{original.label(k)} of site {k} came back as {decoded.label(int(found[k]))}" for k in wrong]
    if told:
        return "; ".join(told[:FEW]) + (f"; and {len(told) - FEW} more sites" if len(told) > FEW else "")
    return f"its sites are up to {far.max():.2f} Å off"
