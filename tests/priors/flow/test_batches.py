"""Batches of cells: every cell once, large ones beside their own kind alone."""

import math

import hypothesis.strategies as st
from hypothesis import given

from xtalcodec.priors.flow.batches import MIXED, TOGETHER, batches

GRIDS = st.lists(st.tuples(*[st.integers(1, 9)] * 3), max_size=60)


@given(GRIDS)
def test_every_cell_is_in_one_batch(grids):
    found = batches(grids)
    assert sorted(k for rows in found for k in rows) == list(range(len(grids)))
    for rows in found:
        sizes = [math.prod(grids[k]) for k in rows]
        if max(sizes) > MIXED:
            assert len({grids[k] for k in rows}) == 1
        else:
            assert len(rows) * max(sizes) <= max(TOGETHER, *sizes)


def test_the_largest_come_first_and_like_sizes_are_together():
    grids = [(1, 1, 1), (9, 9, 9), (2, 2, 2), (3, 3, 3), (6, 6, 6), (2, 2, 2), (6, 6, 6)]
    assert batches(grids) == [[1], [4, 6], [3, 2, 5, 0]]
