"""Which class settings are for, and which settings no class is for."""

import gc
from typing import Literal

import numpy as np
import pytest
import torch

from xtalcodec import config
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.contract import NOTHING
from xtalcodec.codecs.hub import pretrained
from xtalcodec.codecs.misfit import deviation
from xtalcodec.codecs.registry import class_of, classes, load_config, open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.config import SettingsError, build
from xtalcodec.crystal import Crystal
from xtalcodec.networks.base import Network, NetworkConfig
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.hoffmann import HoffmannConfig
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.training.recipe import Recipe


def test_one_class_joins_each_network_with_each_representation():
    pairs = [(c.networks, r) for c in classes() for r in c.representations]
    assert len(set(pairs)) == len(pairs)
    for codec in classes():
        for representation in codec.representations:
            assert class_of(CodecConfig("x", representation(), codec.networks())) is codec


@pytest.mark.parametrize("name", pretrained())
def test_codecs_in_the_box_have_a_class(name):
    codec = Codec.from_pretrained(name)
    settings = codec.config
    assert type(codec) is class_of(settings)
    assert codec.networks is type(settings.network)
    assert type(settings.representation) in codec.representations


def test_old_keys_of_settings_are_understood():
    told = []
    old = load_config({"space": {"kind": "unit_cell"}, "sites": {"threshold": 0.4}}, told.append)
    new = {"representation": {"kind": "unit_cell"}, "atom_finder": {"threshold": 0.4}}
    assert old == load_config(new)
    assert told == ["space is called representation now", "sites is called atom_finder now"]
    with pytest.raises(SettingsError, match="space is the old name of representation: give one of them"):
        load_config({"space": {}, "representation": {}})


def test_the_papers_networks_work_on_windows_only():
    with pytest.raises(SettingsError, match=r"'hoffmann' works on unit_cell or repeating, not on .*kind=periodic"):
        open_codec(CodecConfig("no", PeriodicConfig(), HoffmannConfig(scale=0.03)))


def test_a_patch_has_one_number_of_voxels():
    with pytest.raises(SettingsError, match=r"network\.patch is 5 and codec\.representation\.patch 4"):
        open_codec(CodecConfig("no", PeriodicConfig(), PatchConfig(patch=5)))


def test_a_window_whose_density_is_encoded_is_one_patch_with_all_that_reaches_in():
    with pytest.raises(SettingsError, match="one latent vector for the whole window"):
        open_codec(CodecConfig("no", UnitCellConfig(), HoffmannConfig(scale=0.03)))
    with pytest.raises(SettingsError, match="outside of the window show in its density"):
        open_codec(CodecConfig("no", RepeatingConfig(patches=1), HoffmannConfig(scale=0.03)))


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

        def find_atoms(self, z, lattice, patches, known=NOTHING):  # noqa: ARG002
            return [FoundAtoms.known(row[:1, :3].double().numpy(), row[:1, 3].long().numpy()) for row in z]

        def loss(self, batch, patches, config):  # noqa: ARG002
            return {}, {}

    assert MeanCodec in classes()
    settings = {"name": "toy", "network": {"kind": "toy-mean"}}
    codec = open_codec(load_config(settings))
    assert type(codec) is MeanCodec
    recipe = build(Recipe, {"codec": settings, "seed": 3})
    assert recipe.codec == codec.config
    assert class_of(recipe.codec) is MeanCodec
    iron = Crystal(2.5 * np.eye(3), np.array([[0.1, 0.2, 0.3]]), np.array([26]), "iron")
    (decoded,) = codec.decode_crystals(codec.encode([iron]))
    assert deviation(iron, FoundAtoms.known(decoded.crystal.frac_coords, decoded.crystal.numbers)) < 1e-5
    with pytest.raises(SettingsError, match=r"no network\.kind 'toy-maen'.*Did you mean 'toy-mean'"):
        load_config({"network": {"kind": "toy-maen"}})
    with pytest.raises(SettingsError, match=r"'toy-mean' works on periodic, not on .*\.kind=repeating"):
        open_codec(load_config(settings | {"representation": {"kind": "repeating"}}))
    del MeanCodec, MeanConfig, codec, recipe
    gc.collect()
    assert not [c for c in classes() if c.__name__ == "MeanCodec"], "what a test registers ends with it"
