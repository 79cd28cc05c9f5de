"""The same contract for every class of codecs that is registered; `xtalcodec.testing` has what others check too."""

import numpy as np
import pytest
import torch

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.misfit import deviation
from xtalcodec.codecs.refine import RefineConfig
from xtalcodec.codecs.registry import classes, open_codec
from xtalcodec.codecs.settings import CodecConfig, LossConfig
from xtalcodec.codecs.windows import decode_densities, decode_windows
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.niggli import niggli
from xtalcodec.networks.hoffmann import HoffmannConfig
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.window_field import PaintedBatch

SALT = Crystal(
    4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]), "salt"
)
SMALL = {
    PatchConfig: PatchConfig(width=24, heads=2, encoder_layers=1, decoder_layers=1),
    HoffmannConfig: HoffmannConfig(scale=0.03),
}
"""Sizes for tests; a network that is not listed is taken as it is."""
PAPER = {"patches": 1, "skin": 0.0, "reach": 5.7}
PAIRS = {
    f"{codec.networks.kind}-{representation.kind}": (codec, representation)
    for codec in classes()
    for representation in codec.representations
}
"""Every pair of a network and a representation that some registered class joins."""


def opened(pair):
    torch.manual_seed(0)
    codec, representation = PAIRS[pair]
    settings = PAPER if codec.encodes_density else {}
    network = SMALL.get(codec.networks, codec.networks())
    return open_codec(CodecConfig(pair, representation(**settings), network, refine=RefineConfig(steps=1, origins=1)))


@pytest.fixture(params=PAIRS)
def codec(request):
    return opened(request.param)


def test_every_class_in_the_box_is_registered():
    assert {"patch-periodic", "patch-unit_cell", "patch-repeating", "linear-unit_cell"} <= set(PAIRS)
    assert {"hoffmann-unit_cell", "hoffmann-repeating", "linear-repeating"} <= set(PAIRS)
    assert len(PAIRS) == 7


def test_a_class_is_what_its_abilities_say(codec, monkeypatch):
    """What it says that it cannot do is a TypeError with its name, the rest is done."""
    (code,) = codec.encode([SALT], refine=False)
    z, name = torch.from_numpy(code.z)[None], codec.config.name
    density = torch.zeros(1, 30, 30, 30)
    lattice = torch.tensor(code.lattice).float()[None]
    view = PaintedBatch(density, torch.zeros(1, 30, 30, 30, dtype=torch.uint8), lattice)
    placed = codec.place(SALT)
    batch = codec.representation.collate([placed.crystal.translated(code.origin)])
    for able, do in (
        (codec.decodes_density, lambda: codec.decode_density(z, lattice)),
        (codec.encodes_density, lambda: codec.encode_density(density, lattice)),
        (codec.learns_painted, lambda: codec.loss_of_painted(view)),
        (codec.can_refine, lambda: codec.descend([placed.crystal], placed.patches, z)),
        (codec.trainable, lambda: codec.loss(batch, placed.patches, LossConfig())),
    ):
        if able:
            do()
        else:
            with pytest.raises(TypeError, match=f"the codec '{name}'"):
                do()
    for finder in codec.finders:
        codec.find_by(finder)
    with pytest.raises(ValueError, match=r"no finder 'guess'|one way to decode atoms"):
        codec.find_by("guess")
    assert codec.trainable == bool(list(codec.network.parameters()))
    steps = []
    monkeypatch.setattr("xtalcodec.codecs.refine.Descent.step", lambda _, z, __: steps.append(1) or z)
    codec.encode([SALT], refine=True)
    assert bool(steps) == codec.can_refine


def test_a_scale_multiplies_the_field_of_each_crystal(codec):
    """Twice the density is every atom twice, as far as the encoder can see."""
    placed = codec.place(SALT)
    once = placed.crystal.translated(codec.representation.origin(placed.crystal, 0))
    twice = Crystal(once.lattice, np.tile(once.frac_coords, (2, 1)), np.tile(once.numbers, 2))
    collate = codec.representation.collate
    with torch.no_grad():
        scaled = codec.encode_batch(collate([once, once]), placed.patches, torch.tensor([1.0, 2.0])).mean
        whole, doubled = (codec.encode_batch(collate([c]), placed.patches).mean[0] for c in (once, twice))
    torch.testing.assert_close(scaled[0], whole, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(scaled[1], doubled, atol=1e-4, rtol=1e-5)


def test_what_is_encoded_is_decoded_batched_or_not(codec):
    other = Crystal(SALT.lattice * 1.02, SALT.frac_coords, np.array([19, 35]), "other")
    latents = codec.encode([SALT, other], refine=False)
    assert latents[0].z.shape == (np.prod(latents[0].patches), codec.config.network.latent)
    alone = codec.encode([SALT], refine=False)
    np.testing.assert_allclose(latents[0].z, alone[0].z, atol=1e-4)
    decoded = codec.decode_crystals(latents)
    assert len(decoded) == 2
    for found in decoded:
        assert found is None or np.isfinite(found.crystal.frac_coords).all()


def test_saving_and_loading_keep_what_it_does(codec, tmp_path):
    codec.save_pretrained(tmp_path)
    back = Codec.from_pretrained(tmp_path)
    assert back.config == codec.config
    np.testing.assert_allclose(
        back.encode([SALT], refine=False)[0].z, codec.encode([SALT], refine=False)[0].z, atol=3e-2, rtol=3e-2
    )


def test_windows_have_atoms_and_the_papers_networks_a_density(codec):
    latents = codec.encode([SALT], refine=False)
    if codec.config.representation.kind == "periodic":
        with pytest.raises(TypeError, match="of no window"):
            decode_windows(codec, latents)
        return
    (atoms,) = decode_windows(codec, latents)
    assert len(atoms.positions) == len(atoms.numbers)
    assert codec.decodes_density == (codec.config.network.kind != "patch")
    if codec.decodes_density:
        assert decode_densities(codec, latents)[0].shape == (30, 30, 30)
        return
    with pytest.raises(TypeError, match="decodes atoms only"):
        decode_densities(codec, latents)


def test_the_papers_networks_see_the_papers_density():
    codec = opened("hoffmann-repeating")
    placed = niggli(SALT)[0].translated(codec.representation.origin(niggli(SALT)[0], 0))
    batch = codec.representation.collate([placed])
    expected = codec.network.vae.encode(codec.representation.density(batch)).mean.detach().numpy()
    np.testing.assert_allclose(codec.encode([SALT])[0].z, expected, atol=1e-5)


def test_atoms_are_read_off_the_decoded_density_where_that_is_asked_for(monkeypatch):
    codec = opened("hoffmann-unit_cell")
    latents = codec.encode([SALT])
    true = codec.representation.density(codec.representation.collate([niggli(SALT)[0].translated(latents[0].origin)]))
    monkeypatch.setattr(codec.network.vae, "decode", lambda *_: true)
    codec.find_by("density")
    (decoded,) = codec.decode_crystals(latents)
    assert sorted(decoded.crystal.numbers) == [11, 17]
    assert deviation(SALT, FoundAtoms(decoded.crystal.frac_coords, decoded.crystal.numbers, np.ones(2), 1.0)) < 0.01
