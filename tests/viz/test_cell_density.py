"""The density of a cell against a sum over images, point by point."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from xtalcodec.crystal import Crystal
from xtalcodec.testing.strategies import crystals
from xtalcodec.viz.cell_density import WIDTH, cell_density

TOLERANCE = 2e-3  # of the peak: what coefficients beyond the grid leave


def test_every_point_is_the_sum_over_images():
    lattice = np.array([[3.9, 0, 0], [1.1, 4.2, 0], [-0.7, 0.9, 3.6]])
    crystal = Crystal(lattice, np.array([[0.1, 0.2, 0.3], [0.6, 0.7, 0.9]]), np.array([22, 8]))
    found = cell_density(crystal)
    points = np.stack(np.meshgrid(*[np.arange(n) / n for n in found.shape], indexing="ij"), -1)
    total = np.zeros(found.shape)
    for shift in itertools.product(range(-2, 3), repeat=3):
        for x, z in zip(crystal.frac_coords, crystal.numbers, strict=True):
            away = (points - x - np.array(shift)) @ lattice
            total += z * np.exp(-(away**2).sum(-1) / 2 / WIDTH**2) / (2 * np.pi * WIDTH**2) ** 1.5
    assert np.abs(found - total).max() < TOLERANCE * total.max()


@settings(max_examples=20)
@given(crystals())
def test_it_holds_every_electron(crystal):
    density = cell_density(crystal)
    electrons = float(crystal.shares()[:, 1:].sum(0) @ np.arange(1, 119))
    assert density.mean() * crystal.volume == pytest.approx(electrons)
