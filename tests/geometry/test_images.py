"""Images, one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.geometry.images import minimum_image, nearest, wrapped


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.integers(-3, 3))
def test_coordinates_come_into_one_cell(given, cells):
    x = np.array(given)
    inside = wrapped(x + cells)
    assert ((inside >= 0) & (inside < 1)).all()
    assert abs(minimum_image(inside - x)).max() < 1e-12
    assert not wrapped(np.full(3, -1e-20)).any()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_the_nearest_of_many_is_that_of_a_double_loop(n, m, seed):
    rng = np.random.default_rng(seed)
    lattice, places, among = 4 * np.eye(3) + 0.1 * rng.random((3, 3)), rng.random((n, 3)), rng.random((m, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xtalcodec.geometry.images._PAIRS", 3 * m)  # in parts
        distance, index = nearest(places, among, lattice)
    for k, place in enumerate(places):
        all_of_them = [np.linalg.norm(minimum_image(place - other) @ lattice) for other in among]
        assert distance[k] == pytest.approx(min(all_of_them))
        assert all_of_them[index[k]] == pytest.approx(min(all_of_them))
