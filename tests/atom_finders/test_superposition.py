import numpy as np
import pytest
import torch

from xtalcodec.atom_finders.superposition import Atomic, Superposition
from xtalcodec.representations.modes import modes
from xtalcodec.representations.window_field import WindowConfig, paint

WINDOW = WindowConfig()
BASIS = modes(WINDOW, count=400)


@pytest.fixture
def atoms():
    rng = np.random.default_rng(3)
    return Atomic(rng.uniform(-1, 11, (7, 3)), rng.uniform(1, 80, 7))


def jacobian(atoms):
    """Of the field, column by column, from what unit changes do to it."""
    model, n = Superposition(BASIS, atoms), len(atoms)
    return np.stack([model.forward(unit.reshape(4, n)).ravel() for unit in np.eye(4 * n)], 1)


def test_field_is_the_painted_density(atoms):
    positions, weights = torch.tensor(atoms.positions)[None], torch.tensor(atoms.weights)[None, :, None]
    density = paint(positions, weights, WINDOW)[0, ..., 0].numpy()
    np.testing.assert_allclose(Superposition(BASIS, atoms).field, BASIS.project(density), atol=1e-11)


def test_forward_is_the_derivative(atoms):
    change, step = np.random.default_rng(4).normal(size=(4, len(atoms))), 1e-6

    def moved(by):
        positions, weights = atoms.positions + by * change[1:].T, atoms.weights + by * change[0]
        return Superposition(BASIS, Atomic(positions, weights)).field

    difference = (moved(step) - moved(-step)) / (2 * step)
    np.testing.assert_allclose(Superposition(BASIS, atoms).forward(change), difference, atol=1e-6)


def test_adjoint_is_the_transpose(atoms):
    cube = np.random.default_rng(5).normal(size=BASIS.kept.shape)
    np.testing.assert_allclose(
        Superposition(BASIS, atoms).adjoint(cube).ravel(), jacobian(atoms).T @ cube.ravel(), rtol=1e-9, atol=1e-9
    )


def test_norms_are_the_diagonal(atoms):
    metric = np.random.default_rng(6).uniform(size=BASIS.kept.shape) * BASIS.kept
    expected = (jacobian(atoms) ** 2 * metric.reshape(-1, 1)).sum(0)
    np.testing.assert_allclose(Superposition(BASIS, atoms).norms(metric).ravel(), expected, rtol=1e-9)


def test_gram_is_over_the_whole_cube(atoms):
    whole = modes(WINDOW, per_axis=BASIS.kept.shape[0])
    model, n = Superposition(whole, atoms), len(atoms)
    columns = np.stack([model.forward(unit.reshape(4, n)).ravel() for unit in np.eye(4 * n)], 1)
    np.testing.assert_allclose(Superposition(BASIS, atoms).gram(), columns.T @ columns, rtol=1e-8, atol=1e-9)


def test_gram_of_free_parameters_is_a_part_of_it(atoms):
    model, free = Superposition(BASIS, atoms), np.random.default_rng(7).uniform(size=(4, len(atoms))) > 0.4
    which = np.flatnonzero(free)
    np.testing.assert_allclose(model.gram(free), model.gram()[np.ix_(which, which)])
