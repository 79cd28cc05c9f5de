"""The linear code of windows that repeat, as a codec."""

import numpy as np
import pytest
import torch

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.codecs.windows import decode_densities, decode_windows, encode_densities
from xtalcodec.evaluation.windows import measure, window_summary
from xtalcodec.latent_space.interpolate import interpolate
from xtalcodec.networks.waves import Periodic
from xtalcodec.representations.window_field import WindowConfig

SINGLE = 5e-3
"""Å: what the waves left out and single precision move the atoms of small cells by."""


@pytest.fixture(scope="module")
def codec():
    return Codec.from_pretrained("linear-repeating")


@pytest.fixture(scope="module")
def small(prototypes):
    return [c for c in prototypes if len(c) <= 6 and abs(np.linalg.det(c.lattice)) < 150][:12]


def test_the_code_in_the_box_is_of_the_papers_size(codec, small):
    assert codec.encode(small[:1])[0].length == 300
    assert not list(codec.network.parameters())


def test_crystals_and_their_windows_come_back(codec, small):
    latents = codec.encode(small)
    for crystal, decoded in zip(small, codec.decode_crystals(latents), strict=True):
        assert sorted(decoded.crystal.numbers) == sorted(crystal.numbers)
    scores = window_summary(measure(codec, small[:6], refine=False))
    assert scores["count_per_window"] == scores["species_per_atom"] == 1
    assert scores["true_to_decoded_percentiles"]["95"] < SINGLE


def test_densities_are_encoded_with_their_lattices(codec, small):
    latents = codec.encode(small[:2])
    fields = decode_densities(codec, latents)
    again = encode_densities(codec, fields, [code.lattice for code in latents])
    for z, code in zip(again, latents, strict=True):
        np.testing.assert_allclose(z, code.z, atol=2e-2)
    with pytest.raises(TypeError, match="told the crystal's lattice, which a density alone does not say"):
        encode_densities(codec, fields)


def test_as_many_atoms_as_the_window_shows(codec, small):
    (atoms,) = decode_windows(codec, codec.encode(small[:1]))
    expected = 1000 / abs(np.linalg.det(small[0].lattice)) * len(small[0])
    assert len(atoms) == pytest.approx(expected, rel=0.5)
    assert ((atoms.positions >= 0) & (atoms.positions <= 10)).all()


def test_without_a_lattice_there_are_no_waves():
    with pytest.raises(TypeError, match="told the crystal's lattice"):
        Periodic(20, WindowConfig(points=8)).decode(torch.zeros(1, 20), None)


def test_a_path_ends_at_its_ends(codec, small):
    """The second crystal's cell is changed to an equivalent one nearest to the first's: its code must not mind."""
    salt, other = small[0], max(small, key=len)
    for a, b in ((salt, other), (other, salt)):
        first, *_, last = codec.decode_crystals(interpolate(codec, a, b, 3))
        assert sorted(first.crystal.numbers) == sorted(a.numbers)
        assert sorted(last.crystal.numbers) == sorted(b.numbers)


def test_latents_are_decoded_alike_from_a_file(codec, small, tmp_path):
    latents = codec.encode(small)
    latents.to_parquet(tmp_path / "latents.parquet")
    back = codec.decode_crystals(LatentSet.from_parquet(tmp_path / "latents.parquet"))
    for ours, again in zip(codec.decode_crystals(latents), back, strict=True):
        np.testing.assert_array_equal(ours.crystal.numbers, again.crystal.numbers)
        np.testing.assert_allclose(ours.crystal.frac_coords, again.crystal.frac_coords, atol=1e-4)
