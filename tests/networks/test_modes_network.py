import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.codecs.windows import decode_windows, encode_densities
from xtalcodec.config import SettingsError
from xtalcodec.crystal import CrystalError
from xtalcodec.evaluation.matching import compare_atoms
from xtalcodec.networks.modes import Linear, LinearConfig
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.representations.window_field import WindowConfig
from xtalcodec.testing import crystals
from xtalcodec.training.loop import train
from xtalcodec.training.recipe import load

few = settings(max_examples=15, deadline=None, derandomize=True)

SINGLE = 1e-3
"""Å: more than the rounding to single precision moves even hydrogen beside a heavy atom."""


@pytest.fixture(scope="module")
def codec():
    return Codec.from_pretrained("linear-unit-cell")


def test_the_code_in_the_box_is_of_the_papers_size(codec, prototypes):
    salt = next(c for c in prototypes if len(c) == 2)
    assert codec.encode([salt])[0].length == 300
    assert not list(codec.network.parameters())


@few
@given(crystals(max_sites=8, min_separation=1.0))
def test_any_few_atoms_come_back_exactly(crystal):
    codec = Codec.from_pretrained("linear-unit-cell")
    try:
        (code,) = latents = codec.encode([crystal])
    except CrystalError:
        reject()
    (decoded,) = codec.decode_crystals(latents)
    assert decoded is not None
    apart = decoded.crystal.frac_coords[:, None] - crystal.frac_coords
    distance = np.linalg.norm((apart - np.round(apart)) @ code.lattice, axis=-1)
    assert len(decoded.crystal) == len(crystal)
    assert distance.min(0).max() < SINGLE
    assert (decoded.crystal.numbers[distance.argmin(0)] == crystal.numbers).all()


@pytest.mark.slow
def test_half_precision_is_enough(codec, prototypes):
    fitting = []
    for crystal in prototypes[::12]:
        try:
            codec.place(crystal)
        except CrystalError:
            continue
        fitting.append(crystal)
    latents = codec.encode(fitting)
    true = decode_windows(codec, latents)
    for code in latents:
        code.z[:] = code.z.astype(np.float16)
    scores = [
        compare_atoms(found.positions, found.numbers, atoms.positions, atoms.numbers)
        for found, atoms in zip(decode_windows(codec, latents), true, strict=True)
    ]
    assert len(scores) > 10
    assert all(score.same_species for score in scores)
    assert np.concatenate([score.error for score in scores]).max() < 0.03


@given(st.integers(0, 99))
@few
def test_encoding_is_linear_and_decoding_its_pseudoinverse(seed):
    network, rng = Linear(LinearConfig(latent=50), WindowConfig()), np.random.default_rng(seed)
    a, b = torch.from_numpy(rng.normal(size=(2, 1, 30, 30, 30))).float()
    both = network.encode(2 * a - b)
    torch.testing.assert_close(both, 2 * network.encode(a) - network.encode(b), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(network.encode(network.decode(both)), both, atol=1e-3, rtol=1e-4)


def test_densities_alone_have_the_codes_of_their_crystals(codec, prototypes):
    salt = next(c for c in prototypes if len(c) == 2)
    latents = codec.encode([salt])
    density = codec.network.decode(torch.from_numpy(latents[0].z))
    np.testing.assert_allclose(encode_densities(codec, [density[0].numpy()])[0], latents[0].z, atol=1e-4)


def test_a_cell_that_does_not_come_back_is_tried_beside_the_middle(codec, prototypes, monkeypatch):
    salt = next(c for c in prototypes if len(c) == 2)
    at_once, find, calls = codec.encode([salt]), codec.find_atoms, []

    def nothing_at_first(*arguments):
        calls.append(1)
        found = find(*arguments)
        return [FoundAtoms.none()] * len(found) if len(calls) == 1 else found

    monkeypatch.setattr(codec, "find_atoms", nothing_at_first)
    beside = codec.encode([salt])
    assert len(calls) == 2
    assert np.abs(beside[0].origin - at_once[0].origin).max() > 0.01
    assert codec.decode_crystals(beside)[0].crystal.formula == salt.formula


def test_other_representations_are_refused():
    with pytest.raises(SettingsError, match=r"'linear' works on unit_cell or repeating, not on .*kind=periodic"):
        open_codec(CodecConfig("no", PeriodicConfig(), LinearConfig()))


def test_another_length_is_one_command_away(tmp_path, prototypes):
    recipe = load("linear-unit-cell", ["codec.network.latent=126", "sample=2"])
    train(recipe, prototypes[:4], prototypes[:2], tmp_path / "short", device="cpu")
    short = Codec.from_pretrained(tmp_path / "short")
    assert short.encode([next(c for c in prototypes if len(c) == 2)])[0].length == 150
    assert "this codec has no weights" in (tmp_path / "short" / "README.md").read_text()
