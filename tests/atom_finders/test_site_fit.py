"""Least squares over sites: against finite differences, and back to where the sites were."""

import numpy as np
import pytest

from xtalcodec.atom_finders.site_fit import _jacobian, fit, weight_spread
from xtalcodec.atom_finders.structure_factors import NOWHERE, Sites, StructureFactors

CELL = np.array([[4.0, 0.3, 0.0], [0.0, 5.0, -0.4], [0.2, 0.0, 6.0]])
SITES = Sites(np.array([[0.1, 0.2, 0.3], [0.6, 0.55, 0.9], [0.4, 0.9, 0.5]]), np.array([8.0, 22.0, 38.0]))
STEP = 1e-6


@pytest.fixture(scope="module")
def factors():
    h = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    h = h[len(h) // 2 :]
    return StructureFactors(CELL, h, SITES.waves(h) @ SITES.weights, np.full(len(h), 0.01))


def test_the_jacobian_is_the_difference_quotient(factors):
    metric = factors.metric(0.5)
    jacobian = _jacobian(factors, SITES, metric)
    for k in range(3):
        for p in range(4):
            places, weights = SITES.places.copy(), SITES.weights.copy()
            if p:
                places[k] += STEP * np.linalg.inv(CELL)[p - 1]
            else:
                weights[k] += STEP
            change = (factors.left_by(SITES) - factors.left_by(Sites(places, weights))) * np.sqrt(metric) / STEP
            np.testing.assert_allclose(
                jacobian[:, 4 * k + p], np.concatenate([change.real, change.imag]), atol=1e-4, rtol=1e-4
            )


def test_sites_go_back_to_where_they_scatter(factors):
    rng = np.random.default_rng(0)
    off = Sites(SITES.places + 0.02 * rng.normal(size=(3, 3)), SITES.weights + rng.normal(size=3))
    metric = factors.metric(0.0)
    fitted = fit(factors, off, metric, 40)
    np.testing.assert_allclose(fitted.places, SITES.places, atol=1e-4)
    np.testing.assert_allclose(fitted.weights, SITES.weights, atol=1e-2)
    held = np.array([True, False, False])
    assert fit(factors, off, metric, 3, held).weights[0] == off.weights[0]
    assert weight_spread(factors, fitted, metric).max() < 0.01
    assert len(fit(factors, NOWHERE, metric, 3)) == 0
