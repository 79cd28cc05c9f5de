"""The errors of what the `patch` network says are lowest at the truth."""

import math

import numpy as np
import pytest
import torch

from xtalcodec.crystal import Crystal
from xtalcodec.networks.decoded_field import DecodedField, SpeciesLogits, errors
from xtalcodec.representations.base import Targets
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.periodic import Periodic, PeriodicConfig


def crystal(sites, seed=0):
    """Random sites in a cube of two patches along each axis."""
    rng = np.random.default_rng(seed)
    return Crystal(4.2 * np.eye(3), rng.random((sites, 3)), rng.integers(1, 101, sites))


def perfect(space, batch, patches):
    """Targets, and the field that meets them."""
    targets = space.targets(batch, patches)
    offset = torch.zeros(targets.heat.numel(), 3)
    offset[targets.near] = targets.offset
    heat = torch.logit(targets.heat, eps=1e-6)
    return targets, DecodedField(heat, offset.view(*targets.heat.shape, 3), torch.zeros(*targets.heat.shape, 5))


def loss_of(*what):
    """The mean of every error, as in training."""
    return {name: error.mean() for name, error in errors(*what).items()}


def test_every_term_of_the_loss_is_lowest_at_the_truth():
    patches = (2, 2, 2)
    batch = CrystalBatch.collate([crystal(3, seed) for seed in range(2)])
    targets, decoded = perfect(Periodic(PeriodicConfig()), batch, patches)
    shares = batch.shares(101)[batch.mask]
    logits = 20.0 * shares
    best = loss_of(decoded, targets, SpeciesLogits(logits), shares)
    assert set(best) == {"heat", "offset", "species"}
    assert best["offset"].item() == 0
    assert best["species"].item() < 1e-5
    torch.manual_seed(0)
    for _ in range(5):
        noisy = DecodedField(
            decoded.heat + 0.5 * torch.randn_like(decoded.heat),
            decoded.offset + 0.5 * torch.randn_like(decoded.offset),
            decoded.features,
        )
        worse = loss_of(noisy, targets, SpeciesLogits(logits + 9 * torch.randn_like(logits)), shares)
        for name, value in best.items():
            assert 0 <= value.item() < worse[name].item(), name


def test_offsets_far_from_atoms_cost_nothing():
    patches = (2, 2, 2)
    batch = CrystalBatch.collate([crystal(2)])
    targets, decoded = perfect(Periodic(PeriodicConfig()), batch, patches)
    far = torch.ones(targets.heat.numel(), dtype=torch.bool)
    far[targets.near] = False
    offset = decoded.offset + 7 * far.view(1, -1, 1)
    species = SpeciesLogits(torch.zeros(2, 101))
    field = DecodedField(decoded.heat, offset, decoded.features)
    loss = loss_of(field, targets, species, batch.shares(101)[0])
    assert loss["offset"].item() == 0
    assert loss["species"].item() == pytest.approx(math.log(101), rel=1e-5)


def test_heat_weighs_warm_voxels_more():
    targets = Targets(torch.tensor([[0.0, 1.0]]), torch.tensor([1]), torch.zeros(1, 3))
    species, shares = SpeciesLogits(torch.zeros(1, 101)), torch.eye(101)[:1]

    def heat(logits):
        field = DecodedField(torch.tensor([logits]), torch.zeros(1, 2, 3), torch.zeros(1, 2, 5))
        return loss_of(field, targets, species, shares)["heat"].item()

    missed, invented = heat([-9.0, -9.0]), heat([9.0, 9.0])
    assert missed == pytest.approx(21 * invented, rel=1e-3)
    # 10 × the mean over two voxels of weight × −log(1 − sigmoid(9)).
    assert invented == pytest.approx(10 * 9 / 2, rel=1e-2)
