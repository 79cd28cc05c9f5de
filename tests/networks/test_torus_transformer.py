"""Displacements around the torus, the biases they give, and layers that know nothing but them."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from xtalcodec.networks.torus_transformer import (
    AT_ONCE,
    Attention,
    Block,
    LayerBias,
    TorusBias,
    _all_differences,
    differences,
    displacements,
    lattice_features,
)

ROUNDING = 1e-5
"""Of activations of about 1, after a few layers in float32."""


@pytest.mark.parametrize("patches", [(1, 1, 1), (1, 2, 3), (2, 3, 2), (1, 1, 7)])
def test_displacements_are_those_of_a_double_loop(patches):
    features = displacements(patches, torch.device("cpu"))
    cells = list(itertools.product(*map(range, patches)))
    index = differences(patches, torch.device("cpu"), 0, len(cells))
    assert index.shape == (len(cells), len(cells))
    for (i, here), (j, there) in itertools.product(enumerate(cells), repeat=2):
        d = [(a - b) % n for a, b, n in zip(here, there, patches, strict=True)]
        angles = [2 * math.pi * m * x / n for x, n in zip(d, patches, strict=True) for m in (1, 2, 3)]
        sines, cosines = (np.array([f(a) for a in angles]).reshape(3, 3) for f in (math.sin, math.cos))
        length = math.hypot(*(min(x, n - x) for x, n in zip(d, patches, strict=True)))
        radial = [math.exp(-0.5 * ((length - 0.75 * k) / 0.6) ** 2) for k in range(8)]
        near = [
            float(all((x - y) % n == 0 for x, y, n in zip(d, step, patches, strict=True)))
            for step in itertools.product((-1, 0, 1), repeat=3)
        ]
        truth = np.concatenate([np.concatenate([sines, cosines], 1).ravel(), radial, near])
        np.testing.assert_allclose(features[index[i, j]].numpy(), truth, atol=ROUNDING)


def test_the_bias_of_a_pair_depends_on_its_displacement_alone():
    torch.manual_seed(0)
    bias = torch.stack([layer.rows(0, 6) for layer in TorusBias(layers=2, heads=3)((1, 2, 3))]).detach()
    assert bias.shape == (2, 3, 6, 6)
    shifted = bias.view(2, 3, 2, 3, 2, 3).roll((1, 2, 1, 2), (2, 3, 4, 5)).reshape(bias.shape)
    torch.testing.assert_close(bias, shifted)
    assert bias.std(dim=(2, 3)).min() > 0


def test_displacements_made_in_inference_mode_still_train():
    displacements.cache_clear()
    with torch.inference_mode():
        displacements((1, 1, 2), torch.device("cpu"))
    TorusBias(layers=1, heads=1)((1, 1, 2))[0].rows(0, 2).sum().backward()


def test_lattice_features_are_logarithms_cosines_and_lengths_of_patches():
    lattice = np.random.default_rng(0).normal(size=(3, 3)) * 4
    a, b, c = lattice

    def cosine(u, v):
        return u @ v / np.linalg.norm(u) / np.linalg.norm(v)

    lengths = [np.linalg.norm(v) for v in lattice]
    truth = [*(math.log(x) - 1.5 for x in lengths), cosine(b, c), cosine(a, c), cosine(a, b)]
    truth += [x / n - 2 for x, n in zip(lengths, (1, 2, 3), strict=True)]
    features = lattice_features(torch.from_numpy(lattice[None]).float(), (1, 2, 3))
    np.testing.assert_allclose(features[0].numpy(), truth, atol=ROUNDING)


@torch.no_grad()
def test_attention_is_torchs_with_the_bias_as_its_mask():
    torch.manual_seed(0)
    layer, x, bias = Attention(12, 3), torch.randn(2, 5, 12), LayerBias(torch.randn(3, 5), (1, 1, 5))
    q, k, v = (part.unflatten(-1, (3, 4)).transpose(1, 2) for part in layer.qkv(x).chunk(3, -1))
    truth = layer.out(F.scaled_dot_product_attention(q, k, v, attn_mask=bias.rows(0, 5)).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(x, bias), truth, atol=ROUNDING, rtol=0)


@dataclass(frozen=True)
class Unseen:
    """A bias under which some of the first rows are not looked at."""

    unseen: torch.Tensor
    of: LayerBias

    def mix(self, qkv, mixed):
        return mixed(qkv, self)

    def rows(self, start, stop):
        return self.of.rows(start, stop)


@torch.no_grad()
def test_rows_that_are_not_looked_at_are_masked_for_each_crystal_alone():
    torch.manual_seed(0)
    layer, x, bias = Attention(12, 3), torch.randn(2, 5, 12), LayerBias(torch.randn(3, 5), (1, 1, 5))
    unseen = torch.tensor([[True, False], [False, True]])
    q, k, v = (part.unflatten(-1, (3, 4)).transpose(1, 2) for part in layer.qkv(x).chunk(3, -1))
    mask = bias.rows(0, 5).repeat(2, 1, 1, 1)
    mask[0, :, :, 0] = mask[1, :, :, 1] = -torch.inf
    truth = layer.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(x, Unseen(unseen, bias)), truth, atol=ROUNDING, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("patches", [(1, 2, 3), (2, 2, 2), (1, 1, 5)])
def test_a_layer_moves_with_its_patches(patches):
    torch.manual_seed(0)
    block, bias = Block(12, 3), TorusBias(layers=1, heads=3)(patches)[0]
    x = torch.randn(2, math.prod(patches), 12)

    def rolled(y):
        return y.view(2, *patches, 12).roll((1, 1, 2), (1, 2, 3)).reshape(y.shape)

    torch.testing.assert_close(block(rolled(x), bias), rolled(block(x, bias)), atol=ROUNDING, rtol=0)
    none = LayerBias(torch.zeros_like(bias.values), patches)
    assert not torch.allclose(block(x, bias), block(x, none), atol=1e-3)


@torch.no_grad()
def test_a_large_cell_attends_in_parts_as_a_small_one_does_at_once(monkeypatch):
    torch.manual_seed(0)
    patches = (3, 4, 5)
    layer, x = Attention(12, 3), torch.randn(2, 60, 12)
    bias = LayerBias(torch.randn(3, 60), patches)
    whole = layer(x, bias)
    monkeypatch.setattr("xtalcodec.networks.torus_transformer.AT_ONCE", 7 * 60)
    torch.testing.assert_close(layer(x, bias), whole, atol=ROUNDING, rtol=0)


def test_gradients_of_a_large_cell_are_those_of_a_small_one(monkeypatch):
    torch.manual_seed(0)
    layer, x = Attention(12, 3), torch.randn(2, 60, 12, requires_grad=True)
    bias = LayerBias(torch.randn(3, 60, requires_grad=True), (3, 4, 5))
    leaves = [x, bias.values, *layer.parameters()]
    whole = torch.autograd.grad(layer(x, bias).square().sum(), leaves)
    monkeypatch.setattr("xtalcodec.networks.torus_transformer.AT_ONCE", 7 * 60)
    for part, one in zip(torch.autograd.grad(layer(x, bias).square().sum(), leaves), whole, strict=True):
        torch.testing.assert_close(part, one, atol=1e-4, rtol=1e-4)


def test_what_is_kept_of_large_grids_is_bounded():
    """A quarter of a gigabyte at most, however many grids there are: a crystal of each grid may come once."""
    largest = 4 * AT_ONCE
    assert _all_differences.cache_info().maxsize * largest <= 2**28
    assert differences((2, 2, 2), torch.device("cpu"), 0, 8).element_size() == 4
