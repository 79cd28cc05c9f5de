import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.networks.decoded_field import errors
from xtalcodec.networks.patch import PatchConfig, PatchNetwork
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.periodic import Periodic, PeriodicConfig

few = settings(max_examples=10, deadline=None, derandomize=True)

ROUNDING = 1e-5
"""Of activations of about 1, after a few layers in float32."""

TINY = PatchConfig(channels=3, width=24, heads=2, encoder_layers=1, decoder_layers=2, latent=3, features=5)

GRIDS = [(1, 1, 1), (1, 1, 2), (1, 2, 3), (2, 2, 2), (1, 1, 15)]


@pytest.fixture(scope="module")
def network() -> PatchNetwork:
    torch.manual_seed(0)
    return PatchNetwork(TINY).eval().requires_grad_(requires_grad=False)


def crystal_on(patches, seed=0, sites=4):
    """A skewed crystal whose cell is cut into the given patches."""
    rng = np.random.default_rng(seed)
    lattice = 2.1 * np.diag(patches) + np.array([[0, 0.1, 0], [0, 0, 0.2], [0.1, 0, 0]])
    return Crystal(lattice, rng.random((sites, 3)), rng.integers(1, 101, sites))


def code(network, crystals, patches):
    """Mean latent and decoded field of some crystals."""
    space = Periodic(PeriodicConfig())
    batch = CrystalBatch.collate(crystals)
    latent = network.encode(space.paint(batch, network.weights(batch.numbers), patches), batch.lattice, patches)
    return latent, network.decode(latent.mean, batch.lattice, patches)


def test_batches_of_several_grids_are_coded_together_as_alone():
    """With noise that differs between the crystals, and without any."""
    torch.manual_seed(3)
    network = PatchNetwork(PatchConfig(width=12, heads=3, latent=3, features=5, noise=0.5)).eval()
    torch.nn.init.normal_(network.level.mlp[-1].weight, std=0.3)
    space = Periodic(PeriodicConfig())
    counts = {(1, 1, 2): 2, (1, 2, 3): 1, (2, 2, 2): 3}
    batches = [CrystalBatch.collate([crystal_on(grid, k) for k in range(n)]) for grid, n in counts.items()]
    fields = [space.paint(b, network.weights(b.numbers), grid) for b, grid in zip(batches, counts, strict=True)]
    lattice = torch.cat([batch.lattice for batch in batches])
    together = network.encode_each(fields, lattice, [*counts])
    strength = torch.rand(len(lattice)) / 2
    for noise in (None, strength):
        decoded = network.decode_each([latent.mean for latent in together], lattice, [*counts], noise)
        start = 0
        for field, batch, grid, latent, own in zip(fields, batches, counts, together, decoded, strict=True):
            alone = network.encode(field, batch.lattice, grid)
            torch.testing.assert_close(latent.mean, alone.mean, atol=1e-5, rtol=1e-5)
            told = None if noise is None else noise[start : start + len(batch)]
            start += len(batch)
            truth = network.decode(alone.mean, batch.lattice, grid, told)
            for name in ("heat", "offset", "features"):
                torch.testing.assert_close(getattr(own, name), getattr(truth, name), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("patches", GRIDS)
def test_shapes_follow_the_grid(network, patches):
    latent, decoded = code(network, [crystal_on(patches, 0), crystal_on(patches, 1, sites=6)], patches)
    tokens = math.prod(patches)
    assert latent.mean.shape == latent.log_var.shape == latent.sample().shape == (2, tokens, 3)
    assert latent.kl().shape == (2,)
    assert decoded.heat.shape == (2, 64 * tokens)
    assert decoded.offset.shape == (2, 64 * tokens, 3)
    assert decoded.features.shape == (2, 64 * tokens, 5)
    assert network.species(decoded.features[:, :7]).element.shape == (2, 7, 101)
    assert all(torch.isfinite(x).all() for x in (latent.mean, latent.log_var, decoded.heat, decoded.offset))


@few
@given(st.sampled_from(GRIDS), st.tuples(*[st.integers(-3, 3)] * 3))
def test_moving_a_crystal_by_patches_moves_tokens_and_field(network, patches, steps):
    crystal = crystal_on(patches)
    moved = crystal.translated(np.array(steps) / patches)
    (one, field), (other, field_of_other) = (code(network, [c], patches) for c in (crystal, moved))
    rolled = one.mean.view(1, *patches, 3).roll(steps, (1, 2, 3)).view_as(one.mean)
    torch.testing.assert_close(other.mean, rolled, atol=ROUNDING, rtol=0)
    grid, voxels = [4 * n for n in patches], [4 * k for k in steps]
    for name in ("heat", "offset", "features"):
        a, b = (getattr(f, name).view(1, *grid, -1) for f in (field, field_of_other))
        torch.testing.assert_close(b, a.roll(voxels, (1, 2, 3)), atol=ROUNDING, rtol=0)


def test_a_crystal_decodes_alike_alone_and_in_company(network):
    patches = (1, 2, 2)
    crystals = [crystal_on(patches, seed, sites=1 + 3 * seed) for seed in range(3)]
    together = code(network, crystals, patches)
    for k, crystal in enumerate(crystals):
        alone = code(network, [crystal], patches)
        torch.testing.assert_close(together[0].mean[k], alone[0].mean[0], atol=ROUNDING, rtol=0)
        torch.testing.assert_close(together[1].heat[k], alone[1].heat[0], atol=ROUNDING, rtol=0)


def test_the_order_of_sites_does_not_matter(network):
    patches = (1, 2, 2)
    crystal = crystal_on(patches, sites=7)
    order = np.random.default_rng(1).permutation(7)
    other = Crystal(crystal.lattice, crystal.frac_coords[order], crystal.numbers[order])
    latents = [code(network, [c], patches)[0].mean for c in (crystal, other)]
    torch.testing.assert_close(*latents, atol=ROUNDING, rtol=0)


def test_a_turned_cell_has_the_same_latent(network):
    patches = (1, 2, 2)
    crystal = crystal_on(patches)
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    turned = Crystal(crystal.lattice @ turn, crystal.frac_coords, crystal.numbers)
    latents = [code(network, [c], patches)[0].mean for c in (crystal, turned)]
    torch.testing.assert_close(*latents, atol=ROUNDING, rtol=0)


def test_tokens_are_the_patches_in_c_order():
    """An encoder without mixing tells which voxels a token sees; a decoder, which it writes."""
    torch.manual_seed(0)
    network = PatchNetwork(PatchConfig(channels=1, width=12, heads=1, latent=2))
    network.encoder, network.decoder = torch.nn.ModuleList(), torch.nn.ModuleList()
    patches, lattice = (1, 2, 3), torch.eye(3)[None] * 6
    field = torch.randn(1, 4, 8, 12, 1)
    changed = field.clone()
    changed[0, 1, 5, 10] += 1  # patch (0, 1, 2)
    tokens = [network.encode(f, lattice, patches).mean for f in (field, changed)]
    assert (tokens[0] != tokens[1]).any(-1).nonzero()[:, 1].tolist() == [5]
    z = tokens[0].detach().clone()
    z[0, 5] += 1
    heats = [network.decode(x, lattice, patches).heat.view(4, 8, 12) for x in (tokens[0], z)]
    different = (heats[0] != heats[1]).nonzero()
    assert different.amin(0).tolist() == [0, 4, 8]
    assert different.amax(0).tolist() == [3, 7, 11]
    assert len(different) == 64


def test_voxels_of_a_patch_are_in_c_order(network):
    """Weights know voxels by their place in the patch, both when it is embedded and when it is spread."""
    patches, grid = (1, 2, 3), (4, 8, 12)
    field = torch.rand(2, *grid, TINY.channels)
    embedded = []
    hook = network.embed.register_forward_pre_hook(lambda _, inputs: embedded.append(inputs[0]))
    network.encode(field, torch.eye(3).expand(2, 3, 3) * 4, patches)
    hook.remove()
    for token, corner in enumerate(itertools.product(*(range(0, n, 4) for n in grid))):
        block = field[(slice(None), *(slice(x, x + 4) for x in corner))]
        torch.testing.assert_close(embedded[0][:, token], 10 * block.reshape(2, -1))
    values = torch.rand(2, 6, 64 * 5)
    voxels = network.spread(values, patches).view(2, *grid, 5)
    for token, corner in enumerate(itertools.product(*(range(0, n, 4) for n in grid))):
        block = voxels[(slice(None), *(slice(x, x + 4) for x in corner))]
        assert (block.reshape(2, -1) == values[:, token]).all()


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_the_number_of_parameters_is_known():
    c = PatchConfig()
    block = 12 * c.width**2 + 13 * c.width  # attention 4 w² + 4 w, MLP 8 w² + 5 w, two norms 4 w
    truth = (
        (c.species + 1) * c.channels
        + (64 * c.channels + 1) * c.width
        + 2 * 10 * c.width
        + (53 + 1) * 96
        + 97 * 6 * c.heads
        + 6 * block
        + 2 * 2 * c.width
        + (c.width + 1) * 2 * c.latent
        + (c.latent + 1) * c.width
        + (c.width + 1) * 64 * (4 + c.features)
        + (c.features + 1) * 128
        + 129 * (c.species + 1)
    )
    assert parameters(PatchNetwork(c)) == truth


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    network, patches, space = PatchNetwork(TINY), (1, 2, 2), Periodic(PeriodicConfig())
    batch = CrystalBatch.collate([crystal_on(patches)])
    latent, decoded = code(network, [crystal_on(patches)], patches)
    species = network.species(decoded.features[0, :4])
    found = errors(decoded, space.targets(batch, patches), species, batch.shares(101)[0])
    (sum(error.mean() for error in found.values()) + latent.kl().sum()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
