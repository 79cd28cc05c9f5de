"""The discriminator as a two-sample test."""

import numpy as np
import pytest

from xtalcodec.evaluation.discriminator import discriminate


def fields(count: int, seed: int, scale: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (scale * rng.random((count, 30, 30, 30))).astype(np.float32)


@pytest.mark.slow
def test_it_tells_what_differs_and_not_what_does_not():
    same = discriminate(fields(20, 0, 1.0), fields(20, 1, 1.0), scale=0.03, steps=8)
    other = discriminate(fields(20, 0, 1.0), fields(20, 1, 3.0), scale=0.03, steps=8)
    assert other > 0.95
    assert abs(same - 0.5) < 0.3


@pytest.mark.parametrize("seed", range(3))
def test_kinds_may_differ_in_number(seed):
    few, many = fields(4, 0, 1.0), fields(12, 1, 3.0)
    for pair in ((few, many), (many, few)):
        assert 0 <= discriminate(*pair, scale=0.03, steps=1, seed=seed) <= 1


def test_too_few_cannot_be_judged():
    assert discriminate(fields(3, 0, 1.0), fields(9, 1, 1.0)) is None
