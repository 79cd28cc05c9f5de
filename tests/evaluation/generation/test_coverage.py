"""Coverage against double loops, distances of distributions against sorted values."""

import numpy as np
import pytest

from xtalcodec.evaluation.generation.coverage import PROTOCOLS, distribution_distances, nearest, thresholds
from xtalcodec.evaluation.generation.description import Description


def description(structure=0.0, composition=0.0, *, density=1.0, elements=2, valid=True):
    prints = [np.zeros(61), np.zeros(132)]
    prints[0][3], prints[1][7] = structure or 0.0, composition
    return Description(valid, True, density, elements, 1, None if structure is None else prints[0], prints[1])


def looped(mine, others, limits):
    """Share of mine with another near by in both senses, one at a time."""
    near = 0
    for a in mine:
        if a is None or a.structure_fingerprint is None:
            continue
        rest = [b for b in others if b is not None and b.structure_fingerprint is not None]
        apart = [np.linalg.norm(a.structure_fingerprint - b.structure_fingerprint) for b in rest]
        unlike = [np.linalg.norm(a.composition_fingerprint - b.composition_fingerprint) for b in rest]
        near += min(apart) <= limits.structure and min(unlike) <= limits.composition
    return near / len(mine)


def test_coverage_is_that_of_double_loops(monkeypatch):
    monkeypatch.setattr("xtalcodec.evaluation.generation.coverage.ROWS", 7)
    rng = np.random.default_rng(0)
    draw = lambda n: [description(rng.uniform(0.1, 3), rng.uniform(0, 60)) for _ in range(n)]  # noqa: E731
    samples, reference = [*draw(30), None, description(None)], [*draw(20), description(None)]
    for limits in PROTOCOLS.values():
        there, back = nearest(samples, reference)
        assert there.covered(limits).mean() == looped(samples, reference, limits)
        assert back.covered(limits).mean() == looped(reference, samples, limits)
        assert 0.1 < there.covered(limits).mean() < 0.95


def test_near_in_structure_and_near_in_composition_need_not_be_one_crystal():
    there, back = nearest([description(0.1, 0)], [description(0.1, 50), description(3, 1)])
    limits = thresholds("perov-5")
    assert there.covered(limits).tolist() == [True]
    assert back.covered(limits).tolist() == [False, False]


def test_nothing_covers_nothing():
    there, back = nearest([None, description(None)], [description(1)])
    assert np.isinf(there.structure).all()
    assert np.isinf(back.composition).all()


def test_thresholds_are_cdvaes():
    assert (thresholds("mp-20").structure, thresholds("mp-20").composition) == (0.4, 10)
    with pytest.raises(ValueError, match="Did you mean 'mp-20'"):
        thresholds("mp20")


def test_distances_of_distributions_are_mean_differences_of_sorted_values():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(1, 9, 12), rng.uniform(1, 9, 12)
    samples = [description(density=x, elements=2) for x in a] + [None, description(density=99.0, valid=False)]
    reference = [description(density=x, elements=k % 3 + 1) for k, x in enumerate(b)]
    found = distribution_distances(samples, reference, 0)
    assert found["density_distance"] == pytest.approx(np.abs(np.sort(a) - np.sort(b)).mean())
    assert found["elements_distance"] == pytest.approx(2 / 3)
    assert distribution_distances([None], reference, 0) == {"density_distance": None, "elements_distance": None}


def test_no_more_than_a_thousand_samples_are_compared():
    samples = [description(density=float(k)) for k in range(1500)]
    real = [description(density=0.0)]
    one, same, other = (distribution_distances(samples, real, seed)["density_distance"] for seed in (1, 1, 2))
    assert one == same != other
    assert one == pytest.approx(749.5, abs=30)
