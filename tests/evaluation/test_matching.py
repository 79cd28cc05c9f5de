from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.evaluation.matching import PARTNER, compare_atoms, percentiles, summarise_atoms

TRUE = np.array([[1.0, 1, 1], [3, 3, 3], [5, 5, 5]])
NUMBERS = np.array([8, 26, 8])


def test_the_same_atoms_in_any_order_are_perfect():
    for order in permutations(range(3)):
        score = compare_atoms(TRUE[list(order)], NUMBERS[list(order)], TRUE, NUMBERS)
        assert score.perfect(0.0)
        assert score.extra == 0


def test_moved_missing_extra_and_wrong_atoms():
    moved = compare_atoms(TRUE + np.array([0.03, 0, 0]), NUMBERS, TRUE, NUMBERS)
    assert moved.perfect(0.031)
    assert not moved.perfect(0.029)
    missing = compare_atoms(TRUE[:2], NUMBERS[:2], TRUE, NUMBERS)
    assert (missing.same_count, missing.extra, np.isinf(missing.error).sum()) == (False, 0, 1)
    extra = compare_atoms(np.vstack([TRUE, [[8, 8, 8]]]), np.append(NUMBERS, 1), TRUE, NUMBERS)
    assert (extra.same_count, extra.extra) == (False, 1)
    assert np.isfinite(extra.error).all()
    wrong = compare_atoms(TRUE, np.array([8, 27, 8]), TRUE, NUMBERS)
    assert (wrong.same_count, wrong.same_species, wrong.species.sum()) == (True, False, 2)


def test_two_atoms_in_one_place_are_not_two_atoms_found():
    score = compare_atoms(TRUE[[0, 0, 2]], NUMBERS[[0, 0, 2]], TRUE, NUMBERS)
    assert score.extra == 1
    assert np.isinf(score.error).sum() == 1


def test_pairs_are_as_many_as_can_be():
    # The middle one is nearest to both; taking the closest pair first would leave one without a partner.
    score = compare_atoms(
        np.array([[0.0, 0, 0], [0.45, 0, 0]]), np.array([1, 1]), np.array([[0.3, 0, 0], [0.8, 0, 0]]), np.array([1, 1])
    )
    assert score.same_count


def test_atoms_in_the_skin_of_a_face_may_be_either_way():
    inside, skin, outside = [5.0, 5, 5], [0.05, 5, 5], [-0.05, 5, 5]
    both, numbers = np.array([inside, skin]), np.array([8, 6])
    assert compare_atoms(both[:1], numbers[:1], both, numbers, edge=10.0).same_species
    assert compare_atoms(both, numbers, both[:1], numbers[:1], edge=10.0).same_species
    assert compare_atoms(np.array([inside, outside]), numbers, both, numbers, edge=10.0).same_species
    assert not compare_atoms(both[:1], numbers[:1], both, numbers, edge=10.0, skin=0.01).same_count
    # Without a cube every atom counts.
    assert not compare_atoms(both[:1], numbers[:1], both, numbers).same_count


def test_an_atom_beyond_the_skin_is_none_of_the_cubes():
    true = np.array([[5.0, 5, 5], [-1, 5, 5]])
    score = compare_atoms(true[:1], np.array([8]), true, np.array([8, 6]), edge=10.0)
    assert score.perfect(0.0)
    assert len(score.error) == 1


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_as_many_pairs_as_the_best_of_all_assignments(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    true, found = rng.uniform(0, 1, (2, n, 3))
    score = compare_atoms(found, np.ones(n, dtype=np.int64), true, np.ones(n, dtype=np.int64))
    distance = np.linalg.norm(found[:, None] - true, axis=-1)
    pairs = [[d for d in distance[list(order), range(n)] if d <= PARTNER] for order in permutations(range(n))]
    most = max(map(len, pairs))
    assert np.isfinite(score.error).sum() == most
    assert score.error[np.isfinite(score.error)].sum() == pytest.approx(min(sum(p) for p in pairs if len(p) == most))


def test_nothing_found_is_all_missing():
    score = compare_atoms(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), TRUE, NUMBERS)
    assert np.isinf(score.to_decoded).all()
    summary = summarise_atoms([score], 0.1)
    assert (summary["count_per_window"], summary["found_per_atom"], summary["true_to_decoded"]["50"]) == (0, 0, np.inf)


def test_summary_counts_windows_and_atoms():
    right = compare_atoms(TRUE, NUMBERS, TRUE, NUMBERS)
    wrong = compare_atoms(TRUE, np.array([8, 27, 8]), TRUE, NUMBERS)
    summary = summarise_atoms([right, wrong], 0.1)
    assert (summary["n"], summary["atoms"], summary["count_per_window"], summary["species_per_window"]) == (
        2,
        6,
        1,
        0.5,
    )
    assert summary["species_per_atom"] == pytest.approx(5 / 6)
    assert summarise_atoms([], 0.1) == {"n": 0}


def test_percentiles_occur():
    found = percentiles(np.array([1.0, 2, 3, np.inf]))
    assert (found["20"], found["50"], found["99"]) == (2, 3, np.inf)
    assert percentiles([1.0, 5.0], (50,)) == {"50": 5}
    assert percentiles(np.zeros(0)) == {}
