import numpy as np
import pytest
import torch

from xtalcodec.representations.modes import apply, modes
from xtalcodec.representations.window_field import WindowConfig, paint

WINDOW = WindowConfig()


def painted(positions, weights):
    positions = torch.tensor(np.atleast_2d(positions), dtype=torch.float64)
    weights = torch.tensor(np.atleast_1d(weights), dtype=torch.float64)
    return paint(positions[None], weights[None, :, None], WINDOW)[0, ..., 0].numpy()


def test_eigenvalues_are_the_variance_over_atoms_everywhere():
    basis = modes(WINDOW, per_axis=6)
    centres = np.arange(-8, 18, 0.1) + 0.05
    value, _ = basis.profiles(centres)
    along = value.T @ value * 0.1  # of one axis: the integral over centres
    np.testing.assert_allclose(np.einsum("i,j,k->ijk", *[np.diagonal(along)] * 3), basis.eigenvalue, rtol=1e-9)
    np.testing.assert_allclose(along - np.diag(np.diagonal(along)), 0, atol=1e-10)


def test_eigenvalues_are_the_variance_over_atoms_around_the_middle():
    basis, spread = modes(WINDOW, per_axis=6, spread=2.0), 2.0
    centres = np.arange(-8, 18, 0.1) + 0.05
    value, _ = basis.profiles(centres)
    weight = np.exp(-((centres - 5) ** 2) / (2 * spread**2)) * np.sqrt(1 + WINDOW.sigma**2 / (2 * spread**2))
    along = (value.T * weight) @ value * 0.1  # the weight's own scale is that which leaves the middle as it is
    np.testing.assert_allclose(np.einsum("i,j,k->ijk", *[np.diagonal(along)] * 3), basis.eigenvalue, rtol=1e-6)
    np.testing.assert_allclose(along - np.diag(np.diagonal(along)), 0, atol=1e-8)


def test_all_modes_hold_any_density():
    field = np.random.default_rng(0).normal(size=(30, 30, 30))
    basis = modes(WINDOW, per_axis=30)
    np.testing.assert_allclose(basis.restore(basis.project(field)), field, atol=1e-12)


def test_a_thousand_modes_hold_an_atom_better_than_any_other_thousand():
    field, best = painted([4.2, 5.1, 6.3], 8), modes(WINDOW, count=1000)
    other = modes(WINDOW, per_axis=10)
    errors = [np.sqrt(np.mean((basis.restore(basis.project(field)) - field) ** 2)) for basis in (best, other)]
    assert errors[0] < errors[1] < 0.01 * field.max()


@pytest.mark.parametrize("count", [1, 4, 300, 1000])
def test_count_keeps_the_largest(count):
    basis, every = modes(WINDOW, count=count), modes(WINDOW, per_axis=20).eigenvalue.ravel()
    assert len(basis) == len(basis.order) == count
    kept = np.sort(basis.eigenvalue[basis.kept])[::-1]
    np.testing.assert_allclose(kept, np.sort(every)[::-1][:count], rtol=1e-9)
    np.testing.assert_allclose(basis.eigenvalue.ravel()[basis.order], kept, rtol=1e-5)


def test_above_keeps_what_is_above():
    basis = modes(WINDOW, above=1e-4)
    assert basis.eigenvalue[basis.kept].min() > 1e-4
    assert (basis.eigenvalue[~basis.kept] <= 1e-4).all()
    assert len(basis) < len(modes(WINDOW, above=1e-6))


def test_profiles_are_those_of_the_painted_atom():
    basis, place = modes(WINDOW, per_axis=9), np.array([1.3, 4.7, 10.4])
    x, y, z = (basis.profiles(place[[k]])[0][0] for k in range(3))
    np.testing.assert_allclose(np.einsum("i,j,k->ijk", x, y, z), basis.project(painted(place, 1.0)), atol=1e-12)


def test_slope_of_profiles():
    basis, x, step = modes(WINDOW, per_axis=9), np.array([-0.7, 2.2, 9.1]), 1e-5
    difference = (basis.profiles(x + step)[0] - basis.profiles(x - step)[0]) / (2 * step)
    np.testing.assert_allclose(basis.profiles(x)[1], difference, atol=1e-8)


def test_apply_is_one_matrix_along_each_axis():
    rng = np.random.default_rng(1)
    matrix, cube = rng.normal(size=(4, 3)), rng.normal(size=(3, 3, 3))
    np.testing.assert_allclose(apply(matrix, cube), np.einsum("ijk,ai,bj,ck->abc", cube, matrix, matrix, matrix))
