"""Vectors, and the folder that an embedding is kept in."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.embedding import files
from xtalcodec.embedding.embedding import About, Embedding, EmbeddingError, Looks


def made(lattice, places, numbers, name="", **more):
    return Crystal(lattice, np.array(places, dtype=float), np.array(numbers), name, **more)


CHANNELS = np.random.default_rng(0).normal(size=(101, 4)).astype(np.float32)


@pytest.fixture
def embedding():
    torch.manual_seed(0)
    return Embedding.untrained(About("mp-0123456789ab", (11, 17, 19), Looks()), CHANNELS)


def salt(z=17, edge=5.64):
    return made(edge * (np.ones((3, 3)) - np.eye(3)) / 2, [[0, 0, 0], [0.5] * 3], [11, z], f"Na-{z}")


def test_vectors_have_length_1_and_do_not_depend_on_the_batch(embedding):
    some = [salt(), salt(19), salt(edge=6.5)]
    for of in ("crystal", "structure"):
        vectors = embedding.vectors(some, of)
        assert (vectors.shape, vectors.dtype) == ((3, 64), np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(vectors[1:2], embedding.vectors(some[1:2], of), atol=1e-5)
    alike = embedding.vectors(some, "structure")
    np.testing.assert_allclose(alike, np.tile(alike[:1], (3, 1)), atol=1e-4)
    assert embedding.vectors([]).shape == (0, 64)


def test_an_element_that_was_never_seen_is_named_and_its_structure_has_a_vector(embedding):
    with pytest.raises(CrystalError, match="Na-35: the embedding of the codec 'mp' never saw Br"):
        embedding.vectors([salt(), salt(35)])
    assert embedding.vectors([salt(35)], "structure").shape == (1, 64)


def test_what_is_written_is_read_back(embedding, tmp_path):
    files.write(tmp_path / "e", embedding, {"seed": 3, "command": "xtalcodec train-embedding a|b"})
    again = files.read(tmp_path / "e", CHANNELS)
    assert again.identity == embedding.identity
    np.testing.assert_allclose(again.vectors([salt()]), embedding.vectors([salt()]), atol=2e-3)
    assert r"| command | xtalcodec train-embedding a\|b |" in (tmp_path / "e" / files.CARD).read_text()
    assert (tmp_path / "e" / files.WEIGHTS).stat().st_size < 1_000_000


def test_identities_differ_by_weights_channels_and_settings(embedding):
    torch.manual_seed(1)
    other = Embedding.untrained(embedding.about, CHANNELS)
    painted = Embedding(embedding.about, CHANNELS + 0.1, embedding.networks)
    seen = Embedding(replace(embedding.about, elements=(11,)), CHANNELS, embedding.networks)
    assert len({embedding.identity, other.identity, painted.identity, seen.identity}) == 4


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / files.ABOUT).unlink(), "No such file"),
        (lambda folder: (folder / files.ABOUT).write_text("[1"), "Expecting"),
        (lambda folder: (folder / files.ABOUT).write_text("[1]"), "no attribute"),
        (lambda folder: _change(folder, format="other"), "its format is 'other'"),
        (lambda folder: _change(folder, looks={"netwerk": {}}), "Did you mean"),
        (lambda folder: (folder / files.WEIGHTS).write_bytes(b"12"), "holds no embedding"),
    ],
)
def test_a_broken_folder_is_named_with_the_reason(embedding, tmp_path, damage, reason):
    files.write(tmp_path, embedding, {})
    damage(tmp_path)
    with pytest.raises(EmbeddingError, match=reason) as error:
        files.read(tmp_path, CHANNELS)
    assert str(tmp_path) in str(error.value)


def test_weights_for_other_channels_are_refused(embedding, tmp_path):
    files.write(tmp_path, embedding, {})
    with pytest.raises(EmbeddingError, match="size mismatch"):
        files.read(tmp_path, CHANNELS[:, :2])


def _change(folder, **values):
    about = json.loads((folder / files.ABOUT).read_text())
    (folder / files.ABOUT).write_text(json.dumps(about | values))
