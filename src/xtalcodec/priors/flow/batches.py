"""Which cells are filled together: those of about one size, for a few at a time would be slow."""

import math
from collections.abc import Sequence

from xtalcodec.representations.base import Patches
from xtalcodec.representations.portions import grouped

MIXED = 96
"""Patches of a cell, at most, that is filled beside cells of other grids: attention of larger ones would be mostly of
patches that mean nothing."""
TOGETHER = 768
"""Patches of a batch of several grids, about."""


def batches(grids: Sequence[Patches]) -> list[list[int]]:
    """Divide cells into batches, the largest ones first, and name the rows of each.

    Parameters
    ----------
    grids
        Of each cell.
    """
    sizes = [math.prod(grid) for grid in grids]
    large = [k for k, size in enumerate(sizes) if size > MIXED]
    alone = [[large[k] for k in rows] for _, rows in grouped([grids[k] for k in large])]
    alone.sort(key=lambda rows: -len(rows) * sizes[rows[0]])
    mixed: list[list[int]] = []
    for k in sorted((k for k, size in enumerate(sizes) if size <= MIXED), key=lambda k: (-sizes[k], grids[k])):
        if not mixed or (len(mixed[-1]) + 1) * sizes[mixed[-1][0]] > TOGETHER:
            mixed.append([])
        mixed[-1].append(k)
    return alone + mixed
