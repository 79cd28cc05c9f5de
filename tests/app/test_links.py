"""A word of an address is a crystal, whole, or refused in a sentence."""

import contextlib
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.app.links import LONGEST, LinkError, crystal_of, prototypes, sites_of, word_of, word_of_sites
from xtalcodec.crystal import Crystal
from xtalcodec.testing.strategies import crystals


@given(crystals())
def test_a_crystal_comes_back_to_the_last_bit(crystal):
    back = crystal_of(word_of(crystal))
    assert np.array_equal(back.lattice, crystal.lattice)
    assert np.array_equal(back.frac_coords, crystal.frac_coords)
    assert np.allclose(back.shares(), crystal.shares(), atol=1e-12)
    assert back.name == crystal.name[:200]


def test_a_prototype_is_its_name():
    crystal = next(iter(prototypes().values()))
    assert word_of(crystal) == f"aflow:{crystal.name}"
    assert crystal_of(word_of(crystal)) is crystal
    moved = crystal.translated(np.full(3, 0.1))
    assert not word_of(moved).startswith("aflow:")


def test_sites_are_told_by_their_numbers():
    crystal = next(one for one in prototypes().values() if len(one) > 3)
    assert word_of_sites([2, 0]) == "1,3"
    assert sites_of("1,3", crystal) == [0, 2]
    assert sites_of("3,x,999,,-1", crystal) == [2]
    assert word_of_sites([]) is None


def test_a_large_crystal_has_no_word():
    rng = np.random.default_rng(0)
    assert word_of(Crystal(50 * np.eye(3), rng.random((900, 3)), np.full(900, 14))) is None


@given(st.text(max_size=200))
def test_any_other_word_is_refused_in_a_sentence(word):
    with pytest.raises(LinkError, match=r"^[A-Z].*\.$"):
        crystal_of(word)


@given(st.data())
def test_a_damaged_word_is_refused_or_a_crystal(data):
    word = word_of(Crystal(4 * np.eye(3), np.zeros((1, 3)), np.array([14]), "x"))
    text = bytearray(zlib.decompress(urlsafe_b64decode(word)))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(LinkError):
        crystal_of(urlsafe_b64encode(zlib.compress(bytes(text))).decode())


@pytest.mark.parametrize(
    "text", ['{"name":"x","lattice":[],"sites":[],"shares":[[[1e999,1]]]}', "[" * 100_000, '{"lattice":[1e999]}']
)
def test_numbers_and_nesting_without_end_are_refused(text):
    with pytest.raises(LinkError, match="damaged"):
        crystal_of(urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode())


def test_what_unpacks_without_end_is_refused():
    bomb = urlsafe_b64encode(zlib.compress(b" " * (1 << 22))).decode()
    assert len(bomb) < LONGEST
    with pytest.raises(LinkError, match="too much"):
        crystal_of(bomb)
