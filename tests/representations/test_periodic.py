import itertools

import moyopy
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.niggli import niggli
from xtalcodec.representations.base import NEAR, REACH
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.periodic import Periodic, PeriodicConfig
from xtalcodec.testing import crystals

few = settings(max_examples=20, deadline=None, derandomize=True)

DISTANCE = 1e-6
"""Å, between sites of one crystal on two cells."""

CONSERVED = 3e-6
"""Relative error of a painted field's sum: three axes of float32 and 2 exp(−2π²σ²)."""

VOXEL = 2e-5
"""Voxels: rounding of float32 coordinates on grids of up to 30."""

SKEW = [
    Lattice.from_parameters(4, 5, 6, 30, 90, 90),
    Lattice.from_parameters(4, 5, 6, 90, 90, 150),
    Lattice.from_parameters(3, 3, 3, 30, 30, 30),
    Lattice.from_parameters(5, 4, 7, 150, 100, 100),
    Lattice.from_parameters(30, 3, 3, 90, 90, 90),
    Lattice.from_parameters(2.5, 2.5, 2.5, 60, 60, 60),
    Lattice.from_parameters(8, 8, 8, 119.9, 119.9, 119.9),
]


def distances(crystal):
    """Shortest distances between all sites in Å, by ASE."""
    return crystal.to_ase().get_all_distances(mic=True)


def on(lattice, seed=0, sites=4):
    """A crystal with sites anywhere on a cell."""
    rng = np.random.default_rng(seed)
    return Crystal(lattice.matrix, rng.random((sites, 3)), rng.integers(1, 101, sites))


def check_niggli(crystal):
    """Assert all that a reduction promises; independent truths are moyopy's test, pymatgen and ASE."""
    reduced, basis = niggli(crystal)
    assert moyopy.is_niggli_reduced(reduced.lattice.tolist())
    assert np.linalg.det(reduced.lattice) > 0
    assert round(np.linalg.det(basis)) == np.sign(np.linalg.det(crystal.lattice))
    np.testing.assert_allclose(basis @ reduced.lattice, crystal.lattice, atol=1e-8)
    np.testing.assert_array_equal(reduced.numbers, crystal.numbers)
    assert ((reduced.frac_coords >= 0) & (reduced.frac_coords < 1)).all()
    np.testing.assert_allclose(distances(reduced), distances(crystal), atol=DISTANCE)
    # Every site is where it was, up to a vector of the lattice.
    moved = (reduced.frac_coords @ reduced.lattice - crystal.frac_coords @ crystal.lattice) @ np.linalg.inv(
        crystal.lattice
    )
    np.testing.assert_allclose(moved, moved.round(), atol=1e-7)
    return reduced


@few
@given(crystals(min_separation=None, left_handed=True))
def test_the_reduced_cell_is_niggli_and_holds_the_same_crystal(crystal):
    check_niggli(crystal)


@pytest.mark.parametrize("lattice", SKEW, ids=lambda x: "-".join(f"{v:g}" for v in x.parameters))
def test_skewed_long_and_tiny_cells_are_reduced(lattice):
    reduced = check_niggli(on(lattice))
    truth = lattice.get_niggli_reduced_lattice()
    np.testing.assert_allclose(np.linalg.norm(reduced.lattice, axis=1), truth.abc, rtol=1e-6)


@few
@given(crystals(max_sites=2), st.permutations([(1, 0, 0), (0, 2, 0), (0, 0, 1)]), st.integers(-2, 2))
def test_supercells_are_reduced(crystal, rows, shear):
    rows = np.array(rows)
    rows[0] += shear * rows[1]
    supercell = crystal.to_pymatgen().make_supercell(rows, to_unit_cell=False)
    reduced = check_niggli(Crystal.from_pymatgen(supercell))
    assert reduced.volume == pytest.approx(2 * crystal.volume)
    assert len(reduced) == 2 * len(crystal)


def test_coordinates_at_the_edge_stay_inside():
    edge = np.array([[0.999999999, 1 - 1e-16, -1e-17], [1.0, -1.0, 7.0], [-0.999999999, 0.5, 123456.25]])
    crystal = Crystal(Lattice.from_parameters(3, 4, 5, 80, 95, 100).matrix, edge, np.array([1, 2, 3]))
    check_niggli(crystal)


@few
@given(crystals(), st.permutations(range(3)), st.randoms(use_true_random=False))
def test_permuting_axes_or_sites_leaves_lengths_and_grid(crystal, axes, random):
    space = Periodic(PeriodicConfig())
    order = random.sample(range(len(crystal)), len(crystal))
    other = Crystal(crystal.lattice[axes], crystal.frac_coords[order][:, axes], crystal.numbers[order])
    first, second = niggli(crystal)[0], check_niggli(other)
    lengths = [np.linalg.norm(c.lattice, axis=1) for c in (first, second)]
    np.testing.assert_allclose(*lengths, rtol=1e-9)
    assert space.patches(first) == space.patches(second)
    assert list(lengths[0]) == sorted(lengths[0]) or np.allclose(lengths[0], sorted(lengths[0]))


def test_a_flat_cell_is_refused_before_its_reduction_runs_for_ever():
    # Found at random: the reduction of this one fills the memory.
    flat = np.array(
        [
            [-1500.5466081507602, -135.64159852414377, -417.2858462607857],
            [201.70421884211706, 1356.9880167822741, -510.46446383895517],
            [-1298.8418141588952, 1221.3453614630403, -927.7315182511621],
        ]
    )
    with pytest.raises(CrystalError, match=r"its cell is impossible: the volume is .* of abc, less than 0\.0001"):
        niggli(Crystal(flat, np.zeros((1, 3)), np.array([1])))


def test_a_lattice_that_moyopy_refuses_is_a_crystal_error(monkeypatch):
    def refuse(_basis):
        raise ValueError("no convergence")

    monkeypatch.setattr(moyopy, "niggli_reduce", refuse)
    with pytest.raises(CrystalError, match="cannot be Niggli-reduced: no convergence"):
        niggli(on(SKEW[0]))


@pytest.mark.parametrize(
    ("lengths", "patches"), [((2.5, 2.5, 2.5), (1, 1, 1)), ((3.1, 4.9, 5.1), (2, 2, 3)), ((0.7, 3, 30), (1, 2, 15))]
)
def test_patches_follow_the_lengths(lengths, patches):
    space = Periodic(PeriodicConfig(pitch=2.0, patch=4, patches_per_site=0.0))
    assert space.patches(cell(*lengths)) == patches
    assert space.grid(patches) == tuple(4 * n for n in patches)


def test_a_cell_of_too_many_patches_is_refused_with_the_limit():
    space = Periodic(PeriodicConfig(max_patches=26))
    with pytest.raises(CrystalError, match=r"needs 27 patches of 2 Å; the limit is 26"):
        space.patches(cell(6, 6, 6))
    assert Periodic(PeriodicConfig(max_patches=27)).patches(cell(6, 6, 6)) == (3, 3, 3)


def test_dense_crystals_get_more_patches_where_they_are_longest():
    space = Periodic(PeriodicConfig(pitch=2.0, patches_per_site=2.0))
    assert space.patches(cell(2.96, 4.59, 4.59, sites=2)) == (1, 2, 2)
    assert space.patches(cell(2.96, 4.59, 4.59, sites=6)) == (2, 3, 2)
    assert Periodic(PeriodicConfig(patches_per_site=0.0)).patches(cell(2.96, 4.59, 4.59, sites=6)) == (1, 2, 2)


def cell(a, b, c, sites=1):
    """Sites on a line in a box."""
    line = np.linspace(0, 1, sites, endpoint=False)[:, None] * np.ones(3)
    return Crystal(np.diag([a, b, c]).astype(float), line, np.full(sites, 6))


def reduced_batch(*drawn):
    """A batch of reduced crystals on the first one's grid."""
    space = Periodic(PeriodicConfig())
    reduced = [niggli(c)[0] for c in drawn]
    return space, CrystalBatch.collate(reduced), space.patches(reduced[0])


@few
@given(crystals(), crystals(min_separation=None))
def test_painting_conserves_the_weights(crystal, other):
    space, batch, patches = reduced_batch(crystal, other)
    weights = torch.stack([batch.numbers.float(), torch.ones_like(batch.numbers).float()], -1)
    field = space.paint(batch, weights, patches)  # the second channel weighs the padding too
    assert field.shape == (2, *space.grid(patches), 2)
    for k, c in enumerate((crystal, other)):
        total = field[k].double().sum((0, 1, 2)).numpy()
        np.testing.assert_allclose(total, [c.numbers.sum(), len(c)], rtol=CONSERVED)


@few
@given(crystals(), st.tuples(*[st.integers(-9, 9)] * 3))
def test_moving_atoms_by_voxels_rolls_field_and_targets(crystal, steps):
    space, batch, patches = reduced_batch(crystal)
    grid = space.grid(patches)
    reduced = niggli(crystal)[0]
    moved = CrystalBatch.collate([reduced.translated(np.array(steps) / grid)])
    fields = [space.paint(b, b.numbers[..., None] / 100, patches)[0] for b in (batch, moved)]
    torch.testing.assert_close(fields[1], fields[0].roll(steps, (0, 1, 2)), atol=1e-5, rtol=0)
    heats = [space.targets(b, patches).heat.view(grid) for b in (batch, moved)]
    # Voxels between the reaches of two atoms fall in or out with the rounding: the step is exp(−2.5²/2s²) high.
    torch.testing.assert_close(heats[1], heats[0].roll(steps, (0, 1, 2)), atol=2e-3, rtol=0)


def nearest_by_search(frac_coords, grid):
    """Distance in voxels from every voxel to every atom's nearest image, over all images around: voxels atoms."""
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    voxels = np.array(list(np.ndindex(*grid)))
    atoms = (frac_coords % 1)[:, None] + shifts  # atoms images 3
    distance = np.linalg.norm(atoms[None] * grid - voxels[:, None, None], axis=-1)
    return distance.min(2)


def check_targets(space, batch, patches):
    """Assert targets against a search over all atoms and images."""
    grid = np.array(space.grid(patches))
    targets = space.targets(batch, patches)
    assert targets.heat.shape == (len(batch), grid.prod())
    voxels = np.array(list(np.ndindex(*grid)))
    crystal_of, voxel_of = np.divmod(targets.near.numpy(), grid.prod())
    for k in range(len(batch)):
        frac_coords = batch.frac_coords[k][batch.mask[k]].double().numpy()
        nearest = nearest_by_search(frac_coords, grid).min(1)
        heat = targets.heat[k].numpy()
        within = nearest < REACH + 0.5 - 1e-3
        np.testing.assert_allclose(
            heat[within], np.exp(-(nearest[within] ** 2) / (2 * space.config.heat_sigma**2)), atol=VOXEL
        )
        assert heat[~within].max(initial=0) < np.exp(-(2.49**2) / (2 * space.config.heat_sigma**2))
        mine = crystal_of == k
        asked, offset = voxel_of[mine], targets.offset[torch.from_numpy(mine)].double().numpy()
        border = abs(nearest - NEAR) < VOXEL
        assert set(asked[~border[asked]]) == set(np.flatnonzero((nearest < NEAR) & ~border))
        # The offset is as long as the distance to the nearest atom, and ends on an atom.
        np.testing.assert_allclose(np.linalg.norm(offset, axis=1), nearest[asked], atol=VOXEL)
        ends = (voxels[asked] + offset) / grid
        miss = (ends[:, None] - frac_coords + 0.5) % 1 - 0.5
        assert np.linalg.norm(miss * grid, axis=2).min(1).max(initial=0) < VOXEL


@few
@given(crystals(max_sites=5), crystals(max_sites=5, min_separation=None))
def test_targets_are_those_of_a_search_over_all_atoms(crystal, other):
    check_targets(*reduced_batch(crystal, other))


@pytest.mark.parametrize("seed", range(5))
def test_targets_on_the_smallest_torus(seed):
    rng = np.random.default_rng(seed)
    frac_coords = np.concatenate([rng.random((seed + 1, 3)), [[0.999999999, 0, 0.5]]])
    crystal = Crystal(np.eye(3) * 2.5, frac_coords, np.ones(len(frac_coords), int))
    space, batch, _ = reduced_batch(crystal)
    check_targets(space, batch, (1, 1, 1))


def test_a_voxel_belongs_to_the_nearest_of_two_atoms():
    space = Periodic(PeriodicConfig())
    frac_coords = np.array([[0.5 / 8, 0, 0], [1.9 / 8, 0, 0]])  # voxel 1 is 0.5 from the first, 0.9 from the other
    batch = CrystalBatch.collate([Crystal(np.eye(3) * 4, frac_coords, np.array([1, 92]))])
    targets = space.targets(batch, (2, 2, 2))
    of = targets.near.tolist()
    assert len(of) == len(set(of))
    voxel = 64  # of 8 × 8 × 8 in C order
    torch.testing.assert_close(targets.offset[of.index(voxel)], torch.tensor([-0.5, 0, 0]))
    assert targets.heat[0, voxel].item() == pytest.approx(np.exp(-0.25 / (2 * 0.7**2)))


def test_an_exact_tie_points_to_both():
    space = Periodic(PeriodicConfig())
    frac_coords = np.array([[0, 0, 0], [0.25, 0, 0]])  # voxel 1 lies between
    batch = CrystalBatch.collate([Crystal(np.eye(3) * 4, frac_coords, np.array([1, 92]))])
    targets = space.targets(batch, (2, 2, 2))
    voxel = 64  # of 8 × 8 × 8 in C order
    assert sorted(targets.offset[targets.near == voxel][:, 0].tolist()) == [-1, 1]
