"""Graphs of large indices: what they find, when they are made again, and that none comes with an index."""

import os
import sys

import numpy as np
import pytest
from test_index import filled

from xtalcodec.latent_space import index as indices
from xtalcodec.latent_space.graph import ABOUT, GRAPH, GraphError
from xtalcodec.latent_space.index import Index

SILENT = lambda _, __: lambda ___: None  # noqa: E731


@pytest.fixture
def vectors(tmp_path, monkeypatch):
    """Vectors of length 1 in a few bunches; an index of so many counts as large."""
    monkeypatch.setenv("XTALCODEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(indices, "LARGE", 50)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(14, 1, 16)) + 0.4 * rng.normal(size=(14, 6, 16))
    rows = rows.reshape(84, 16).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def names(found):
    return [one.name for one in found]


def test_a_graph_finds_what_the_exact_search_finds_in_its_order(vectors, tmp_path):
    vectors[7] = np.nan  # an element that was never seen
    index = Index(filled(tmp_path / "index", vectors[:30], vectors[30:]), "mp-1/a")
    questions = vectors[::9]
    assert index.graph("crystal") is None
    exact = [index.nearest(question, 5) for question in questions]
    index.make_graphs(SILENT)
    index = Index(tmp_path / "index", "mp-1/a")
    assert index.graph("crystal") is not None
    for question, known in zip(questions, exact, strict=True):
        found = index.nearest(question, 5)
        assert names(found) == names(known)
        assert [one.likeness for one in found] == pytest.approx([one.likeness for one in known], abs=1e-6)
    only = index.nearest(questions[0], 99, formula="NaCl")  # of one composition the search is exact
    assert len(only) == int((np.nan_to_num(vectors[:, 0]) > 0).sum())


def test_a_graph_is_made_again_when_vectors_were_added(vectors, tmp_path):
    folder = filled(tmp_path / "index", vectors[:63])
    Index(folder, "mp-1/a").make_graphs(SILENT)
    assert Index(folder, "mp-1/a").graph("crystal") is not None
    filled(folder, vectors[:63], vectors[63:])
    assert Index(folder, "mp-1/a").graph("crystal") is None
    Index(folder, "mp-1/a").make_graphs(SILENT)
    assert names(Index(folder, "mp-1/a").nearest(vectors[80], 1)) == [f"{vectors[80, 0]:.3f}"]
    os.utime(folder / "0" / "crystal.npy", (1, 1))  # as if it had been written again
    assert Index(folder, "mp-1/a").graph("crystal") is None


def test_no_file_of_an_index_is_opened_as_a_graph_and_a_broken_one_is_named(vectors, tmp_path):
    folder = filled(tmp_path / "index", vectors)
    Index(folder, "mp-1/a").make_graphs(SILENT)
    assert not list(folder.rglob("*.usearch"))
    kept = sorted((tmp_path / "cache").rglob(GRAPH))
    assert len(kept) == 2
    for path in kept:
        path.write_bytes(b"no graph")
    with pytest.raises(GraphError, match=r"graph\.usearch cannot be read"):
        Index(folder, "mp-1/a").nearest(vectors[0], 1)
    for path in kept:
        path.with_name(ABOUT).write_text("no")
    with pytest.raises(GraphError, match=r"graph\.json cannot be read.*; remove "):
        Index(folder, "mp-1/a").nearest(vectors[0], 1)


def test_few_vectors_and_a_machine_without_usearch_have_no_graph(vectors, tmp_path, monkeypatch):
    few = Index(filled(tmp_path / "few", vectors[:40]), "mp-1/a")
    few.make_graphs(SILENT)
    assert few.graph("crystal") is None
    many = Index(filled(tmp_path / "many", vectors), "mp-1/a")
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ModuleNotFoundError):
        many.make_graphs(SILENT)
    assert names(many.nearest(vectors[3], 1)) == [f"{vectors[3, 0]:.3f}"]
