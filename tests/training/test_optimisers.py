"""Optimisers and the length of their schedule."""

import pytest
import torch

from xtalcodec.models.patch import PatchConfig, PatchNetwork
from xtalcodec.settings import SettingsError
from xtalcodec.training.optimisers import OptimiserConfig, open_optimisers

TINY = PatchNetwork(PatchConfig(width=12, heads=2, encoder_layers=1, decoder_layers=1))


@pytest.mark.parametrize("kind", ["muon", "adamw", "sgd"])
def test_every_weight_has_one_optimiser(kind):
    optimisers = open_optimisers(TINY, OptimiserConfig(kind=kind))
    held = [id(p) for o in optimisers.values() for group in o.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in TINY.parameters())
    assert all(hasattr(OptimiserConfig(), name) for name in optimisers)  # the names are those of the rates


def test_muon_takes_hidden_matrices_only():
    (muon,) = open_optimisers(TINY, OptimiserConfig())["muon"].param_groups
    names = {name for name, p in TINY.named_parameters() if id(p) in {id(q) for q in muon["params"]}}
    assert {"embed.weight", "decoder.0.mlp.0.weight"} <= names
    assert not any("bias" in name or "latent" in name for name in names)


def test_the_papers_is_plain_descent():
    sgd = open_optimisers(TINY, OptimiserConfig(kind="sgd"))["sgd"]
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["lr"], sgd.defaults["momentum"]) == (1e-7, 0.5)


def test_epochs_count_views():
    assert OptimiserConfig(epochs=100.0, patches=18).length(1800) == 10_000
    assert OptimiserConfig(steps=7).length(1800) == 7


def test_an_unknown_kind_is_named():
    with pytest.raises(SettingsError, match="no optimiser 'adam'; have adamw, muon, sgd"):
        open_optimisers(TINY, OptimiserConfig(kind="adam"))
