"""Networks at work on representations: the same contract for all."""

import gc
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch

from xtalcodec import config
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.base import Codec, CodecConfig
from xtalcodec.codecs.refine import deviation
from xtalcodec.codecs.registry import load_config, open_codec
from xtalcodec.codecs.windows import decode_densities, decode_windows
from xtalcodec.config import SettingsError
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.niggli import niggli
from xtalcodec.networks.base import Network, NetworkConfig
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.hoffmann import HoffmannConfig
from xtalcodec.networks.modes import LinearConfig
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig

SALT = Crystal(
    4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]), "salt"
)
PATCH = PatchConfig(width=24, heads=2, encoder_layers=1, decoder_layers=1)
HOFFMANN = HoffmannConfig(scale=0.03)
PAPER = {"patches": 1, "skin": 0.0, "reach": 5.7}
PAIRS = {
    "patch-periodic": (PeriodicConfig(), PATCH),
    "patch-unit_cell": (UnitCellConfig(), PATCH),
    "patch-repeating": (RepeatingConfig(), PATCH),
    "hoffmann-unit_cell": (UnitCellConfig(**PAPER), HOFFMANN),
    "hoffmann-repeating": (RepeatingConfig(**PAPER), HOFFMANN),
    "linear-unit_cell": (UnitCellConfig(**PAPER), LinearConfig()),
}


@pytest.fixture(params=PAIRS)
def codec(request):
    torch.manual_seed(0)
    space, network = PAIRS[request.param]
    return open_codec(CodecConfig(request.param, space, network))


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
    codec = open_codec(CodecConfig("paper", *PAIRS["hoffmann-repeating"]))
    placed = niggli(SALT)[0].translated(codec.representation.origin(niggli(SALT)[0], 0))
    batch = codec.representation.collate([placed])
    expected = codec.network.vae.encode(codec.representation.density(batch)).mean.detach().numpy()
    np.testing.assert_allclose(codec.encode([SALT])[0].z, expected, atol=1e-5)


def test_atoms_are_read_off_the_decoded_density_where_that_is_asked_for(monkeypatch):
    codec = open_codec(CodecConfig("paper", *PAIRS["hoffmann-unit_cell"]))
    latents = codec.encode([SALT])
    true = codec.representation.density(codec.representation.collate([niggli(SALT)[0].translated(latents[0].origin)]))
    monkeypatch.setattr(codec, "decode_density", lambda _: true)
    codec.find_by("density")
    (decoded,) = codec.decode_crystals(latents)
    assert sorted(decoded.crystal.numbers) == [11, 17]
    assert deviation(SALT, FoundAtoms(decoded.crystal.frac_coords, decoded.crystal.numbers, np.ones(2), 1.0)) < 0.01


def test_the_papers_networks_work_on_windows_only():
    with pytest.raises(SettingsError, match=r"'hoffmann' works on unit_cell or repeating, not on .*kind=periodic"):
        open_codec(CodecConfig("no", PeriodicConfig(), HOFFMANN))


def test_a_patch_has_one_number_of_voxels():
    with pytest.raises(SettingsError, match=r"network\.patch is 5 and codec\.representation\.patch 4"):
        open_codec(CodecConfig("no", PeriodicConfig(), replace(PATCH, patch=5)))


def test_a_window_whose_density_is_encoded_is_one_patch_with_all_that_reaches_in():
    with pytest.raises(SettingsError, match="one latent vector for the whole window"):
        open_codec(CodecConfig("no", UnitCellConfig(), HOFFMANN))
    with pytest.raises(SettingsError, match="outside of the window show in its density"):
        open_codec(CodecConfig("no", RepeatingConfig(patches=1), HOFFMANN))


def test_a_new_network_is_two_classes_and_a_dictionary():
    """No file of the package knows them; the settings name them by their kind."""

    @config.settings
    class MeanConfig(NetworkConfig):
        kind: Literal["toy-mean"] = "toy-mean"
        latent: int = 4
        species: int = 100

    class MeanCodec(Codec):
        networks = MeanConfig
        representations = (PeriodicConfig,)

        def _open_network(self):
            return Network()

        def encode_batch(self, batch, patches, scale=None):  # noqa: ARG002
            z = torch.zeros(len(batch), int(np.prod(patches)), 4)
            z[:, 0, :3], z[:, 0, 3] = batch.frac_coords[:, 0], batch.numbers[:, 0].float()
            return DiagonalGaussian(z, torch.zeros_like(z))

        def find_atoms(self, z, lattice, patches):  # noqa: ARG002
            return [FoundAtoms.known(row[:1, :3].double().numpy(), row[:1, 3].long().numpy()) for row in z]

        def loss(self, batch, patches, config):  # noqa: ARG002
            return {}, {}

    codec = open_codec(load_config({"name": "toy", "network": {"kind": "toy-mean"}}))
    assert type(codec) is MeanCodec
    iron = Crystal(2.5 * np.eye(3), np.array([[0.1, 0.2, 0.3]]), np.array([26]), "iron")
    (decoded,) = codec.decode_crystals(codec.encode([iron]))
    assert deviation(iron, FoundAtoms.known(decoded.crystal.frac_coords, decoded.crystal.numbers)) < 1e-5
    with pytest.raises(SettingsError, match=r"no network\.kind 'toy-maen'.*Did you mean 'toy-mean'"):
        load_config({"network": {"kind": "toy-maen"}})
    del MeanCodec, codec
    gc.collect()
