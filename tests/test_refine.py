from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.crystal import Crystal
from xtalcodec.fields.batch import CrystalBatch
from xtalcodec.fields.periodic import Periodic, PeriodicConfig
from xtalcodec.models.patch import PatchConfig, PatchNetwork
from xtalcodec.refine import RefineConfig, comes_back, refine
from xtalcodec.sites import Sites, SitesConfig, interpolate, read_sites

SPACE = Periodic(PeriodicConfig())
PATCHES = (1, 1, 1)
TINY = PatchConfig(channels=4, width=48, heads=2, encoder_layers=1, decoder_layers=1, latent=8, features=8, species=20)

CRYSTALS = [
    Crystal(np.eye(3) * 2.8, np.array([[0.1, 0.2, 0.3], [0.6, 0.7, 0.8]]), np.array([11, 17]), "salt"),
    Crystal(np.eye(3) * 2.6, np.array([[0.5, 0.5, 0.2]]), np.array([3]), "lithium"),
]


def sites_of(crystal):
    """The crystal as a reader would tell it, in another order."""
    frac_coords, numbers = crystal.frac_coords[::-1].copy(), crystal.numbers[::-1].copy()
    return Sites(frac_coords, numbers, np.ones(len(crystal)), 1.0)


def moved(sites, k, angstrom, lattice):
    """Sites of which one is displaced along a."""
    frac_coords = sites.frac_coords.copy()
    frac_coords[k, 0] += angstrom / lattice[0, 0]
    return replace(sites, frac_coords=frac_coords)


def test_the_same_atoms_come_back_in_any_order_and_cell():
    for crystal in CRYSTALS:
        sites = sites_of(crystal)
        assert comes_back(crystal, sites, RefineConfig())
        assert comes_back(crystal, replace(sites, frac_coords=sites.frac_coords + np.array([3, -1, 0])), RefineConfig())


def test_an_atom_comes_back_within_the_tolerance_only():
    crystal, config = CRYSTALS[0], RefineConfig(tolerance=0.05)
    for displacement, back in ((0.049, True), (-0.049, True), (0.051, False), (1.4, False)):
        assert comes_back(crystal, moved(sites_of(crystal), 1, displacement, crystal.lattice), config) is back


def test_atoms_at_the_edge_of_the_cell_come_back():
    crystal = Crystal(np.eye(3) * 3, np.array([[0.0, 0.999999999, 0.0]]), np.array([1]))
    sites = Sites(np.array([[0.999, 0.001, 0.0]]), np.array([1]), np.ones(1), 1.0)
    assert comes_back(crystal, sites, RefineConfig())


@pytest.mark.parametrize("wrong", ["species", "swapped", "missing", "extra", "double", "none"])
def test_what_is_not_the_crystal_has_not_come_back(wrong):
    crystal = CRYSTALS[0]
    x, z = sites_of(crystal).frac_coords, sites_of(crystal).numbers
    x, z = {
        "species": (x, np.array([17, 12])),
        "swapped": (x, z[::-1].copy()),
        "missing": (x[:1], z[:1]),
        "extra": (np.vstack([x, [[0.4, 0.4, 0.4]]]), np.append(z, 1)),
        "double": (x[[0, 0]], z[[0, 0]]),
        "none": (x[:0], z[:0]),
    }[wrong]
    assert not comes_back(crystal, Sites(x, z, np.ones(len(z)), 1.0), RefineConfig())


def test_two_atoms_on_one_place_are_not_two_atoms():
    near = Crystal(np.eye(3) * 3, np.array([[0.5, 0.5, 0.5], [0.51, 0.5, 0.5]]), np.array([1, 1]))
    sites = Sites(np.array([[0.505, 0.5, 0.5], [0.9, 0.5, 0.5]]), np.array([1, 1]), np.ones(2), 1.0)
    assert not comes_back(near, sites, RefineConfig())


def loss(network, crystals, z):
    """The decoder's loss per batch, as refinement sees it."""
    batch = CrystalBatch.collate(crystals)
    which, _ = batch.mask.nonzero(as_tuple=True)
    grid = SPACE.grid(PATCHES)
    decoded = network.decode(z, batch.lattice, PATCHES)
    species = network.species(interpolate(decoded.features, which, batch.frac_coords[batch.mask] * grid[0], grid))
    return sum(network.loss(decoded, SPACE.targets(batch, PATCHES), species, batch.numbers[batch.mask]).values())


@pytest.fixture(scope="module")
def untrained() -> PatchNetwork:
    torch.manual_seed(0)
    return PatchNetwork(TINY).eval()


@pytest.fixture(scope="module")
def trained():
    """A decoder that has learnt two crystals by heart, and their latents."""
    torch.manual_seed(0)
    network, z = PatchNetwork(TINY), torch.randn(2, 1, 8)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3)
    for _ in range(150):
        optimiser.zero_grad()
        loss(network, CRYSTALS, z + 0.05 * torch.randn_like(z)).backward()
        optimiser.step()
    return network.eval(), z


def reader(network):
    def read(z, lattice):
        with torch.no_grad():
            decoded = network.decode(z, lattice, PATCHES)
            return read_sites(decoded, network, SPACE, PATCHES, torch.arange(1, 21), SitesConfig())

    return read


def test_refining_brings_crystals_back(trained):
    network, z = trained
    torch.manual_seed(2)
    guess = z + torch.randn_like(z)
    config, read = RefineConfig(steps=200), reader(network)
    lattice = CrystalBatch.collate(CRYSTALS).lattice

    def back(latent):
        return [comes_back(c, s, config) for c, s in zip(CRYSTALS, read(latent, lattice), strict=True)]

    assert back(z) == [True, True]
    assert back(guess) != [True, True]
    better = refine(network, SPACE, CRYSTALS, PATCHES, guess, read, config)
    assert back(better) == [True, True]
    assert loss(network, CRYSTALS, better) < loss(network, CRYSTALS, guess)


def test_refining_lowers_the_loss_of_any_decoder(untrained):
    guess = torch.zeros(2, 1, 8)
    accept = lambda _z, _lattice: [sites_of(c) for c in CRYSTALS]  # noqa: E731
    config = RefineConfig(steps=10, check=10)
    better = refine(untrained, SPACE, CRYSTALS, PATCHES, guess, accept, config)
    assert not better.requires_grad
    assert loss(untrained, CRYSTALS, better) < loss(untrained, CRYSTALS, guess)


def test_what_does_not_come_back_keeps_its_first_guess(untrained):
    guess = torch.full((2, 1, 8), 0.1)
    first_alone = lambda _z, _lattice: [sites_of(CRYSTALS[0]), sites_of(CRYSTALS[0])]  # noqa: E731
    better = refine(untrained, SPACE, CRYSTALS, PATCHES, guess, first_alone, RefineConfig(steps=4, check=2))
    assert (better[0] != guess[0]).any()
    assert (better[1] == guess[1]).all()
    nothing = lambda _z, _lattice: [sites_of(c) for c in CRYSTALS[::-1]]  # noqa: E731
    better = refine(untrained, SPACE, CRYSTALS, PATCHES, guess, nothing, RefineConfig(steps=4, check=2))
    assert (better == guess).all()
    assert (guess == 0.1).all()  # what was given is not written into


def test_a_latent_is_kept_as_soon_as_it_decodes_right(untrained):
    """One that has come back is not moved by the steps that others still need."""
    looks, kept = [], torch.zeros(2, 1, 8)

    def read(z, _lattice):
        looks.append(z.clone())
        return [sites_of(CRYSTALS[0]), sites_of(CRYSTALS[1] if len(looks) == 3 else CRYSTALS[0])]

    better = refine(untrained, SPACE, CRYSTALS, PATCHES, kept, read, RefineConfig(steps=100, check=2))
    assert len(looks) == 3
    assert (better[0] == looks[0][0]).all()
    assert (better[1] == looks[2][1]).all()


def test_the_network_is_left_as_it_was(untrained):
    before = {k: v.clone() for k, v in untrained.state_dict().items()}
    accept = lambda _z, _lattice: [sites_of(c) for c in CRYSTALS]  # noqa: E731
    refine(untrained, SPACE, CRYSTALS, PATCHES, torch.zeros(2, 1, 8), accept, RefineConfig(steps=3))
    assert all((untrained.state_dict()[k] == v).all() for k, v in before.items())
    assert all(p.grad is None for p in untrained.parameters())
