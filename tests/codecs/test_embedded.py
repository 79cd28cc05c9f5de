"""The embedding beside a codec."""

import numpy as np
import pytest

from xtalcodec import Codec
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.embedding import files
from xtalcodec.embedding.embedding import About, Embedding, EmbeddingError, Looks
from xtalcodec.training.derived import supercell
from xtalcodec.training.embedding_views import distorted


def made(lattice, places, numbers, name="", **more):
    return Crystal(lattice, np.array(places, dtype=float), np.array(numbers), name, **more)


SALT = made(5.64 * (np.ones((3, 3)) - np.eye(3)) / 2, [[0, 0, 0], [0.5] * 3], [11, 17], "salt")


@pytest.fixture
def folder(mp, tmp_path):
    """A copy of the default codec with an embedding that has learnt nothing."""
    mp.save_pretrained(tmp_path / "codec")
    about = About(mp.identity, (11, 17, 29), Looks())
    files.write(tmp_path / "codec" / files.FOLDER, Embedding.untrained(about, mp.channels), {})
    return tmp_path / "codec"


def test_crystals_of_any_kind_have_vectors(folder):
    codec = Codec.from_pretrained(folder)
    vectors = codec.embed([SALT, SALT.to_pymatgen(), SALT.to_ase()])
    assert (vectors.shape, vectors.dtype) == ((3, 64), np.float32)
    np.testing.assert_allclose(vectors, np.tile(vectors[:1], (3, 1)), atol=1e-5)
    assert codec.embed(SALT, of="structure").shape == (1, 64)
    with pytest.raises(CrystalError, match=r"rock: .* never saw Br"):
        codec.embed(made(SALT.lattice, SALT.frac_coords, [11, 35], "rock"))


def test_an_embedding_goes_where_its_codec_is_saved(folder, tmp_path):
    codec = Codec.from_pretrained(folder)
    codec.save_pretrained(tmp_path / "again")
    np.testing.assert_array_equal(Codec.from_pretrained(tmp_path / "again").embed(SALT), codec.embed(SALT))


def test_a_codec_without_one_says_how_to_make_one(folder):
    codec = Codec.from_pretrained(folder)
    (folder / files.FOLDER / files.ABOUT).unlink()
    with pytest.raises(EmbeddingError, match=r"has no embedding: `xtalcodec train-embedding`"):
        codec.embed(SALT)


def test_the_embedding_of_another_codec_is_refused(folder, mp):
    about = About("mp-000000000000", (11, 17), Looks())
    files.write(folder / files.FOLDER, Embedding.untrained(about, mp.channels), {})
    with pytest.raises(EmbeddingError, match=f"belongs to the codec mp-000000000000, not to {mp.identity}"):
        Codec.from_pretrained(folder).embed(SALT)


def test_a_codec_that_paints_given_weights_has_none():
    with pytest.raises(EmbeddingError, match="no learnt density channels"):
        Codec.from_pretrained("linear-unit-cell").embed(SALT)


def test_the_embedding_in_the_box_knows_crystals_in_any_cell(mp, prototypes):
    some = [c for c in prototypes if len(c) <= 12 and {*c.elements} <= {*mp.embedding.about.elements}][::12]
    rng, basis = np.random.default_rng(0), np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]])
    cells = [supercell(c.in_basis(basis).translated(rng.random(3)), np.array([1, 1, 2])) for c in some]
    noisy = [distorted(c, 0.02, 0.005, rng) for c in cells]
    for of in ("crystal", "structure"):
        given, other, moved = (mp.embed(x, of=of) for x in (some, cells, noisy))
        assert (given * other).sum(1).min() > 0.999
        assert (given * moved).sum(1).min() > 0.9
    vectors = mp.embed(some), mp.embed(noisy)
    assert ((vectors[1] @ vectors[0].T).argmax(1) == np.arange(len(some))).all()
