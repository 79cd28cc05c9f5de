"""Origins: the centre of a crystal is found wherever it was moved to."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.group_on_cell import lay
from xtalcodec.geometry.orbits import onto_symmetry
from xtalcodec.geometry.origins import ALIKE, origins

PEROVSKITE = Crystal(
    4 * np.eye(3),
    np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
    np.array([38, 22, 8, 8, 8]),
)
GROUP = lay(PEROVSKITE.lattice, 221)


@settings(max_examples=20)
@given(st.tuples(*[st.floats(0, 1, exclude_max=True)] * 3))
def test_the_origin_is_found_wherever_it_is(shift):
    moved = PEROVSKITE.translated(np.array(shift))
    (score, at), *_ = origins(moved.frac_coords, moved.numbers, GROUP.ways[0], GROUP.lattice, 3)
    back = moved.translated(-at)
    _, share = onto_symmetry(back.frac_coords, back.numbers, GROUP.ways[0], GROUP.lattice, 0.7)
    assert share == 1
    assert score > 0.85, "but for the grid on which origins are looked for"


def test_on_the_grid_the_share_is_one_and_disorder_lowers_it():
    scores = [origins(PEROVSKITE.frac_coords, PEROVSKITE.numbers, GROUP.ways[0], GROUP.lattice, 1)[0][0]]
    rng = np.random.default_rng(0)
    for size in (0.05, 0.2):
        rough = replace(PEROVSKITE, frac_coords=PEROVSKITE.frac_coords + size * rng.standard_normal((5, 3)))
        scores.append(origins(rough.frac_coords, rough.numbers, GROUP.ways[0], GROUP.lattice, 1)[0][0])
    assert scores[0] == pytest.approx(1, abs=1e-6)
    assert scores[0] > scores[1] > scores[2]


def test_origins_are_told_apart_by_their_scores():
    found = origins(PEROVSKITE.frac_coords, PEROVSKITE.numbers, GROUP.ways[0], GROUP.lattice, 5)
    scores = [score for score, _ in found]
    assert scores == sorted(scores, reverse=True)
    assert all(a - b > ALIKE for a, b in pairwise(scores))
