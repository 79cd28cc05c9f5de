"""True densities and sampled ones, as the discriminator gets them."""

import numpy as np
import pytest

from xtalcodec.codecs.base import Codec
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.sampled import true_and_sampled
from xtalcodec.representations.window_field import WindowConfig

SALTS = [
    Crystal(a * (np.ones((3, 3)) - np.eye(3)) / 2, np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), np.array(pair), str(pair))
    for a, pair in ((5.64, (11, 17)), (6.29, (19, 17)), (6.6, (19, 35)), (5.97, (11, 35)))
]


@pytest.mark.parametrize("name", ["mp-unit-cell", "mp-repeating"])
def test_densities_are_the_windows_and_samples_follow_the_seed(name):
    codec = Codec.from_pretrained(name)
    true, sampled = true_and_sampled(codec, SALTS, seed=1)
    points = WindowConfig().points
    assert true.shape == sampled.shape == (4, points, points, points)
    assert np.isfinite(sampled).all()
    if name == "mp-unit-cell":  # both atoms of the cell lie well inside: the cube holds their electrons
        volume = WindowConfig().spacing ** 3
        np.testing.assert_allclose(true.sum((1, 2, 3)) * volume, [28, 36, 54, 46], rtol=2e-3)
    np.testing.assert_array_equal(true_and_sampled(codec, SALTS, seed=1)[1], sampled)
    assert not np.array_equal(true_and_sampled(codec, SALTS, seed=2)[1], sampled)
