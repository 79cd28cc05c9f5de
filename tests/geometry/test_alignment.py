"""Cells laid on cells, against cells made by turning and against random rotations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from xtalcodec.geometry.alignment import orientation, unimodular
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
