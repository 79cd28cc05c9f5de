"""Rows of a CIF that stand at one place are one site, shared by elements: a mixture, or partly empty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import OVERFULL, VACANCY, Crystal, CrystalError
from xtalcodec.io.cif_atoms import Atoms

ONE_PLACE = 0.02
"""Å; rows nearer than this are one place whatever their digits: atoms that share a site are refined on it."""
SPLIT = 0.65
"""Å; no two atoms are so near (H–H: 0.74 Å): partly occupied places nearer than this are one atom, split over both."""


@dataclass(frozen=True, slots=True)
class Places:
    """Places of the asymmetric unit, each with its rows."""

    positions: Float[np.ndarray, "places 3"]
    """Fractional coordinates, the mean of the rows."""
    digits: Float[np.ndarray, "places 3"]
    """How far each coordinate may be off, fractional."""
    labels: list[str]
    """What messages call each place: the labels of its rows."""
    first: list[int]
    """The first row of each place."""
    of_row: Int[np.ndarray, " rows"]
    """The place of each row."""


def places(atoms: Atoms, lattice: Float[np.ndarray, "3 3"]) -> Places:
    """Join the rows that stand at one place.

    Parameters
    ----------
    atoms
        The rows.
    lattice
        Cell vectors, rows in Å.

    Raises
    ------
    CrystalError
        Occupancies of a place that sum to more than 1, or a row whose occupancy is no share.
    """
    for label, occupancy in zip(atoms.labels, atoms.occupancies, strict=True):
        if not 0 < occupancy <= 1:
            raise CrystalError(f"site {label[:30]} has an occupancy of {occupancy:g}")
    away = atoms.positions[:, None] - atoms.positions
    distance = np.linalg.norm((away - np.round(away)) @ lattice, axis=-1)
    partial = atoms.occupancies < 1
    together = (distance < ONE_PLACE) & partial[:, None] & partial
    np.fill_diagonal(together, val=True)
    first = together.argmax(1)
    kept, of_row = np.unique(first, return_inverse=True)
    rows = [np.flatnonzero(of_row == k) for k in range(len(kept))]
    labels = [" and ".join(dict.fromkeys(atoms.labels[row] for row in own)) for own in rows]
    for label, own in zip(labels, rows, strict=True):
        total = atoms.occupancies[own].sum()
        if total > 1 + OVERFULL * len(own):
            raise CrystalError(f"the occupancies at site {label[:60]} sum to {total:g}")
    apart = away - np.round(away)
    mean = [atoms.positions[own[0]] - apart[own[0], own].mean(0) for own in rows]
    digits = [atoms.digits[own].max(0) for own in rows]
    return Places(np.array(mean), np.array(digits), labels, kept.tolist(), of_row)


def check_not_split(crystal: Crystal, labels: Sequence[str]) -> None:
    """Refuse partly empty sites that are nearer to another than two atoms can be; `labels` names the sites.

    Raises
    ------
    CrystalError
        An atom that is split over two places; the message names them.
    """
    if crystal.occupancies is None:
        return
    some = np.flatnonzero(crystal.occupancies[:, VACANCY] > 0)
    away = crystal.frac_coords[some][:, None] - crystal.frac_coords
    distance = np.linalg.norm((away - np.round(away)) @ crystal.lattice, axis=-1)
    distance[np.arange(len(some)), some] = np.inf
    if (distance < SPLIT).any():
        one, other = divmod(int(distance.argmin()), len(crystal))
        names = " and ".join(dict.fromkeys((labels[int(some[one])][:30], labels[other][:30])))
        raise CrystalError(f"an atom is split over places {distance.min():.2f} Å apart, as near as no two are: {names}")
