"""Rows of a CIF that stand at one place are one site, shared by elements: a mixture, or partly empty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import OVERFULL, VACANCY, Crystal, CrystalError
from xtalcodec.geometry.images import minimum_image
from xtalcodec.io.cif.atoms import Atoms
from xtalcodec.io.symmetry.orbits import pairs_within

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
    rows: list[list[int]]
    """The rows of each place."""
    of_row: Int[np.ndarray, " rows"]
    """The place of each row."""
    occupancies: Float[np.ndarray, " rows"]
    """1 where a row alone on its place is full within its uncertainty, as 0.999(2)."""
    notes: tuple[str, ...]
    """What was assumed."""


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
    one, other, _ = pairs_within(ONE_PLACE, atoms.positions, atoms.positions, lattice)
    partial = atoms.occupancies < 1
    both = partial[one] & partial[other]
    first = np.arange(len(partial))
    np.minimum.at(first, one[both], other[both])
    _, of_row, sizes = np.unique(first, return_inverse=True, return_counts=True)
    rows = np.split(np.argsort(of_row, kind="stable"), np.cumsum(sizes)[:-1])
    labels = [" and ".join(dict.fromkeys(atoms.labels[row] for row in own)) for own in rows]
    full = (sizes[of_row] == 1) & (abs(atoms.occupancies - 1) <= atoms.uncertainties)
    occupancies = np.where(full, 1.0, atoms.occupancies)
    for label, occupancy in zip(atoms.labels, occupancies, strict=True):
        if not 0 < occupancy <= 1:
            raise CrystalError(f"site {label[:30]} has an occupancy of {occupancy:g}")
    for label, own in zip(labels, rows, strict=True):
        total = occupancies[own].sum()
        if total > 1 + OVERFULL * len(own):
            raise CrystalError(f"the occupancies at site {label[:60]} sum to {total:g}")
    mean = [x[0] + minimum_image(x - x[0]).mean(0) for x in (atoms.positions[own] for own in rows)]
    digits = [atoms.digits[own].max(0) for own in rows]
    nearly = [
        f"{atoms.labels[k][:30]} {atoms.occupancies[k]:g}" for k in np.flatnonzero(occupancies != atoms.occupancies)
    ]
    notes = (f"occupancy full within its uncertainty: {', '.join(nearly[:4])}",) if nearly else ()
    return Places(np.array(mean), np.array(digits), labels, [own.tolist() for own in rows], of_row, occupancies, notes)


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
    one, other, distance = pairs_within(SPLIT, crystal.frac_coords[some], crystal.frac_coords, crystal.lattice)
    distance = np.where(some[one] == other, np.inf, distance)
    if (distance < SPLIT).any():
        nearest = int(distance.argmin())
        names = " and ".join(dict.fromkeys((labels[some[one[nearest]]][:30], labels[other[nearest]][:30])))
        raise CrystalError(f"an atom is split over places {distance.min():.2f} Å apart, as near as no two are: {names}")
