import numpy as np
import pytest

from xtalcodec.atom_finders.least_squares import Effort, refine, weight_spread
from xtalcodec.atom_finders.superposition import Atomic, Superposition
from xtalcodec.representations.modes import modes
from xtalcodec.representations.window_field import WindowConfig

BASIS = modes(WindowConfig(), per_axis=12)
WHITENED = BASIS.kept / (BASIS.eigenvalue + 1e-8)
TRUE = Atomic(np.array([[3.0, 4, 5], [4.2, 4, 5], [5, 6.5, 5.5], [8, 8, 2]]), np.array([8.0, 1, 26, 6]))
FIELD = Superposition(BASIS, TRUE).field


@pytest.fixture
def start():
    rng = np.random.default_rng(0)
    return Atomic(TRUE.positions + rng.normal(0, 0.1, (4, 3)), TRUE.weights * rng.uniform(0.8, 1.2, 4))


@pytest.mark.parametrize("metric", [1e12, WHITENED], ids=["white", "whitened"])
def test_atoms_return_to_where_they_were(start, metric):
    fit = refine(BASIS, FIELD, start, metric, Effort(60, 1e-9, 0.0, 60), 0.0)
    np.testing.assert_allclose(fit.atoms.positions, TRUE.positions, atol=1e-5)
    np.testing.assert_allclose(fit.atoms.weights, TRUE.weights, atol=1e-4)
    np.testing.assert_allclose(fit.residual, FIELD - Superposition(BASIS, fit.atoms).field)
    assert fit.chi == pytest.approx((metric * fit.residual**2).sum())


@pytest.mark.parametrize("metric", [1e12, WHITENED], ids=["white", "whitened"])
def test_held_weights_stay(start, metric):
    held = np.array([True, False, True, False])
    fit = refine(BASIS, FIELD, start, metric, Effort(10, 1e-6), 0.0, held)
    np.testing.assert_array_equal(fit.atoms.weights[held], start.weights[held])
    assert (fit.atoms.weights[~held] != start.weights[~held]).all()


def test_misfit_never_rises(start):
    chi = np.inf
    for steps in range(1, 8):
        fit = refine(BASIS, FIELD, start, 1e12, Effort(steps, 0.0, 0.0), 0.0)
        assert fit.chi <= chi
        chi = fit.chi


@pytest.mark.parametrize("reach", [0.5, 0.7, 3.0])
def test_atoms_stay_within_reach(reach):
    near = Atomic(np.array([[-0.4, 5, 5]]), np.array([8.0]))
    beyond = Superposition(BASIS, Atomic(np.array([[-1.0, 5, 5]]), np.array([8.0]))).field
    fit = refine(BASIS, beyond, near, 1e12, Effort(30, 0.0, 0.0), reach, np.array([True]))
    assert fit.atoms.positions[0, 0] == pytest.approx(-min(reach, 1.0), abs=1e-4)


def test_spread_of_weights_is_that_of_fits_to_noise():
    rng, noise = np.random.default_rng(1), 1e-3
    fits = []
    for _ in range(60):
        noisy = FIELD + rng.normal(0, noise, FIELD.shape)
        fits.append(refine(BASIS, noisy, TRUE, 1 / noise**2, Effort(8, 1e-6), 0.0).atoms.weights)
    np.testing.assert_allclose(np.std(fits, axis=0), weight_spread(BASIS, TRUE, 1 / noise**2), rtol=0.4)


def test_held_weights_have_no_spread_and_take_from_that_of_others():
    held = np.array([True, False, True, False])
    every, others = weight_spread(BASIS, TRUE, 1e6), weight_spread(BASIS, TRUE, 1e6, held)
    np.testing.assert_array_equal(others[held], 0)
    assert (others[~held] > 0).all()
    assert (others[~held] < every[~held]).all()
