"""Densities on other points and of narrower atoms, against painting them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.representations.interpolation import DECODED, along_axes, resampled, sharpening
from xtalcodec.representations.window_field import View, ViewBatch, WindowConfig, density

FINE = WindowConfig()
COARSE = replace(FINE, points=16)
BAND = 5e-4
"""Of the highest density: what 16 points along 10 Å leave untold, root mean square."""

few = settings(max_examples=15, deadline=None, derandomize=True)


def atoms(seed, low=0.0, high=10.0, count=8):
    """Atoms at random, outside of the window too where `low` and `high` say so."""
    rng = np.random.default_rng(seed)
    numbers, positions = rng.integers(1, 95, count), rng.uniform(low, high, (count, 3))
    return ViewBatch.collate([View(positions, numbers, np.arange(count), np.eye(3), np.zeros(3), np.eye(3))])


@few
@given(st.integers(0, 10**6))
def test_sixteen_points_tell_thirty_and_the_other_way_round(seed):
    """Atoms beyond the faces too: nothing takes the window to be periodic."""
    view = atoms(seed, -3, 13, 40)
    fine, coarse = density(view, FINE), density(view, COARSE)
    assert (resampled(coarse, COARSE, 30) - fine).square().mean().sqrt() < BAND * fine.max()
    assert (resampled(fine, FINE, 16) - coarse).abs().max() < 1e-4 * fine.max()


def test_errors_of_a_decoded_density_do_not_grow_between_its_points():
    field = density(atoms(2, 2, 8), COARSE)
    error = 0.02 * torch.randn(field.shape, generator=torch.Generator().manual_seed(0))
    moved = resampled(field + error, COARSE, 30, DECODED) - resampled(field, COARSE, 30, DECODED)
    assert moved.square().mean() < error.square().mean()
    clean = resampled(field, COARSE, 30, DECODED) - density(atoms(2, 2, 8), FINE)
    assert clean.square().mean().sqrt() < 2 * BAND * field.max()


def test_as_many_points_are_the_same_points():
    field = density(atoms(0), COARSE)
    assert resampled(field, COARSE, 16) is field


@few
@given(st.integers(0, 10**6))
def test_sharpening_is_towards_narrower_atoms(seed):
    """The guess is nearer to the field of narrow atoms than a blurred one, and nothing where the width stays."""
    view = atoms(seed, 2, 8)
    field, narrow = density(view, COARSE), density(view, replace(COARSE, sigma=0.7))
    guess = along_axes(torch.from_numpy(sharpening(COARSE, 0.7)).float(), field)
    assert (guess - narrow).square().mean() < 0.05 * (field - narrow).square().mean()
    same = along_axes(torch.from_numpy(sharpening(COARSE, 1.0, 1e-9)).float(), field)
    assert (same - field).abs().max() < 1e-3 * field.max()


def test_along_axes_is_a_product_over_three_axes():
    rng = np.random.default_rng(0)
    matrix, fields = rng.normal(size=(4, 3)), rng.normal(size=(2, 3, 3, 3))
    expected = np.einsum("ia,jb,kc,nabc->nijk", matrix, matrix, matrix, fields)
    result = along_axes(torch.from_numpy(matrix), torch.from_numpy(fields)).numpy()
    np.testing.assert_allclose(result, expected, atol=1e-12)


def test_precision_is_kept_where_products_are_reduced():
    field = density(atoms(1), COARSE)
    matrix = torch.from_numpy(sharpening(COARSE, 0.7)).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reduced = along_axes(matrix, field)
    assert reduced.dtype == torch.float32
    assert reduced.numpy() == pytest.approx(along_axes(matrix, field).numpy(), abs=1e-6)
