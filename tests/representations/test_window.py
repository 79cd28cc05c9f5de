"""Windows on their torus."""

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pymatgen.core import Structure

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.niggli import niggli
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window import Window
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, density
from xtalcodec.testing import crystals


def made(lattice, frac_coords, numbers, name: str = "") -> Crystal:
    return Crystal(lattice, np.array(frac_coords, dtype=float), np.array(numbers), name)


UNIT, REPEATING = UnitCellConfig().open(), RepeatingConfig().open()
SALT = made(4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])


def positions(space: Window, batch: CrystalBatch, k: int = 0) -> np.ndarray:
    """Å from the window's corner."""
    return space.angstrom(batch.frac_coords[k][batch.mask[k]].double().numpy())


def cell_of(space: Window, batch: CrystalBatch, lattice: np.ndarray) -> FoundAtoms:
    """The sites of a batch of one, as a perfect reader has its atoms."""
    mask = batch.mask[0]
    numbers = batch.numbers[0][mask].numpy()
    atoms = batch.frac_coords[0][mask].double().numpy(), numbers, np.ones(len(numbers))
    return FoundAtoms(*space.sites_of_cell(*atoms, lattice))


def placed_on(space: Window, crystal: Crystal) -> Crystal:
    """The crystal as the window takes it; the example is rejected where it does not."""
    try:
        return space.place(crystal).crystal
    except CrystalError:
        return reject()


@pytest.mark.parametrize("space", [UNIT, REPEATING], ids=lambda s: s.config.kind)
@settings(deadline=None, max_examples=30)
@given(crystals(max_sites=6))
def test_a_crystal_comes_back_from_its_atoms_in_the_window(space, crystal):
    reduced = placed_on(space, crystal)
    shift = space.origin(reduced, 0)
    batch = space.collate([reduced.translated(shift)])
    sites = cell_of(space, batch, reduced.lattice)
    assert sorted(sites.numbers) == sorted(reduced.numbers)
    apart = (sites.positions - shift)[:, None] - reduced.frac_coords
    distance = np.linalg.norm((apart - apart.round()) @ reduced.lattice, axis=-1)
    assert distance.min(1).max() < 1e-4
    assert (reduced.numbers[distance.argmin(1)] == sites.numbers).all()


@settings(deadline=None, max_examples=30)
@given(crystals(max_sites=4), st.integers(0, 2**32))
def test_a_view_has_the_distances_of_the_crystal(crystal, seed):
    reduced = placed_on(UNIT, crystal)
    seen = positions(UNIT, UNIT.random_views(CrystalBatch.collate([reduced]), np.random.default_rng(seed)))
    assert len(seen) == len(crystal)
    given_ = reduced.frac_coords @ reduced.lattice
    np.testing.assert_allclose(
        np.linalg.norm(seen[:, None] - seen, axis=-1), np.linalg.norm(given_[:, None] - given_, axis=-1), atol=2e-3
    )
    np.testing.assert_allclose(seen.mean(0), 5.0, atol=1e-4)


@settings(deadline=None, max_examples=20)
@given(crystals(max_sites=4))
def test_chosen_images_are_whole_cells_away_and_never_farther_apart(crystal):
    crystal, basis = niggli(crystal)
    reduced = UNIT.choose_images(crystal, crystal, basis)
    moved = reduced.frac_coords - crystal.frac_coords
    np.testing.assert_allclose(moved, moved.round(), atol=1e-9)

    def radius(c: Crystal) -> float:
        return np.linalg.norm((c.frac_coords - c.frac_coords.mean(0)) @ c.lattice, axis=1).max()

    assert radius(reduced) <= radius(crystal) + 1e-9


def test_a_repeating_window_holds_what_pymatgen_finds_in_it():
    placed = SALT.translated(REPEATING.origin(SALT, 0))
    seen = positions(REPEATING, REPEATING.collate([placed]))
    skin = REPEATING.config.skin
    truth = Structure(placed.lattice, placed.numbers, placed.frac_coords).get_sites_in_sphere([5, 5, 5], 12)
    inside = [s.coords for s in truth if (s.coords >= -skin).all() and (s.coords <= 10 + skin).all()]
    assert len(seen) == len(inside)
    np.testing.assert_allclose(sorted(map(tuple, seen.round(3))), sorted(map(tuple, np.round(inside, 3))), atol=2e-3)


def test_opposite_faces_stay_apart_on_the_torus():
    for config in (RepeatingConfig(), UnitCellConfig(), RepeatingConfig(patches=6)):
        voxel = (config.window.edge + config.gap) / (config.patches * config.patch)
        assert config.gap - 2 * config.skin >= 0.85 * voxel  # farther than atoms that would be taken for one


def test_the_field_holds_every_atom_once():
    batch = REPEATING.collate([SALT.translated(REPEATING.origin(SALT, 0))])
    field = REPEATING.paint(batch, batch.numbers[..., None].float(), (5, 5, 5))
    torch.testing.assert_close(field.sum(), batch.numbers.sum().float(), rtol=1e-5, atol=0)


def test_the_papers_density_sees_beyond_the_window():
    far = RepeatingConfig(reach=5.7).open()
    placed = SALT.translated(far.origin(SALT, 0))
    n = far.density(far.collate([placed]))[0].double().numpy()
    grid = np.linspace(0, 10, 30)[[0, 7, 29]]
    for i, x in zip((0, 7, 29), grid, strict=True):
        near = Structure(placed.lattice, placed.numbers, placed.frac_coords).get_sites_in_sphere([x, x, x], 7)
        truth = sum(s.specie.Z * np.exp(-(s.nn_distance**2) / 2) for s in near) / (2 * np.pi) ** 1.5
        assert abs(n[i, i, i] - truth) < 1e-5 * truth


def test_what_does_not_fit_says_why():
    long = made(np.diag([3.0, 3, 14]), [[0, 0, 0], [0, 0, 0.5]], [1, 1])
    line = made(np.diag([3.0, 3, 30]), [[0, 0, k / 8] for k in range(8)], [6] * 8)
    assert UNIT.place(long).patches == (5, 5, 5)
    with pytest.raises(CrystalError, match=r"does not fit: an atom lies .* Å from the centre, the window ends at 5 Å"):
        UNIT.place(line)
    with pytest.raises(CrystalError, match=r"smaller than its cell: . sites stay outside"):
        REPEATING.patches(line)


def test_a_window_without_atoms_is_a_window():
    lonely = made(40 * np.eye(3), [[0.9, 0.9, 0.9]], [2])
    batch = REPEATING.collate([lonely, SALT])
    assert batch.mask.sum(1).tolist()[0] == 0
    assert len(cell_of(REPEATING, batch, np.eye(3))) == 0


@settings(deadline=None, max_examples=30)
@given(crystals(max_sites=6), st.integers(1, 8))
def test_a_cell_is_tried_in_the_middle_and_then_beside_it_as_far_as_it_has_room(crystal, attempt):
    reduced = placed_on(UNIT, crystal)
    first, other = (positions(UNIT, UNIT.collate([reduced.translated(UNIT.origin(reduced, k))])) for k in (0, attempt))
    np.testing.assert_allclose(first.mean(0), 5, atol=1e-5)
    apart = other - first
    np.testing.assert_allclose(apart, np.broadcast_to(apart[0], apart.shape), atol=1e-5)
    assert abs(apart).max() < 11 / 5 / 2 + 1e-5
    assert other.min() > -1e-5
    assert other.max() < 10 + 1e-5


def test_a_small_cell_does_move():
    shifts = [UNIT.origin(SALT, k) @ SALT.lattice for k in range(4)]
    assert min(np.linalg.norm(a - b) for k, a in enumerate(shifts) for b in shifts[:k]) > 0.2


@pytest.mark.parametrize("config", [UnitCellConfig(), RepeatingConfig(), RepeatingConfig(rotate=False)], ids=str)
def test_the_density_of_a_view_is_that_of_the_crystal_where_it_lies(config):
    """One field for data sets and codecs: a view, placed where it looks from, is painted as the codec paints it."""
    window = config.open()
    view = window.view(SALT, np.random.default_rng(0))
    painted = density(ViewBatch.collate([view]), window.field)[0].numpy()
    np.testing.assert_allclose(window.density_of(view.positions, view.numbers), painted, atol=1e-6)
    sites = (view.positions - view.offset) @ np.linalg.inv(view.lattice) + view.offset @ np.linalg.inv(view.lattice)
    once = [np.flatnonzero(view.site == k)[0] for k in range(len(SALT))]
    lying = Crystal(view.lattice, sites[once], view.numbers[once])
    np.testing.assert_allclose(window.true_density(lying), painted, atol=1e-5 * painted.max())


def test_stores_are_told_apart_by_what_shapes_a_view():
    configs = [UnitCellConfig(), UnitCellConfig(cell="given"), RepeatingConfig(), RepeatingConfig(rotate=False)]
    configs += [RepeatingConfig(fits="shortest_edge"), RepeatingConfig(WindowConfig(points=20))]
    every = [c.open().view_settings() for c in configs]
    assert all(a != b for k, a in enumerate(every) for b in every[:k])
    assert RepeatingConfig(patches=6, heat_sigma=1.0).open().view_settings() == RepeatingConfig().open().view_settings()
