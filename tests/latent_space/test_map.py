"""Layouts and neighbours of vectors, against singular values and comparisons one by one."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.latent_space.map import lay_out, most_alike


def unit_vectors(count, seed, size=8):
    found = np.random.default_rng(seed).normal(size=(count, size)) * np.arange(1, size + 1)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(3, 40), st.integers(0, 99))
def test_principal_places_are_the_two_largest_singular_vectors(count, seed):
    vectors = unit_vectors(count, seed)
    layout = lay_out(vectors)
    centred = vectors - vectors.mean(0, dtype=np.float64)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(abs(layout.places), abs(left[:, :2] * values[:2]), atol=1e-6)
    share = 100 * values[0] ** 2 / (values**2).sum()
    assert layout.axes[0] == f"principal component 1 ({share:.0f} % of the variance)"


@given(st.integers(3, 30), st.integers(0, 99))
def test_a_layout_does_not_depend_on_the_order(count, seed):
    vectors = unit_vectors(count, seed)
    order = np.random.default_rng(seed + 1).permutation(count)
    np.testing.assert_allclose(lay_out(vectors[order]).places, lay_out(vectors).places[order], atol=1e-5)


@given(st.integers(1, 30), st.integers(1, 7), st.integers(0, 99))
def test_the_most_alike_are_those_of_all_pairs(count, wanted, seed):
    vectors = unit_vectors(count, seed)
    found, likeness = most_alike(vectors, wanted)
    assert found.shape == likeness.shape == (count, min(wanted, count - 1))
    for k in range(count):
        scores = {j: float(vectors[k] @ vectors[j]) for j in range(count) if j != k}
        best = sorted(scores.values(), reverse=True)[:wanted]
        np.testing.assert_allclose(likeness[k], best, atol=1e-5)
        np.testing.assert_allclose([scores[j] for j in found[k].tolist()], best, atol=1e-5)


def test_one_crystal_has_a_place():
    layout = lay_out(unit_vectors(1, 0))
    assert layout.places.tolist() == [[0, 0]]


def test_nothing_cannot_be_laid_out():
    with pytest.raises(ValueError, match="no crystal"):
        lay_out(np.zeros((0, 8), dtype=np.float32))


def test_umap_is_asked_for_cosines_with_the_seed(monkeypatch):
    """Compiling the library itself takes minutes on a busy machine."""
    asked = {}

    class Umap:
        def __init__(self, **words):
            asked.update(words)

        def fit_transform(self, vectors):
            return vectors[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap, __spec__="there is one"))
    vectors = unit_vectors(9, 0)
    assert lay_out(vectors, "umap", 7).places.tolist() == vectors[:, :2].tolist()
    assert asked == {"n_neighbors": 8, "metric": "cosine", "random_state": 7, "n_jobs": 1, "init": "random"}


def test_umap_does_not_become_something_else_in_silence(monkeypatch):
    monkeypatch.setattr("xtalcodec.latent_space.map.find_spec", lambda _: True)
    with pytest.raises(ValueError, match="UMAP lays out 4 crystals or more, not 3: take pca"):
        lay_out(np.eye(3), "umap")
