"""Indices on disk: what is found, and folders that are no index."""

import json

import numpy as np
import pyarrow as pa
import pytest

from xtalcodec.bulk.embedding import finish
from xtalcodec.bulk.run import Done, run
from xtalcodec.latent_space.index import ABOUT, Index, IndexFolderError, begin, is_index
from xtalcodec.parallel import HERE


class Part:
    """Vectors as they are given."""

    origin = ()

    def __init__(self, vectors):
        self.vectors = vectors

    @property
    def units(self):
        return len(self.vectors)

    def read(self):
        return iter(self.vectors)


class AsGiven:
    """Vectors to a shard of an index."""

    def settings(self):
        return {"verb": "given"}

    def __call__(self, items):
        rows = np.array(list(items), dtype=np.float32)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])
        names = [f"{row[0]:.3f}" for row in rows]
        formulas = ["NaCl" if row[0] > 0 else "KCl" for row in rows]
        columns = {"material_id": names, "formula": formulas, "sites": [2] * len(rows)}
        return Done(pa.table({**columns, "crystal": vectors, "structure": vectors}), [])


def filled(folder, *parts):
    begin(folder, "mp-1/a")
    for k, vectors in enumerate(parts):
        cut = [(Part(vectors[i : i + 7]),) for i in range(0, len(vectors), 7)]
        shards = run(folder / str(k), lambda cut=cut: cut, AsGiven(), {}, HERE)
        assert finish(shards, vectors.shape[1]) == len(vectors)
    return folder


def test_the_nearest_are_those_of_a_sort_over_everything(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = Index(filled(tmp_path, vectors[:20], vectors[20:]), "mp-1/a")
    query = vectors[3]
    order = np.argsort(-(vectors @ query), kind="stable")
    assert len(index) == 50
    assert [one.name for one in index.nearest(query, 5)] == [f"{vectors[k, 0]:.3f}" for k in order[:5]]
    assert index.nearest(query, 1)[0].likeness == pytest.approx(1, abs=1e-5)
    salts = [k for k in order if vectors[k, 0] > 0]
    assert [one.name for one in index.nearest(query, 99, formula="NaCl")] == [f"{vectors[k, 0]:.3f}" for k in salts]
    assert len(index.nearest(query, 99, "structure")) == 50
    assert index.nearest(query, 5, formula="RbCl") == []


def test_folders_that_are_no_whole_index_of_this_embedding_are_refused(tmp_path):
    whole = filled(tmp_path / "index", np.eye(4, dtype=np.float32))
    with pytest.raises(IndexFolderError, match="is of the embedding mp-1/a, not of mp-2/b"):
        Index(whole, "mp-2/b")
    with pytest.raises(IndexFolderError, match="is of the embedding mp-1/a"):
        begin(whole, "mp-2/b")
    (whole / "0" / "crystal.npy").unlink()
    with pytest.raises(IndexFolderError, match="is not whole"):
        Index(whole, "mp-1/a").nearest(np.ones(4, dtype=np.float32), 1)
    empty = tmp_path / "empty"
    begin(empty, "mp-1/a")
    assert is_index(empty)
    with pytest.raises(IndexFolderError, match="holds no crystal"):
        Index(empty, "mp-1/a")
    (empty / ABOUT).write_text(json.dumps({"format": "other"}))
    with pytest.raises(IndexFolderError, match="its format is 'other'"):
        Index(empty, "mp-1/a")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    with pytest.raises(IndexFolderError, match="holds no index: name another folder"):
        begin(tmp_path / "notes", "mp-1/a")


def test_vectors_of_another_length_are_refused(tmp_path):
    index = Index(filled(tmp_path, np.eye(4, dtype=np.float32)), "mp-1/a")
    with pytest.raises(IndexFolderError, match="4 numbers, not 3"):
        index.nearest(np.ones(3, dtype=np.float32), 1)
