from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.heat import find_by_heat
from xtalcodec.atom_finders.heat_field import HeatField, HeatFinderConfig, interpolate
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.niggli import niggli
from xtalcodec.networks.decoded_field import DecodedField
from xtalcodec.networks.patch import PatchConfig, PatchNetwork
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.periodic import Periodic, PeriodicConfig
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.tori import Tori
from xtalcodec.testing import crystals

few = settings(max_examples=20, deadline=None, derandomize=True)

POSITION = 1e-3
"""Å, of an atom read off a perfect field."""

SPACE = Periodic(PeriodicConfig())

SPECIES = 100

ALLOWED = torch.arange(1, SPECIES + 1)


class ReadsFeatures(PatchNetwork):
    """A network whose features are the logits of the species, H to Fm."""

    def __init__(self):
        super().__init__(PatchConfig(width=12, heads=1, encoder_layers=1, decoder_layers=1, species=SPECIES))
        self.species_head = torch.nn.Identity()


@pytest.fixture(scope="module")
def network() -> PatchNetwork:
    return ReadsFeatures()


def perfect_field(crystals, patches, space=SPACE):
    """What a flawless decoder would say: the targets, and the species of the nearest atom near it."""
    batch = CrystalBatch.collate(crystals)
    targets = space.targets(batch, patches)
    b, voxels = targets.heat.shape
    offset = torch.zeros(b * voxels, 3)
    offset[targets.near] = targets.offset
    # Which atom a voxel points to: the one at the end of its offset.
    features = torch.zeros(b * voxels, SPECIES + 1)
    grid = torch.tensor(space.grid(patches))
    which, voxel = targets.near // voxels, targets.near % voxels
    place = torch.stack([voxel // (grid[1] * grid[2]), voxel // grid[2] % grid[1], voxel % grid[2]], -1)
    apart = (place + targets.offset)[:, None] / grid - batch.frac_coords[which]
    distance = ((apart - apart.round()) * grid).norm(dim=-1).masked_fill(~batch.mask[which], torch.inf)
    nearest = batch.numbers[which].gather(1, distance.argmin(1, keepdim=True))[:, 0]
    features[targets.near, nearest] = 20.0
    heat = torch.logit(targets.heat, eps=1e-6)
    return DecodedField(heat, offset.view(b, voxels, 3), features.view(b, voxels, -1))


def read(network, decoded, patches, allowed=ALLOWED, edge=6.0):
    """Read fields on a cubic torus of this edge."""
    return read_on(SPACE, network, decoded, torch.eye(3).expand(len(decoded.heat), 3, 3) * edge, patches, allowed)


def read_on(space, network, decoded, lattice, patches, allowed=ALLOWED):
    table = torch.zeros(len(lattice), network.config.species + 1, dtype=torch.bool)
    table[:, allowed] = True
    tori = Tori.of([space.grid(patches)] * len(lattice))
    return find_by_heat(HeatField.of([decoded], space, tori), network, lattice, table, HeatFinderConfig())


def lattices(crystals):
    return CrystalBatch.collate(crystals).lattice


def read_perfectly(network, crystal):
    """Read a reduced crystal off its own perfect field."""
    patches = SPACE.patches(crystal)
    (sites,) = read_on(SPACE, network, perfect_field([crystal], patches), lattices([crystal]), patches)
    return sites


def assert_same(sites: FoundAtoms, crystal: Crystal):
    """Assert that the sites are the crystal's, each once."""
    assert len(sites.numbers) == len(crystal), f"{len(sites.numbers)} sites, not {len(crystal)}"
    apart = crystal.frac_coords[:, None] - sites.positions
    distance = np.linalg.norm((apart - apart.round()) @ crystal.lattice, axis=-1)
    partner = distance.argmin(1)
    assert sorted(partner) == list(range(len(crystal)))
    assert distance.min(1).max() < POSITION
    np.testing.assert_array_equal(sites.numbers[partner], crystal.numbers)
    assert ((sites.positions >= 0) & (sites.positions < 1)).all()


def cubic(length, frac_coords, numbers):
    return Crystal(np.eye(3) * length, np.array(frac_coords), np.array(numbers))


def test_all_prototypes_come_out_of_their_perfect_fields(network, prototypes):
    groups = {}
    for crystal in prototypes:
        reduced, _ = niggli(crystal)
        groups.setdefault(SPACE.patches(reduced), []).append(reduced)
    for patches, group in groups.items():
        for start in range(0, len(group), 8):
            part = group[start : start + 8]
            found = read_on(SPACE, network, perfect_field(part, patches), lattices(part), patches)
            for crystal, sites in zip(part, found, strict=True):
                assert_same(sites, crystal)
                assert sites.explained > 0.99  # heat ends with a step of exp(−2.5²/2s²) = 0.002
                assert sites.confidence.min() > 0.9


@few
@given(crystals(max_sites=6))
def test_any_crystal_comes_out_of_its_perfect_field(network, crystal):
    reduced, _ = niggli(crystal)
    assert_same(read_perfectly(network, reduced), reduced)


@few
@given(crystals(max_sites=6), crystals(max_sites=3), crystals(max_sites=6))
def test_crystals_of_several_grids_are_read_together_as_alone(network, one, other, third):
    given = [niggli(crystal)[0] for crystal in (one, other, third)]
    fields = [perfect_field([crystal], SPACE.patches(crystal)) for crystal in given]
    tori = Tori.of([SPACE.grid(SPACE.patches(crystal)) for crystal in given])
    table = torch.zeros(len(given), SPECIES + 1, dtype=torch.bool)
    table[:, ALLOWED] = True
    together = find_by_heat(HeatField.of(fields, SPACE, tori), network, lattices(given), table, HeatFinderConfig())
    for crystal, sites in zip(given, together, strict=True):
        alone = read_perfectly(network, crystal)
        np.testing.assert_array_equal(sites.numbers, alone.numbers)
        np.testing.assert_allclose(sites.positions, alone.positions, atol=1e-6)
        np.testing.assert_allclose(sites.confidence, alone.confidence, atol=1e-5)
        assert abs(sites.explained - alone.explained) < 1e-6


def test_a_faint_atom_is_found_where_it_is_known_to_be_there(network):
    crystal = cubic(6.0, [[0.0, 0.25, 0.5], [0.5, 0.25, 0.5]], [8, 12])
    patches, torus = SPACE.patches(crystal), lattices([crystal])
    field = perfect_field([crystal], patches)
    warm = field.heat.sigmoid()
    faint = replace(field, heat=torch.logit(warm * torch.where(field.features[..., 12] > 0, 0.25, 1.0), eps=1e-6))
    (free,) = read_on(SPACE, network, faint, torus, patches)
    np.testing.assert_array_equal(free.numbers, [8])
    config = HeatFinderConfig()
    for holding in ({8: 1, 12: 1}, {12: 1}):
        held = torch.zeros(1, SPECIES + 1, dtype=torch.bool)
        held[0, [*holding]] = True
        tori = Tori.of([SPACE.grid(patches)])
        (known,) = find_by_heat(HeatField.of([faint], SPACE, tori), network, torus, held, config, holding=[holding])
        assert sorted(known.numbers) == sorted(holding)
        k = known.numbers.tolist().index(12)
        assert np.linalg.norm((known.positions[k] - crystal.frac_coords[1]) * 6) < POSITION
        assert known.confidence[k] < 0.5


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 1), (1, 1, 1), (1, -2, 0.5)])
@pytest.mark.parametrize("origin", [0.0, 0.09, 0.4])
def test_two_atoms_07_angstrom_apart_stay_two(network, direction, origin):
    step = 0.7 * np.array(direction) / np.linalg.norm(direction) / 6.1
    crystal = cubic(6.1, [[origin] * 3, [origin] * 3 + step], [6, 8])
    assert_same(read_perfectly(network, crystal), crystal)


@pytest.mark.parametrize("x", [0.0, 0.125, 0.3, 0.999999999])
def test_one_atom_in_a_tiny_cell(network, x):
    crystal = cubic(2.5, [[x, 0.5, x]], [84])
    assert_same(read_perfectly(network, crystal), crystal)


def test_hydrogen_beside_uranium_is_hydrogen(network):
    crystal = cubic(5.3, [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3 + 1.0 / 5.3]], [92, 1])
    assert_same(read_perfectly(network, crystal), crystal)


def test_only_allowed_species_are_read(network):
    crystal = cubic(4, [[0.1, 0.2, 0.3]], [9])
    decoded = perfect_field([crystal], (2, 2, 2))
    decoded.features[..., 17] = 10.0
    decoded.features[..., 0] = 99.0  # no element
    (sites,) = read(network, decoded, (2, 2, 2), torch.tensor([8, 16, 17]))
    assert sites.numbers.tolist() == [17]


def test_an_empty_field_gives_no_sites(network):
    empty = DecodedField(torch.full((1, 512), -20.0), torch.zeros(1, 512, 3), torch.zeros(1, 512, SPECIES + 1))
    (sites,) = read(network, empty, (2, 2, 2))
    assert sites.positions.shape == (0, 3)
    assert len(sites.numbers) == len(sites.confidence) == 0
    assert sites.explained == pytest.approx(1)


def test_every_crystal_of_a_batch_gets_its_own_sites(network):
    patches = (2, 2, 2)
    three = [[0.1, 0.1, 0.1], [0.6, 0.6, 0.6], [0.1, 0.6, 0.1]]
    batch = [cubic(4, [[0.3, 0.4, 0.5]], [92]), cubic(4, [[0.1, 0.9, 0.5]], [1]), cubic(4, three, [3, 8, 26])]
    decoded = perfect_field(batch, patches)
    decoded.heat[1] = -20.0
    first, second, third = read(network, decoded, patches)
    assert_same(first, batch[0])
    assert len(second.numbers) == 0
    assert_same(third, batch[2])


def test_an_atom_that_two_voxels_claim_is_one(network):
    """On the border of voxels all eight own it, and disagree a little."""
    crystal = cubic(4, [[1.5 / 8, 1.5 / 8, 1.5 / 8]], [26])
    decoded = perfect_field([crystal], (2, 2, 2))
    torch.manual_seed(0)
    decoded.offset.add_(0.05 * torch.randn_like(decoded.offset))
    (sites,) = read(network, decoded, (2, 2, 2))
    assert len(sites.numbers) == 1
    np.testing.assert_allclose(sites.positions, crystal.frac_coords, atol=0.05 / 8)


def doubtful(decoded, place, likeness, grid=12):
    """Make what a field shows around a place, in voxels, less like an atom."""
    voxels = torch.cartesian_prod(*[torch.arange(grid)] * 3)
    around = (voxels - torch.tensor(place)).float().norm(dim=-1) < 1.5
    decoded.heat[0, around] = torch.logit(likeness * decoded.heat[0, around].sigmoid(), eps=1e-6)


def test_a_ghost_between_two_atoms_goes_and_both_stay(network):
    """Three in a row, 0.5 Å from one to the next: the middle one yields to the likeliest, so the last one is free."""
    row = cubic(6, [[0.25, 0.5, 0.5], [0.25 + 0.5 / 6, 0.5, 0.5], [0.25 + 1 / 6, 0.5, 0.5]], [7, 6, 1])
    decoded = perfect_field([row], (3, 3, 3))
    doubtful(decoded, [4, 6, 6], 0.9)  # the middle one
    doubtful(decoded, [5, 6, 6], 0.8)  # and the last one still more
    (sites,) = read(network, decoded, (3, 3, 3))
    assert sites.numbers.tolist() == [7, 1]


def test_neighbours_are_so_through_the_borders_of_a_cell(network):
    crystal = cubic(6, [[0.01, 0.5, 0.5], [0.95, 0.5, 0.5]], [7, 8])  # 0.36 Å apart
    (sites,) = read(network, perfect_field([crystal], (3, 3, 3)), (3, 3, 3))
    assert len(sites.numbers) == 1


def test_a_window_keeps_atoms_at_opposite_faces_and_none_in_the_gap(network):
    cube, patches = RepeatingConfig(patches=6).open(), (6, 6, 6)
    height = [-0.25, 10.25, 10.4]  # Å; the first two are 0.5 Å apart around the torus, the third is nowhere
    positions = np.array([[x, 2.0 + 3 * k, 5.0] for k, x in enumerate(height)])
    positions[1] = [10.25, 2.0, 5.0]
    window = Crystal(np.eye(3) * 11, cube.fractions(positions), np.array([8, 9, 11]))
    (sites,) = read_on(cube, network, perfect_field([window], patches, cube), lattices([window]), patches)
    assert sorted(sites.numbers) == [8, 9]


def test_a_missing_atom_leaves_heat_unexplained(network):
    crystal = cubic(6, [[0.1, 0.1, 0.1], [0.6, 0.6, 0.6]], [11, 17])
    patches = (3, 3, 3)
    decoded = perfect_field([crystal], patches)
    (whole,) = read(network, decoded, patches)
    half = (torch.cartesian_prod(*[torch.arange(12)] * 3) >= 5).all(-1)
    decoded.offset[0, half] = 3.0  # nothing there claims to own the second atom
    (sites,) = read(network, decoded, patches)
    assert sites.numbers.tolist() == [11]
    assert whole.explained > 0.999
    assert sites.explained < 0.5


def test_a_weak_atom_is_less_sure(network):
    crystal = cubic(6, [[0.1, 0.1, 0.1], [0.6, 0.6, 0.6]], [11, 17])
    patches = (3, 3, 3)
    decoded = perfect_field([crystal], patches)
    half = (torch.cartesian_prod(*[torch.arange(12)] * 3) >= 5).all(-1)
    decoded.heat[0, half] = torch.logit(0.6 * decoded.heat[0, half].sigmoid(), eps=1e-6)
    (sites,) = read(network, decoded, patches)
    assert sites.numbers.tolist() == [11, 17]
    assert sites.confidence[0] > 0.99
    assert sites.confidence[1] == pytest.approx(0.6, abs=0.02)
    assert sites.explained < 0.7


def test_a_doubtful_species_is_less_sure(network):
    crystal = cubic(4, [[0.25, 0.25, 0.25]], [26])
    decoded = perfect_field([crystal], (2, 2, 2))
    decoded.features.zero_()
    decoded.features[..., 26] = np.log(3 * 99)  # three times as likely as all others together
    (sites,) = read(network, decoded, (2, 2, 2))
    assert sites.numbers.tolist() == [26]
    assert sites.confidence[0] == pytest.approx(0.75, abs=1e-3)


@few
@given(st.integers(0, 2**32 - 1))
def test_interpolation_is_scipys(seed):
    rng = np.random.default_rng(seed)
    grid = tuple(int(n) for n in rng.integers(1, 9, 3))
    values = rng.normal(size=(2, *grid, 3)).astype(np.float32)
    position = rng.uniform(-20, 20, (12, 3)).astype(np.float32)
    which = rng.integers(0, 2, 12)
    found = interpolate(
        torch.from_numpy(values).view(-1, 3), torch.from_numpy(which), torch.from_numpy(position), Tori.of([grid] * 2)
    )
    for row, k, x in zip(found.numpy(), which, position, strict=True):
        truth = [map_coordinates(values[k, ..., c], x[:, None], order=1, mode="grid-wrap")[0] for c in range(3)]
        np.testing.assert_allclose(row, truth, atol=1e-5)
