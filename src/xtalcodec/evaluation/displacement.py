"""How far two crystals are apart, by pymatgen's StructureMatcher with the tolerances of CDVAE's protocol.

The matcher goes through all cells of one crystal that look like the cell of the other, through all translations that
put one site on another, and keeps the pairing with the smallest root mean square. Here the same is done with
pymatgen's own functions, less what is proven not to change the answer:

- Different ratios of elements, or numbers of sites in the primitive cells, never match.
- Where the numbers of sites of the elements have no common divisor, the cell is primitive.
- A pairing with a root mean square below one that is known has, with one site put on its partner, no site further off
  than √(2N) times that (two displacements differ by no more than √2 times the root of the sum of all squares). A
  cell for which no translation brings every site so near a partner is passed over.
"""

from math import gcd
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.disorder import disordered_matcher
from xtalcodec.io.read import quiet

if TYPE_CHECKING:
    from pymatgen.core import Lattice

STOL, ANGLE_TOL, LTOL = 0.5, 10.0, 0.3
"""Site tolerance over (V/N)^(1/3), angle tolerance in degrees, relative length tolerance (Xie et al. 2022)."""

_ENOUGH = 1e-5
"""The matcher is content with the first pairing below this root mean square."""
_ROUNDING = 1e-6
"""Relative; room for rounding in what is proven."""


class Displacement(NamedTuple):
    """Displacements of the sites of two crystals that match, over (V/N)^(1/3)."""

    rms: float
    """Root mean square."""
    largest: float
    """Of the site that is farthest off."""


class Cell(NamedTuple):
    """A primitive cell."""

    lattice: "Lattice"
    frac_coords: Float[np.ndarray, "sites 3"]
    numbers: Int[np.ndarray, " sites"]


class Pairing(NamedTuple):
    """What it takes to pair the sites of two cells."""

    second: Float[np.ndarray, "sites 3"]
    """Fractional coordinates of the second crystal."""
    apart: Int[np.ndarray, "sites sites"]
    """1 where a site of the second (row) and one of the first (column) are of different elements."""
    anchor: int
    """A site of the second, of the rarest element."""
    partners: Int[np.ndarray, " partners"]
    """Sites of the first that it may lie on."""


def rms_displacement(a: Crystal, b: Crystal) -> float | None:
    """Normalised RMS displacement of two crystals; None where they do not match."""
    found = displacement(a, b)
    return None if found is None else found.rms


def displacement(a: Crystal, b: Crystal) -> Displacement | None:
    """Return how far the sites of two crystals are apart; None where StructureMatcher finds no match.

    Sites of disordered crystals are alike where their occupancies are within `disorder.TOLERANCE`.
    """
    if not (a.is_ordered and b.is_ordered):
        with quiet():  # noble gases have no electronegativity to sort the elements of a site by
            found = disordered_matcher(STOL, ANGLE_TOL, LTOL).get_rms_dist(a.to_pymatgen(), b.to_pymatgen())
        return None if found is None else Displacement(float(found[0]), float(found[1]))
    if not _same_ratios(a.numbers, b.numbers):
        return None
    first, second = _primitive(a), _primitive(b)
    if len(first.numbers) != len(second.numbers):
        return None
    ratio = (second.lattice.volume / first.lattice.volume) ** (1 / 6)
    first, second = _scaled(first, ratio), _scaled(second, 1 / ratio)
    different = second.numbers[:, None] != first.numbers
    anchor = int(np.argmax(different.sum(1)))
    pairing = Pairing(second.frac_coords, different.astype(np.int64), anchor, np.flatnonzero(~different[anchor]))
    return _best(first, second.lattice, pairing)


def _same_ratios(a: Int[np.ndarray, " sites"], b: Int[np.ndarray, " others"]) -> bool:
    """Tell whether two crystals have the same elements in the same ratio."""
    (elements, counts), (others, other_counts) = np.unique(a, return_counts=True), np.unique(b, return_counts=True)
    return np.array_equal(elements, others) and np.array_equal(counts * len(b), other_counts * len(a))


def _primitive(crystal: Crystal) -> Cell:
    """Return the crystal's Niggli cell, and where that may not be primitive, the primitive cell in it."""
    from pymatgen.core import Lattice

    lattice, frac_coords, numbers = Lattice(crystal.lattice), np.array(crystal.frac_coords), crystal.numbers
    if gcd(*np.unique(numbers, return_counts=True)[1].tolist()) > 1:
        structure = crystal.to_pymatgen().get_reduced_structure().get_primitive_structure()
        return Cell(structure.lattice, structure.frac_coords, np.array(structure.atomic_numbers))
    reduced = lattice.get_niggli_reduced_lattice()
    if reduced != lattice:
        frac_coords = np.mod(reduced.get_fractional_coords(lattice.get_cartesian_coords(frac_coords)), 1)
    return Cell(reduced if reduced != lattice else lattice, frac_coords, numbers)


def _scaled(cell: Cell, ratio: float) -> Cell:
    from pymatgen.core import Lattice

    return cell._replace(lattice=Lattice(cell.lattice.matrix * ratio))


def _best(first: Cell, target: "Lattice", pairing: Pairing) -> Displacement | None:
    """Return the pairing with the smallest root mean square over all cells and translations, if that is a match."""
    cells = [
        (cell, scale)
        for cell, _, scale in first.lattice.find_all_mappings(
            target, ltol=LTOL, atol=ANGLE_TOL, skip_rotation_matrix=True
        )
        if abs(abs(np.linalg.det(scale)) - 1) < 0.5
    ]
    if not cells:
        return None
    bases = np.array([cell.matrix for cell, _ in cells])
    places = first.lattice.get_cartesian_coords(first.frac_coords) @ np.linalg.inv(bases)
    places -= np.floor(places)
    reach = _fractional_reach(bases, target, len(pairing.apart))
    below = STOL
    best: Displacement | None = None
    # Where both crystals are given in one cell, that cell shows at once that most others are worse.
    for k in [k for k, (_, scale) in enumerate(cells) if (scale == np.eye(3)).all()]:
        known = _in_cell(places[k], _mean(cells[k][0], target), pairing)
        below = min(below, max(known.rms, _ENOUGH)) if known else below
    for k, (cell, _) in enumerate(cells):
        if not _may_be_below(places[k], pairing, below * reach[k]):
            continue
        found = _in_cell(places[k], _mean(cell, target), pairing)
        if found and (best is None or found.rms < best.rms):
            best = found
            if best.rms < _ENOUGH:
                break
            below = min(below, best.rms)
    return best if best and best.rms < STOL else None


def _fractional_reach(
    bases: Float[np.ndarray, "cells 3 3"], target: "Lattice", sites: int
) -> Float[np.ndarray, "cells 3"]:
    """Return, along each axis of the mean cells, how far the sites of a pairing may be off for each unit of its rms.

    That is √(2N) (V/N)^(1/3) over the distances of the lattice planes, and a little for rounding; infinite for a cell
    that is no cell.
    """
    lengths = (np.linalg.norm(bases, axis=2) + target.lengths) / 2
    turned = np.einsum("kid,kjd->kij", bases, bases) / np.einsum("ki,kj->kij", *2 * [np.linalg.norm(bases, axis=2)])
    angles = np.degrees(np.arccos(np.clip(turned[:, [1, 0, 0], [2, 2, 1]], -1, 1)))
    cosines = np.cos(np.radians((angles + target.angles) / 2))
    metric = np.ones((len(bases), 3, 3))
    metric[:, [1, 0, 0], [2, 2, 1]] = metric[:, [2, 2, 1], [1, 0, 0]] = cosines
    metric *= lengths[:, :, None] * lengths[:, None]
    squared = np.linalg.det(metric)
    sound = squared > 1e-6
    metric[~sound] = np.eye(3)
    per_angstrom = np.sqrt(np.linalg.inv(metric)[:, [0, 1, 2], [0, 1, 2]])
    longest = np.sqrt(2 * sites) * (np.sqrt(squared.clip(min=0)) / sites) ** (1 / 3)
    return np.where(sound[:, None], longest[:, None] * per_angstrom * (1 + _ROUNDING), np.inf)


def _mean(cell: "Lattice", target: "Lattice") -> "Lattice":
    from pymatgen.core import Lattice

    return Lattice.from_parameters(*(np.array(cell.parameters) + np.array(target.parameters)) / 2)


def _may_be_below(places: Float[np.ndarray, "sites 3"], pairing: Pairing, reach: Float[np.ndarray, "3"]) -> bool:
    """Tell whether a translation brings every site within reach of a partner: without one no pairing is so near."""
    from pymatgen.util.coord_cython import is_coord_subset_pbc

    moves = places[pairing.partners] - pairing.second[pairing.anchor]
    reach = reach + _ROUNDING
    return any(is_coord_subset_pbc(pairing.second + move, places, reach, pairing.apart) for move in moves)


def _in_cell(places: Float[np.ndarray, "sites 3"], mean: "Lattice", pairing: Pairing) -> Displacement | None:
    """Return the nearest pairing of all translations in one cell, by the steps of the matcher."""
    from pymatgen.util.coord_cython import is_coord_subset_pbc, pbc_shortest_vectors
    from scipy.optimize import linear_sum_assignment

    per_length = (len(places) / mean.volume) ** (1 / 3)
    tolerance = np.array(mean.reciprocal_lattice.abc) * STOL / (np.pi * per_length)
    best = None
    for move in places[pairing.partners] - pairing.second[pairing.anchor]:
        moved = pairing.second + move
        if not is_coord_subset_pbc(moved, places, tolerance, pairing.apart):
            continue
        reduced = np.array(mean.get_lll_reduced_lattice().reciprocal_lattice.abc) * STOL / (np.pi * per_length)
        vectors, squares = pbc_shortest_vectors(
            mean, moved, places, pairing.apart, return_d2=True, lll_frac_tol=reduced
        )
        rows, columns = linear_sum_assignment(squares)
        apart = vectors[rows, columns] - vectors[rows, columns].mean(0)
        distances = (apart**2).sum(1) ** 0.5 * per_length
        found = Displacement(float(np.linalg.norm(distances) / len(distances) ** 0.5), float(distances.max()))
        if best is None or found.rms < best.rms:
            best = found
            if best.rms < _ENOUGH:
                break
    return best
