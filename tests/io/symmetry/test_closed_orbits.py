"""Pairs of near places against a double loop; symmetry of many sites in little time and memory."""

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.geometry.images import minimum_image
from xtalcodec.io.symmetry.operations import from_triplets
from xtalcodec.io.symmetry.orbits import closed_under, pairs_within


@given(st.integers(1, 15), st.integers(1, 15), st.floats(0.01, 2.5), st.integers(0, 2**32 - 1))
def test_near_pairs_are_those_of_a_double_loop(n, m, distance, seed):
    rng = np.random.default_rng(seed)
    lattice, places, among = 4 * np.eye(3) + rng.random((3, 3)), rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    one, other, apart = pairs_within(distance, places, among, lattice)
    want = np.linalg.norm(minimum_image(places[:, None] - among) @ lattice, axis=-1)
    assert sorted(np.stack([one, other], axis=1).tolist()) == np.argwhere(want < distance).tolist()
    np.testing.assert_allclose(apart, want[one, other])


def test_sites_have_the_symmetry_or_not():
    inversion = from_triplets(["x,y,z", "-x,-y,-z"])
    places, lattice = np.array([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]]), 5 * np.eye(3)
    assert closed_under(places, np.array([8, 8]), inversion, lattice)
    assert not closed_under(places, np.array([8, 9]), inversion, lattice)
    assert not closed_under(places + 0.02, np.array([8, 8]), inversion, lattice)
    assert closed_under(places + 0.005, np.array([8, 8]), inversion, lattice)


def test_thousands_of_sites_take_no_minute():
    from pymatgen.symmetry.groups import SpaceGroup

    operations = from_triplets([op.as_xyz_str() for op in SpaceGroup("Fm-3m").symmetry_ops])
    grid = np.stack(np.meshgrid(*[np.arange(12)] * 3), -1).reshape(-1, 3) / 12
    start = time.perf_counter()
    assert closed_under(grid, np.full(len(grid), 11), operations, 36 * np.eye(3))
    assert time.perf_counter() - start < 15
