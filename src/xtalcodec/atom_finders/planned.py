"""Which places hold which atoms, where it is known how many of each element there are."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

Holding = Mapping[int, int]
"""Atoms of a cell: atomic number and how many."""


def assigned(
    which: Int[np.ndarray, " places"],
    likeness: Float[np.ndarray, " places"],
    probability: Float[np.ndarray, "places z"],
    holding: Sequence[Holding],
) -> tuple[Int[np.ndarray, " atoms"], Int[np.ndarray, " atoms"]]:
    """Give every atom of each crystal a place of its own, so that the product of what speaks for them is largest.

    An assignment problem (Kuhn 1955), solved exactly. Where there are fewer places than atoms, some atoms go without.

    Parameters
    ----------
    which
        The crystal of each place, ascending.
    likeness
        0 to 1: how well each place looks like an atom.
    probability
        Of each element there, by Z.
    holding
        Atoms of each crystal.

    Returns
    -------
    kept
        Places that got an atom, ascending.
    numbers
        Atomic number of each.
    """
    tiny = np.finfo(np.float64).tiny
    kept, numbers = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for crystal, own in enumerate(holding):
        places = np.flatnonzero(which == crystal)
        atoms = np.repeat([*own], [*own.values()]).astype(np.int64)
        speaks = likeness[places, None] * probability[places][:, atoms]
        place, atom = linear_sum_assignment(np.log(speaks.clip(tiny)), maximize=True)
        kept.append(places[place])  # rows of an assignment ascend
        numbers.append(atoms[atom])
    return np.concatenate(kept), np.concatenate(numbers)
