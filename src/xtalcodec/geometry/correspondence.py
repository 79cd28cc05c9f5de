"""Which cell vectors of one lattice become which of another: pairs of supercells, those that strain least first.

Supercells by Hermite normal forms, their bases reduced and then changed by small unimodular matrices (Stevanović et
al., Phys. Rev. Lett. 116, 075503, 2016). Pairs that symmetry makes the same are one.
"""

from dataclasses import dataclass

import moyopy
import numpy as np
from jaxtyping import Float, Int

from xtalcodec.geometry.alignment import unimodular

CHOSEN = 200
"""Pairs of supercells that are kept."""

AT_ONCE = 2_000_000
"""Pairs of bases that are scored together: 16 MB a table."""

LOWEST = 20_000
"""Of those, so many with the least strain are looked at for symmetry."""

MARKS = np.sqrt(np.array([[2.0, 3, 5], [7, 11, 13], [17, 19, 23]]))
"""Numbers without a rational relation: two integer matrices with the same sum of products are the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Correspondence:
    """Cell vectors of two supercells, each of which becomes the other's of the same row."""

    a: Int[np.ndarray, "3 3"]
    """Rows in cell vectors of the first lattice."""
    b: Int[np.ndarray, "3 3"]
    """Rows in cell vectors of the second."""
    strain: float
    """√Σ ln² λ over the three principal stretches λ that bring one to the other (Hencky 1928): the same from b to a,
    for any basis of both, and for turned cells."""


def hermite_forms(index: int) -> Int[np.ndarray, "forms 3 3"]:
    """All sublattices of an index, each once, by their Hermite normal form: rows in vectors of the lattice."""
    forms = []
    for a in (k for k in range(1, index + 1) if index % k == 0):
        for d in (k for k in range(1, index // a + 1) if index // a % k == 0):
            f = index // a // d
            forms += [[[a, b, c], [0, d, e], [0, 0, f]] for b in range(d) for c in range(f) for e in range(f)]
    return np.array(forms, dtype=np.int64)


def correspondences(
    a: Float[np.ndarray, "3 3"],
    b: Float[np.ndarray, "3 3"],
    indices: tuple[int, int],
    groups: tuple[Int[np.ndarray, "ops_a 3 3"], Int[np.ndarray, "ops_b 3 3"]],
) -> list[Correspondence]:
    """Pairs of supercells of two lattices, least strain first, at most `CHOSEN`.

    (1) All supercells of both are reduced; (2) every basis of one within `unimodular` is laid on every reduced one of
    the other; (3) of those with the least Σ (λ − 1/λ)², which needs no eigenvalues, one is kept of each set that
    the symmetry of the crystals makes the same; (4) what is left is sorted by its strain.

    Parameters
    ----------
    a, b
        Right-handed primitive cells, rows in Å.
    indices
        Cells of a and of b in their supercells.
    groups
        Rotations of the two crystals, which act on rows of integer coordinates from the right.
    """
    first, second = _supercells(a, indices[0]), _supercells(b, indices[1])
    bases = unimodular()
    metric_a, metric_b = _metrics(first @ a), _metrics(second @ b)
    turned = bases[:, None] @ metric_b @ np.swapaxes(bases, 1, 2)[:, None]  # bases b 3 3
    of_b = np.concatenate([turned.reshape(-1, 9), np.linalg.inv(turned).reshape(-1, 9)], 1).T
    of_a = np.concatenate([np.linalg.inv(metric_a).reshape(-1, 9), metric_a.reshape(-1, 9)], 1)
    images = np.einsum("gji,jk,hlk->ghil", groups[0], MARKS, groups[1]).reshape(-1, 9).T
    rows = max(1, AT_ONCE // of_b.shape[1])
    kept = np.zeros((0, 3, 3), dtype=np.int64), np.zeros((0, 3, 3), dtype=np.int64)
    for start in range(0, len(of_a), rows):
        score = (of_a[start : start + rows] @ of_b).ravel()
        lowest = np.argpartition(score, LOWEST)[:LOWEST] if len(score) > LOWEST else np.arange(len(score))
        i, u, j = np.unravel_index(lowest, (len(score) // of_b.shape[1], len(bases), len(second)))
        pairs = np.concatenate([kept[0], first[start + i]]), np.concatenate([kept[1], bases[u] @ second[j]])
        strain = _strains(pairs[0] @ a, pairs[1] @ b)
        # What maps coordinates on a to those on b, an integer matrix, and the largest mark of all its equivalents.
        maps = np.round(indices[0] * np.linalg.solve(pairs[0], pairs[1])).reshape(-1, 9)
        mark = np.round((maps @ images).max(1), 6)
        order = np.lexsort((mark, np.round(strain, 9)))
        _, one = np.unique(mark[order], return_index=True)
        best = order[np.sort(one)[:CHOSEN]]
        kept, strains = (pairs[0][best], pairs[1][best]), strain[best]
    return [Correspondence(p, q, float(s)) for p, q, s in zip(*kept, strains, strict=True)]


def _supercells(lattice: Float[np.ndarray, "3 3"], index: int) -> Int[np.ndarray, "supercells 3 3"]:
    """Reduced bases of all supercells of an index, rows in vectors of the lattice."""
    forms = hermite_forms(index)
    changes = [moyopy.niggli_reduce((form @ lattice).tolist())[1] for form in forms]
    return np.swapaxes(np.array(changes, dtype=np.int64), 1, 2) @ forms


def _metrics(cells: Float[np.ndarray, "cells 3 3"]) -> Float[np.ndarray, "cells 3 3"]:
    """Scalar products of cell vectors."""
    return cells @ np.swapaxes(cells, 1, 2)


def _strains(a: Float[np.ndarray, "cells 3 3"], b: Float[np.ndarray, "cells 3 3"]) -> Float[np.ndarray, " cells"]:
    """Hencky's strains, see `Correspondence`."""
    stretches = np.linalg.svd(np.linalg.solve(a, b), compute_uv=False)
    return np.sqrt((np.log(stretches) ** 2).sum(-1))
