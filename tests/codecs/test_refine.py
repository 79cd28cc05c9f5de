from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.heat import find_by_heat
from xtalcodec.atom_finders.heat_field import HeatField, HeatFinderConfig, interpolate
from xtalcodec.codecs.misfit import deviation, misfit
from xtalcodec.codecs.refine import RefineConfig, refine
from xtalcodec.crystal import Crystal
from xtalcodec.networks.decoded_field import errors
from xtalcodec.networks.patch import PatchConfig, PatchNetwork
from xtalcodec.representations.base import spread_origin
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.periodic import Periodic, PeriodicConfig
from xtalcodec.representations.tori import Tori

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
    return FoundAtoms(frac_coords, numbers, np.ones(len(crystal)), 1.0)


def moved(sites, k, angstrom, lattice):
    """Sites of which one is displaced along a."""
    frac_coords = sites.positions.copy()
    frac_coords[k, 0] += angstrom / lattice[0, 0]
    return replace(sites, positions=frac_coords)


def test_the_same_atoms_come_back_in_any_order_and_cell():
    for crystal in CRYSTALS:
        sites = sites_of(crystal)
        assert deviation(crystal, sites) < 1e-2
        assert deviation(crystal, replace(sites, positions=sites.positions + np.array([3, -1, 0]))) < 1e-2


def test_deviation_is_the_distance_of_the_worst_site():
    crystal = CRYSTALS[0]
    for displacement in (0.0, 0.049, -0.051, 1.3):
        sites = moved(sites_of(crystal), 1, displacement, crystal.lattice)
        assert deviation(crystal, sites) == pytest.approx(abs(displacement), abs=1e-9)


def test_atoms_at_the_edge_of_the_cell_come_back():
    crystal = Crystal(np.eye(3) * 3, np.array([[0.0, 0.999999999, 0.0]]), np.array([1]))
    sites = FoundAtoms(np.array([[0.999, 0.001, 0.0]]), np.array([1]), np.ones(1), 1.0)
    assert deviation(crystal, sites) < 1e-2


@pytest.mark.parametrize("wrong", ["species", "swapped", "missing", "extra", "double", "none"])
def test_what_is_not_the_crystal_has_not_come_back(wrong):
    crystal = CRYSTALS[0]
    x, z = sites_of(crystal).positions, sites_of(crystal).numbers
    x, z = {
        "species": (x, np.array([17, 12])),
        "swapped": (x, z[::-1].copy()),
        "missing": (x[:1], z[:1]),
        "extra": (np.vstack([x, [[0.4, 0.4, 0.4]]]), np.append(z, 1)),
        "double": (x[[0, 0]], z[[0, 0]]),
        "none": (x[:0], z[:0]),
    }[wrong]
    assert deviation(crystal, FoundAtoms(x, z, np.ones(len(z)), 1.0)) > 0.5


def test_two_atoms_on_one_place_are_not_two_atoms():
    near = Crystal(np.eye(3) * 3, np.array([[0.5, 0.5, 0.5], [0.51, 0.5, 0.5]]), np.array([1, 1]))
    sites = FoundAtoms(np.array([[0.505, 0.5, 0.5], [0.9, 0.5, 0.5]]), np.array([1, 1]), np.ones(2), 1.0)
    assert deviation(near, sites) == np.inf


def loss(network, crystals, z):
    """The decoder's loss per batch, as refinement sees it."""
    batch = CrystalBatch.collate(crystals)
    which, _ = batch.mask.nonzero(as_tuple=True)
    grid = SPACE.grid(PATCHES)
    decoded, tori = network.decode(z, batch.lattice, PATCHES), Tori.of([grid] * len(crystals))
    position = batch.frac_coords[batch.mask] * grid[0]
    species = network.species(interpolate(decoded.features.flatten(0, 1), which, position, tori))
    shares = batch.shares(21)[batch.mask]
    found = errors(decoded, SPACE.targets(batch, PATCHES), species, shares)
    return sum(error.mean() for error in found.values())


def losses(network):
    """Crystals → the loss of their latents."""
    return lambda crystals: lambda z: loss(network, crystals, z)


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
            every = torch.ones(len(z), TINY.species + 1, dtype=torch.bool)
            tori = Tori.of([SPACE.grid(PATCHES)] * len(z))
            return find_by_heat(HeatField.of([decoded], SPACE, tori), network, lattice, every, HeatFinderConfig())

    return read


def test_refining_brings_crystals_back(trained):
    network, z = trained
    torch.manual_seed(2)
    guess = z + torch.randn_like(z)
    config, read = RefineConfig(steps=200, displaced=0.05), reader(network)
    lattice = CrystalBatch.collate(CRYSTALS).lattice

    def back(latent):
        return [deviation(c, s) < 0.05 for c, s in zip(CRYSTALS, read(latent, lattice), strict=True)]

    assert back(z) == [True, True]
    assert back(guess) != [True, True]
    better, misfits = refine(losses(network), CRYSTALS, guess, read, config)
    assert all(found.within(0.05) for found in misfits)
    assert back(better) == [True, True]
    assert loss(network, CRYSTALS, better) < loss(network, CRYSTALS, guess)


def story(*displacements):
    """A reader that tells one crystal, displaced so far (Å; None: nothing there), and notes the latents it is shown."""
    looks = []

    def read(z, _lattice):
        looks.append(z.clone())
        angstrom = displacements[len(looks) - 1]
        if angstrom is None:
            return [FoundAtoms(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), np.zeros(0), 1.0)]
        return [moved(sites_of(CRYSTALS[0]), 1, angstrom, CRYSTALS[0].lattice)]

    return read, looks


def refined(network, read, **settings):
    z, _ = refine(losses(network), CRYSTALS[:1], torch.full((1, 1, 8), 0.1), read, RefineConfig(**settings))
    return z


def test_refining_lowers_the_loss_of_any_decoder(untrained):
    read, _ = story(None, 0.0)
    better = refined(untrained, read, steps=10, check=10)
    assert not better.requires_grad
    assert loss(untrained, CRYSTALS[:1], better) < loss(untrained, CRYSTALS[:1], torch.full((1, 1, 8), 0.1))


def test_what_never_comes_back_keeps_its_first_guess(untrained):
    read, _ = story(None, None, None)
    assert (refined(untrained, read, steps=4, check=2) == 0.1).all()


def test_what_comes_back_at_once_is_not_moved(untrained):
    read, looks = story(0.01)
    assert (refined(untrained, read, displaced=0.02) == 0.1).all()
    assert len(looks) == 1


def test_the_best_latent_is_kept_and_a_good_one_ends_the_descent(untrained):
    read, looks = story(0.3, 0.1, None, 0.2)
    assert (refined(untrained, read, steps=6, check=2, displaced=0.02) == looks[1]).all()
    read, looks = story(None, 0.3, 0.01, 0.0)
    assert (refined(untrained, read, steps=6, check=2, displaced=0.02) == looks[2]).all()
    assert len(looks) == 3


def test_the_network_is_left_as_it_was(untrained):
    before = {k: v.clone() for k, v in untrained.state_dict().items()}
    read, _ = story(None, 0.0)
    refined(untrained, read, steps=3, check=3)
    assert all((untrained.state_dict()[k] == v).all() for k, v in before.items())
    assert all(p.grad is None for p in untrained.parameters())


def test_origins_start_at_zero_and_spread_over_the_cell():
    points = np.array([spread_origin(k) for k in range(64)])
    assert (points[0] == 0).all()
    assert ((points >= 0) & (points < 1)).all()
    octants = {tuple(p) for p in (points * 2).astype(int)}
    assert len(octants) == 8


def test_what_is_less_wrong_is_nearer():
    crystal = Crystal(np.eye(3) * 4, np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), np.array([26, 8]))

    def sites(frac, numbers, shares=None):
        return FoundAtoms(np.array(frac), np.array(numbers), np.ones(len(numbers)), occupancies=shares)

    places = crystal.frac_coords
    right = misfit(crystal, sites(places + 0.01, [26, 8]))
    assert right.wrong == 0
    assert np.isclose(right.displacement, 0.04 * np.sqrt(3))
    other = misfit(crystal, sites(places, [26, 16]))
    assert (other.wrong, other.displacement) == (1.0, 0.0)
    fewer = misfit(crystal, sites(places[:1], [26]))
    assert (fewer.wrong, fewer.displacement) == (2.0, np.inf)
    twice = misfit(crystal, sites([[0.25, 0.25, 0.25], [0, 0.5, 0]], [26, 8]))
    assert twice.wrong == 2.0
    assert right < other < fewer
    shares = np.zeros((2, 119))
    shares[0, [25, 26]], shares[1, 8] = (0.3, 0.7), 1.0
    mixed = replace(crystal, occupancies=shares)
    half = shares.copy()
    half[0, [25, 26]] = 0.5, 0.5
    near, far = misfit(mixed, sites(places, [26, 8], half)), misfit(mixed, sites(places, [26, 8]))
    assert np.isclose(near.wrong, 0.2)
    assert np.isclose(far.wrong, 0.3)
    assert not near.within(1.0)
    assert right.within(0.07)
