"""Cells laid on cells, against cells made by turning and against random rotations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from xtalcodec.geometry.alignment import cell_between, orientation, polar_rotation, unimodular
from xtalcodec.testing import lattices

seeds = st.integers(0, 10_000)


def misfit(a, b) -> float:
    return float(((a - b) ** 2).sum())


def test_changes_of_basis_keep_the_volume_and_none_comes_first():
    bases = unimodular()
    assert np.array_equal(bases[0], np.eye(3))
    assert np.allclose(np.linalg.det(bases), 1)
    assert len(np.unique(bases.reshape(-1, 9), axis=0)) == len(bases)


@settings(max_examples=30, deadline=None)
@given(lattices(), seeds)
def test_a_turned_equivalent_cell_is_laid_back(cell, seed):
    rng = np.random.default_rng(seed)
    other = unimodular()[rng.integers(len(unimodular()))]
    back = np.round(np.linalg.inv(other))
    turned = other @ cell @ Rotation.random(random_state=rng).as_matrix()
    basis, rotation = orientation(cell, turned, np.concatenate([np.eye(3)[None], back[None]]).astype(np.int64))
    assert misfit(cell, basis @ turned @ rotation) < 1e-16 * (cell**2).sum() * 1e6
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) > 0


@settings(max_examples=4, deadline=None)
@given(lattices(), lattices())
def test_no_other_basis_does_better_by_scipys_alignment(a, b):
    basis, rotation = orientation(a, b)
    best = misfit(a, basis @ b @ rotation)
    others = [Rotation.align_vectors(a, other @ b)[1] ** 2 for other in unimodular()]
    assert best == pytest.approx(min(others), abs=2e-6 * (a**2).sum())


@settings(max_examples=30, deadline=None)
@given(lattices(), lattices())
def test_between_cells_laid_on_each_other_every_cell_is_right_handed(a, b):
    basis, rotation = orientation(a, b, np.eye(3, dtype=np.int64)[None])
    end = basis @ b @ rotation
    smallest = min(np.linalg.det((1 - t) * a + t * end) for t in np.linspace(0, 1, 21))
    assert smallest > 0.2 * min(np.linalg.det(a), np.linalg.det(end))


def test_of_equivalent_turns_none_is_taken():
    basis, rotation = orientation(4.0 * np.eye(3), 3.9 * np.eye(3))
    assert np.array_equal(basis, np.eye(3))
    assert np.allclose(rotation, np.eye(3))


@settings(max_examples=30, deadline=None)
@given(lattices(), lattices(), st.floats(0, 1), seeds)
def test_the_way_between_cells_is_even_and_of_no_basis(a, b, share, seed):
    between = cell_between(a, b, share)
    assert np.linalg.det(between) == pytest.approx(np.linalg.det(a) ** (1 - share) * np.linalg.det(b) ** share)
    assert np.allclose(cell_between(b, a, 1 - share) @ cell_between(b, a, 1 - share).T, between @ between.T, atol=1e-6)
    other = unimodular()[seed % len(unimodular())]
    assert np.allclose(cell_between(other @ a, other @ b, share), other @ between, atol=1e-6)
    turned = b @ polar_rotation(a, b)
    stretch = np.linalg.solve(a, turned)
    assert np.allclose(stretch, stretch.T, atol=1e-6)


def test_a_turned_cell_is_turned_evenly():
    quarter = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    half_way = cell_between(np.diag([2.0, 3, 4]), np.diag([2.0, 3, 4]) @ quarter, 0.5)
    expected = np.diag([2.0, 3, 4]) @ Rotation.from_euler("z", 45, degrees=True).as_matrix()
    assert np.allclose(half_way, expected)
    assert np.allclose(cell_between(np.diag([2.0, 3, 4]), np.diag([8.0, 3, 1]), 0.5), np.diag([4.0, 3, 2]))
