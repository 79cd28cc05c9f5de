"""What goes through a network together."""

from itertools import pairwise
from math import prod

from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.representations.portions import BATCH_PATCHES, grouped, in_order, shared_out

shapes = st.lists(st.tuples(*[st.integers(1, 20)] * 3), max_size=60)


def complete(parts, count):
    return sorted(k for part in parts for k in part) == list(range(count))


@given(shapes)
def test_groups_have_one_grid_and_fit(given_shapes):
    groups = list(grouped(given_shapes))
    assert complete([rows for _, rows in groups], len(given_shapes))
    for shape, rows in groups:
        assert {given_shapes[k] for k in rows} == {shape}
        assert len(rows) == 1 or len(rows) * prod(shape) <= BATCH_PATCHES


@given(shapes, st.integers(1, 5))
def test_parts_fit_with_equal_grids_together(given_shapes, parts):
    found = list(shared_out(given_shapes, parts))
    assert complete(found, len(given_shapes))
    sizes = [sum(prod(given_shapes[k]) for k in part) for part in found]
    assert all(len(part) == 1 or size <= BATCH_PATCHES for part, size in zip(found, sizes, strict=True))
    in_order = [given_shapes[k] for part in found for k in part]
    changes = sum(one != other for one, other in pairwise(in_order))
    assert changes == max(0, len(set(in_order)) - 1)


@given(st.tuples(*[st.integers(1, 3)] * 3), st.integers(1, 40), st.integers(1, 20))
def test_there_are_parts_for_all_threads(shape, count, parts):
    found = list(shared_out([shape] * count, parts))
    assert len(found) >= min(parts, count)
    assert max(map(len, found)) - min(map(len, found)) <= 1


@given(shapes, st.integers(1, 5))
def test_results_of_parts_come_back_in_order(given_shapes, parts):
    found, told = list(shared_out(given_shapes, parts)), []
    results = ([given_shapes[k] for k in part] for part in found)
    assert in_order(found, results, told.append) == given_shapes
    assert told == [len(part) for part in found]
