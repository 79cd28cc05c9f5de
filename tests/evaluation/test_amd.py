"""Average minimum distances against a lattice worked out by hand and against a double loop."""

import itertools

import numpy as np
from hypothesis import given, settings

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.amd import average_minimum_distance
from xtalcodec.testing import crystals


def made(lattice, places, numbers, name="", **more):
    return Crystal(lattice, np.array(places, dtype=float), np.array(numbers), name, **more)


def test_simple_cubic_by_hand():
    found = average_minimum_distance(made(3 * np.eye(3), [[0.1, 0.2, 0.3]], [84]), 26)
    true = 3 * np.sqrt([1] * 6 + [2] * 12 + [3] * 8)
    np.testing.assert_allclose(found, true, atol=1e-9)


@settings(max_examples=15)
@given(crystals(max_sites=4))
def test_a_double_loop_says_the_same(crystal):
    k = 12
    found = average_minimum_distance(crystal, k)
    heights = 1 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    far = int(np.ceil(found.max() * len(crystal) / heights.min())) + 1
    images = np.array(list(itertools.product(range(-min(far, 8), min(far, 8) + 1), repeat=3)))
    inside = crystal.frac_coords % 1
    rows = []
    for site in inside:
        apart = (inside[:, None] + images - site).reshape(-1, 3) @ crystal.lattice
        rows.append(np.sort(np.linalg.norm(apart, axis=1))[1 : k + 1])
    np.testing.assert_allclose(found, np.mean(rows, 0), atol=1e-6)
