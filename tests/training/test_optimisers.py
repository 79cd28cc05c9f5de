"""Optimisers and the length of their schedule."""

import pytest
import torch

from xtalcodec.config import SettingsError, build
from xtalcodec.networks.hoffmann import Hoffmann, HoffmannConfig
from xtalcodec.networks.patch import PatchConfig, PatchNetwork
from xtalcodec.training import optimisers
from xtalcodec.training.optimisers import POLYNOMIAL, Muon, OptimiserConfig, open_optimisers, orthogonal

TINY = PatchNetwork(PatchConfig(width=12, heads=2, encoder_layers=1, decoder_layers=1))


def weights_of(optimiser):
    return [p for group in optimiser.param_groups for p in group["params"]]


@pytest.mark.parametrize("kind", ["muon", "adamw", "sgd"])
def test_every_weight_has_one_optimiser(kind):
    optimisers = open_optimisers(TINY, OptimiserConfig(kind=kind))
    held = [id(p) for o in optimisers.values() for p in weights_of(o)]
    assert sorted(held) == sorted(id(p) for p in TINY.parameters())
    assert all(hasattr(OptimiserConfig(), f"lr_{name}") for name in optimisers)  # the names are those of the rates


@pytest.mark.parametrize("kind", ["muon", "adamw"])
@pytest.mark.parametrize(
    "network", [TINY, Hoffmann(HoffmannConfig(scale=1 / 32))], ids=lambda network: type(network).__name__
)
def test_matrices_and_kernels_decay_and_norms_and_biases_do_not(network, kind):
    names, decays = {id(p): name for name, p in network.named_parameters()}, {}
    for optimiser in open_optimisers(network, OptimiserConfig(kind=kind, lr_head=0.1, weight_decay=0.03)).values():
        decays |= {names[id(p)]: group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert decays == {name: 0.03 * (p.ndim > 1) for name, p in network.named_parameters()}
    assert {name for name, decay in decays.items() if not decay} >= {n for n in decays if n.endswith(".bias")}
    assert set(decays.values()) == {0.0, 0.03}


def test_without_a_gradient_of_the_loss_only_what_decays_moves():
    torch.manual_seed(0)
    network = PatchNetwork(PatchConfig(width=12, heads=2, encoder_layers=1, decoder_layers=1))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for p in network.parameters():
        p.data.add_(0.5)
        p.grad = torch.zeros_like(p)
    for optimiser in open_optimisers(network, OptimiserConfig(kind="adamw", weight_decay=0.5, lr_adamw=0.1)).values():
        optimiser.step()
    for name, p in network.named_parameters():
        shrunk = 0.95 if p.ndim > 1 else 1.0
        torch.testing.assert_close(p.detach(), shrunk * (before[name] + 0.5), msg=name)


def test_rates_rise_and_fall():
    config = OptimiserConfig(lr_muon=0.4, warmup=4)
    assert [config.rate("muon", step, 0.0) for step in (0, 1, 3, 100)] == pytest.approx([0.1, 0.2, 0.4, 0.4])
    assert config.rate("muon", 100, 0.75) == pytest.approx(0.1)
    assert OptimiserConfig(lr_adamw=0.4, decay=False).rate("adamw", 100, 0.75) == 0.4


def test_muon_takes_hidden_matrices_only():
    muon = {id(p) for p in weights_of(open_optimisers(TINY, OptimiserConfig())["muon"])}
    names = {name for name, p in TINY.named_parameters() if id(p) in muon}
    assert {"embed.weight", "decoder.0.mlp.0.weight"} <= names
    assert not any("bias" in name or "latent" in name for name in names)


def test_the_papers_is_plain_descent():
    sgd = open_optimisers(TINY, OptimiserConfig(kind="sgd"))["sgd"]
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["lr"], sgd.defaults["momentum"]) == (1e-7, 0.5)


def test_epochs_are_passes_over_the_crystals():
    assert OptimiserConfig(epochs=100.0).length(1800, 18.0) == 10_000
    assert OptimiserConfig(epochs=100.0).length(1800, 2 * 9.0) == 10_000
    assert OptimiserConfig(steps=7).length(1800, 18.0) == 7


def test_an_unknown_kind_is_named():
    with pytest.raises(SettingsError, match="kind: input should be 'muon', 'adamw' or 'sgd', not 'adam'"):
        build(OptimiserConfig, {"kind": "adam"})


def test_muon_steps_on_kernels_as_torchs_does_on_matrices():
    torch.manual_seed(0)
    layer = torch.nn.Conv3d(4, 8, 3).to(memory_format=torch.channels_last_3d)
    matrix = torch.nn.Parameter(layer.weight.detach().flatten(1).clone())
    ours, theirs = Muon([layer.weight], 0.1, 0.01), torch.optim.Muon([matrix], lr=0.1, weight_decay=0.01)
    assert ours.defaults.keys() == {"lr", "weight_decay"}, "no setting that no recipe has"
    for _ in range(3):
        layer.weight.grad = torch.randn_like(layer.weight)
        matrix.grad = layer.weight.grad.flatten(1).clone()
        ours.step()
        theirs.step()
        ours.zero_grad()
    assert layer.weight.grad is None
    torch.testing.assert_close(layer.weight.flatten(1), matrix, atol=4e-3, rtol=0)  # products are in bfloat16


def test_the_papers_networks_have_kernels_for_muon():
    network = Hoffmann(HoffmannConfig(scale=1 / 32))
    muon = {id(p) for p in weights_of(open_optimisers(network, OptimiserConfig())["muon"])}
    names = {name for name, p in network.named_parameters() if id(p) in muon}
    assert {"vae.encoder.1.0.weight", "vae.mean.weight", "segment.descent.4.0.0.weight"} <= names
    assert not any("bias" in name or "classify" in name for name in names)
    whole = open_optimisers(network, OptimiserConfig(lr_head=0.1))
    assert {id(p) for p in weights_of(whole["head"])} == {id(p) for p in network.segment.classify.parameters()}
    assert sorted(id(p) for o in whole.values() for p in weights_of(o)) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize(("bf16", "error"), [(False, 1e-4), (True, 0.04)])
@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (12, 12)])
def test_orthogonalising_keeps_singular_vectors_and_evens_singular_values(shape, bf16, error, monkeypatch):
    monkeypatch.setattr(optimisers, "multiplies_bf16", lambda _device: bf16)
    torch.manual_seed(0)
    gradient = torch.randn(shape)
    out = orthogonal(gradient)
    u, s, v = torch.linalg.svd(gradient, full_matrices=False)
    inner = u.T @ out @ v.T  # diagonal: the polynomial changes singular values alone
    torch.testing.assert_close(inner, inner.diagonal().diag(), atol=error, rtol=0)
    values = s / s.norm()
    for _ in range(5):
        a, b, c = POLYNOMIAL
        values = a * values + b * values**3 + c * values**5
    torch.testing.assert_close(inner.diagonal(), values, atol=2 * error, rtol=1e-3)
