"""Which atom of one crystal becomes which of another on cells that correspond, and where the second's origin is."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from xtalcodec.crystal import HEAVIEST, Crystal
from xtalcodec.geometry.elements import group
from xtalcodec.geometry.images import minimum_image

SPECIES_FIRST = 1e6
"""Å² that an atom moves rather than become another element."""

UNLIKE = 0.01
"""Of a change of element, what the distance in the periodic table counts: it never outweighs a change."""

ORIGINS = 24
"""Of all origins, so many are tried in earnest."""

ROUNDS = 6
"""Assignments from one origin, each followed by a better origin, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """Atoms of two cells, one to one."""

    partner: Int[np.ndarray, " sites"]
    """Of each site of the first, the site of the second that it becomes."""
    moved: Float[np.ndarray, "sites 3"]
    """How far it moves, in fractions of the cell; on average not at all."""
    displacement: float
    """Root mean square of that, Å."""


class Species(NamedTuple):
    """What it takes to make the sites of one cell those of another, without their places."""

    cost: Float[np.ndarray, "sites sites"]
    """Share of the site that becomes another element, and a little for one that is unlike."""
    rare: Bool[np.ndarray, "sites sites"]
    """Pairs of the kinds of which there are fewest: they show where origins may be."""
    changes: float
    """Atoms that become another element, at least."""


def species(a: Crystal, b: Crystal) -> Species:
    """Compare the sites of two cells of the same number of sites.

    Of elements that have to change, those near each other in the periodic table are paired: a metal stays one.
    """
    shares = a.shares(), b.shares()
    change = 1 - np.minimum(shares[0][:, None], shares[1][None]).sum(-1)
    columns = np.array([group(z) for z in range(1, HEAVIEST + 1)])
    groups = [table[:, 1:] @ columns / table[:, 1:].sum(1) for table in shares]
    cost = change + UNLIKE / 18 * abs(groups[0][:, None] - groups[1])
    pairs = linear_sum_assignment(cost)
    kinds = np.stack([a.site_kinds()[pairs[0]], b.site_kinds()[pairs[1]]])
    which, count = np.unique(kinds, axis=1, return_counts=True)
    fewest = which[:, count == count.min()]
    rare = (a.site_kinds()[:, None, None] == fewest[0]) & (b.site_kinds()[:, None] == fewest[1])
    return Species(cost, rare.any(-1), float(change[pairs].sum()))


def paired(
    a: Float[np.ndarray, "sites 3"],
    b: Float[np.ndarray, "sites 3"],
    cell: Float[np.ndarray, "3 3"],
    known: Species,
    primitive: tuple[int, int],
) -> Pairing:
    """Find origin and partners so that species change least, and then atoms move least.

    (1) Origins that put an atom of a rare kind on one of its like are ranked by the distances of all atoms to the
    nearest that they may become; (2) from the best, atoms are paired by optimal assignment and the mean displacement
    becomes nothing, in turns.

    Parameters
    ----------
    a, b
        Fractional coordinates of the sites.
    cell
        Reduced cell in which distances are measured, rows in Å.
    known
        What `species` says of the sites, in the same order.
    primitive
        Sites at the beginning of a and of b that are not images of each other.
    """
    first, second = np.nonzero(known.rare[: primitive[0], : primitive[1]])
    shifts = a[first] - b[second]
    best: Pairing | None = None
    for k in np.argsort(_bounds(a, b, cell, known, shifts).round(9), kind="stable")[:ORIGINS]:
        found = _descend(a, b + shifts[k], cell, known)
        if best is None or found.displacement < best.displacement - 1e-9:
            best = found
    assert best is not None  # noqa: S101 - a rare kind has at least one atom
    return best


def _bounds(
    a: Float[np.ndarray, "sites 3"],
    b: Float[np.ndarray, "sites 3"],
    cell: Float[np.ndarray, "3 3"],
    known: Species,
    shifts: Float[np.ndarray, "origins 3"],
) -> Float[np.ndarray, " origins"]:
    """Least sum of squared distances that an assignment from each origin could have, Å²."""
    allowed = known.cost <= known.cost.min(1, keepdims=True) + 1e-9
    allowed |= known.cost <= known.cost.min(0, keepdims=True) + 1e-9
    bounds = []
    for shift in shifts:
        apart = minimum_image(b + shift - a[:, None]) @ cell
        square = np.where(allowed, (apart**2).sum(-1), np.inf)
        bounds.append(max(square.min(1).sum(), square.min(0).sum()))
    return np.array(bounds)


def _descend(
    a: Float[np.ndarray, "sites 3"], b: Float[np.ndarray, "sites 3"], cell: Float[np.ndarray, "3 3"], known: Species
) -> Pairing:
    """Pair the atoms and take the mean displacement away, until the pairs stay."""
    partner = np.full(len(a), -1)
    for _ in range(ROUNDS):
        apart = minimum_image(b - a[:, None])
        square = ((apart @ cell) ** 2).sum(-1)
        _, column = linear_sum_assignment(SPECIES_FIRST * known.cost + square)
        moved = apart[np.arange(len(a)), column]
        same, partner = bool((column == partner).all()), column
        if same:
            break
        b = b - moved.mean(0)
    moved = shortest(moved - moved.mean(0), cell)
    moved = moved - moved.mean(0)
    return Pairing(partner, moved, float(np.sqrt(((moved @ cell) ** 2).sum(1).mean())))


def shortest(apart: Float[np.ndarray, "pairs 3"], cell: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "pairs 3"]:
    """Differences of fractional coordinates, each the shortest of its images in a reduced cell."""
    images = minimum_image(apart)[:, None] + np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3), -1).reshape(-1, 3)
    nearest = np.round(((images @ cell) ** 2).sum(-1), 9).argmin(1)
    best: Float[np.ndarray, "pairs 3"] = images[np.arange(len(apart)), nearest]
    return best
