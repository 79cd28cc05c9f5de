"""Whether StructureMatcher finds two crystals the same, by its own steps on reduced cells.

The matcher (pymatgen, Ong et al. 2013) scales both primitive cells to one volume, goes through all cells of the first
that look like the cell of the second, and through all translations that put one site on another of its element; the
crystals are the same where an assignment of sites leaves none further off than `stol`. All cells and translations are
looked at together here, and most are left out soon:

- Vectors of the first lattice that are `ltol` longer than those of the second at most, and independent as these are,
  cannot be shorter than its own shortest ones.
- Sites that are less than `stol` off their mean shift are less than twice that off where one of them is put in place.
- Where the nearest partners of all sites are different ones, they are the best assignment.

Cells that are no wider than the tolerances are left to pymatgen's own functions. That the verdicts are the matcher's is
measured (`benchmarks/duplicates.py`).
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from xtalcodec.evaluation.reduced_cells import ReducedCell, angles
from xtalcodec.geometry.images import minimum_image

_ROUNDING = 1e-9
_TOGETHER = 1_000_000
"""Pairs of sites that are looked at together."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """What StructureMatcher is told; its own defaults."""

    stol: float = 0.3
    """Of sites, over (V/N)^(1/3)."""
    angle_tol: float = 5.0
    """Of angles, in degrees."""
    ltol: float = 0.2
    """Of lengths, as a share."""


class Means(NamedTuple):
    """Cells whose lengths and angles are half-way from some cells of one crystal to the cell of another."""

    lengths: Float[np.ndarray, "cells 3"]
    angles: Float[np.ndarray, "cells 3"]
    metric: Float[np.ndarray, "cells 3 3"]
    """Products of the cell vectors."""
    per_length: Float[np.ndarray, " cells"]
    """(N/V)^(1/3)."""
    reach: Float[np.ndarray, "cells 3"]
    """Along each axis, twice the tolerance of sites."""
    farthest: Float[np.ndarray, " cells"]
    """Square of twice the tolerance of sites."""


def same(first: ReducedCell, second: ReducedCell, tolerances: Tolerances) -> bool:
    """Whether StructureMatcher, given these tolerances, fits the second crystal to the first.

    Parameters
    ----------
    first, second
        The matcher is not quite symmetric: cells of the first are looked for.
    tolerances
        Of lengths, angles and sites.
    """
    if first.counts != second.counts or not may_be_same(first.lengths[None], second.lengths, tolerances)[0]:
        return False
    scales = _mappings(first, second, tolerances)
    if not len(scales):
        return False
    places = first.frac_coords @ np.round(np.linalg.inv(scales))
    places -= np.floor(places)
    means = _means(scales @ first.lattice, second, tolerances.stol)
    partners = first.sites_of[int(second.numbers[second.anchor])]
    moves = (places[:, partners] - second.frac_coords[second.anchor]).reshape(-1, 3)
    cells = np.repeat(np.arange(len(scales)), len(partners))
    for z in second.sites_of:
        cells, moves = _kept(cells, moves, places[:, first.sites_of[z]], second.frac_coords[second.sites_of[z]], means)
    return any(
        _fits(places[cell], second.frac_coords + move, first, second, Means(*(one[cell] for one in means)), tolerances)
        for cell, move in zip(cells, moves, strict=True)
    )


def may_be_same(
    first: Float[np.ndarray, "cells 3"], second: Float[np.ndarray, "3"], tolerances: Tolerances
) -> Bool[np.ndarray, " cells"]:
    """Which reduced cells have no length that is too long for another one's, all scaled to one volume per site.

    Parameters
    ----------
    first, second
        Lengths.
    tolerances
        Of lengths.
    """
    longest = np.sort(second) * (1 + tolerances.ltol) + _ROUNDING
    return np.all(np.sort(first, axis=1) < longest, axis=1)


def _mappings(first: ReducedCell, second: ReducedCell, tolerances: Tolerances) -> Int[np.ndarray, "cells 3 3"]:
    """All cells of the first lattice that look like the second cell, in units of the first."""
    whole, directions, lengths = first.vectors(second.lengths.max() * (1 + tolerances.ltol) + _ROUNDING)
    more = 1 + tolerances.ltol
    a, b, c = (slice(*np.searchsorted(lengths, [length / more, length * more])) for length in second.lengths)
    widest = np.cos(np.radians(np.minimum(second.angles + tolerances.angle_tol, 180))) - _ROUNDING
    narrowest = np.cos(np.radians(np.maximum(second.angles - tolerances.angle_tol, 0))) + _ROUNDING

    def alike(one: slice, other: slice, angle: int) -> Bool[np.ndarray, "n m"]:
        cosines = directions[one] @ directions[other].T
        return (cosines >= widest[angle]) & (cosines <= narrowest[angle])

    i, j = np.nonzero(alike(a, b, 2))
    pair, k = np.nonzero(alike(a, c, 1)[i] & alike(b, c, 0)[j])
    scales = np.stack([whole[a][i[pair]], whole[b][j[pair]], whole[c][k]], 1)
    return scales[np.abs(np.abs(np.linalg.det(scales)) - 1) < 0.5]


def _means(bases: Float[np.ndarray, "cells 3 3"], second: ReducedCell, stol: float) -> Means:
    """Cells half-way to that of the second crystal."""
    products = bases @ bases.transpose(0, 2, 1)
    lengths = (np.sqrt(np.diagonal(products, axis1=1, axis2=2)) + second.lengths) / 2
    turned = (angles(products) + second.angles) / 2
    metric = np.ones((len(bases), 3, 3))
    metric[:, [1, 0, 0], [2, 2, 1]] = metric[:, [2, 2, 1], [1, 0, 0]] = np.cos(np.radians(turned))
    metric *= lengths[:, :, None] * lengths[:, None]
    per_length = (len(second) / np.sqrt(np.linalg.det(metric))) ** (1 / 3)
    farthest = 2 * stol / per_length
    per_spacing = np.sqrt(np.diagonal(np.linalg.inv(metric), axis1=1, axis2=2))
    return Means(lengths, turned, metric, per_length, farthest[:, None] * per_spacing, farthest**2)


def _kept(
    cells: Int[np.ndarray, " n"],
    moves: Float[np.ndarray, "n 3"],
    places: Float[np.ndarray, "cells k 3"],
    sites: Float[np.ndarray, "k 3"],
    means: Means,
) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m 3"]]:
    """Leave out the cells and translations where a site of one element has no partner in reach.

    Parameters
    ----------
    cells, moves
        Translations, and the cell that each is in.
    places, sites
        Sites of the first crystal, in each cell, and of the second.
    means
        Mean cells.
    """
    start, length, images = 0, 1, _images(means.reach)
    while start < len(sites) and len(cells):
        length = max(1, min(length, _TOGETHER // (len(cells) * len(sites) * len(images))))
        some = sites[start : start + length]
        apart = some + moves[:, None]
        apart = minimum_image(apart[:, :, None] - places[cells][:, None])
        near = np.zeros(apart.shape[:3], dtype=bool)
        for image in images:
            square = _squares(apart + image, means.metric[cells])
            near |= square < means.farthest[cells][:, None, None] + _ROUNDING
        kept = (near.any(2) | (means.reach[cells] >= 1).any(1)[:, None]).all(1)
        cells, moves = cells[kept], moves[kept]
        start, length = start + length, 2 * length
    return cells, moves


def _images(reach: Float[np.ndarray, "cells 3"]) -> Float[np.ndarray, "images 3"]:
    """Cells to look for partners in beside the nearest; within half a cell along every axis no image is nearer."""
    along = [(-1, 0, 1) if widest >= 0.5 else (0,) for widest in reach.max(0)]
    return np.array(list(product(*along)), dtype=float)


def _squares(
    apart: Float[np.ndarray, "*cells n m 3"], metric: Float[np.ndarray, "*cells 3 3"]
) -> Float[np.ndarray, "*cells n m"]:
    """Squares of the lengths of differences of fractional coordinates."""
    return np.einsum("...x,...x->...", apart @ metric[..., None, :, :], apart)


def _fits(
    places: Float[np.ndarray, "sites 3"],
    moved: Float[np.ndarray, "sites 3"],
    first: ReducedCell,
    second: ReducedCell,
    mean: Means,
    tolerances: Tolerances,
) -> bool:
    """Whether the assignment with the least sum of squares leaves no site too far off.

    Parameters
    ----------
    places, moved
        Sites of the two crystals in one cell.
    first, second
        Their elements.
    mean
        The cell that distances are taken in.
    tolerances
        Of sites.
    """
    from scipy.optimize import linear_sum_assignment

    if (mean.reach >= 0.5).any():
        return _assigned(places, moved, first, second, mean, tolerances.stol)
    apart = np.zeros((len(moved), 3))
    for z, mine in second.sites_of.items():
        steps = minimum_image(moved[mine, None] - places[first.sites_of[z]])
        square = _squares(steps, mean.metric)
        partner = square.argmin(1)
        if len({*partner.tolist()}) < len(mine):
            if (square > mean.farthest + _ROUNDING).all(0).any():
                return False
            _, partner = linear_sum_assignment(square)
        apart[mine] = steps[np.arange(len(mine)), partner]
    apart -= apart.mean(0)
    farthest = np.sqrt(np.einsum("nx,nx->n", apart @ mean.metric, apart).max())
    return bool(farthest * mean.per_length < tolerances.stol)


def _assigned(
    places: Float[np.ndarray, "sites 3"],
    moved: Float[np.ndarray, "sites 3"],
    first: ReducedCell,
    second: ReducedCell,
    mean: Means,
    stol: float,
) -> bool:
    """The same by pymatgen's functions, which look at more images, in small cells.

    Parameters
    ----------
    places, moved, first, second, mean
        As of `_fits`.
    stol
        Tolerance of sites.
    """
    from pymatgen.util.coord_cython import is_coord_subset_pbc, pbc_shortest_vectors
    from scipy.optimize import linear_sum_assignment

    lattice, narrow = _lattice((*mean.lengths.tolist(), *mean.angles.tolist()))
    different = (second.numbers[:, None] != first.numbers).astype(np.int64)
    if not is_coord_subset_pbc(moved, places, mean.reach, different):
        return False
    reach = narrow * stol / (np.pi * mean.per_length)
    vectors, squares = pbc_shortest_vectors(lattice, moved, places, different, return_d2=True, lll_frac_tol=reach)
    rows, columns = linear_sum_assignment(squares)
    apart = vectors[rows, columns] - vectors[rows, columns].mean(0)
    return bool(np.sqrt((apart**2).sum(1)).max() * mean.per_length < stol)


@lru_cache(maxsize=256)
def _lattice(parameters: tuple[float, ...]) -> tuple[Any, Float[np.ndarray, "3"]]:
    """A mean cell for pymatgen, and the lengths of its LLL-reduced cell's reciprocal vectors."""
    from pymatgen.core import Lattice

    lattice = Lattice.from_parameters(*parameters)
    return lattice, np.array(lattice.get_lll_reduced_lattice().reciprocal_lattice.abc)
