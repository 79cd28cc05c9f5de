from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from xtalcodec.atom_finders.density import CLOSED, OPEN, DensityConfig, read_density, read_modes
from xtalcodec.atom_finders.superposition import Atomic
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.matching import compare_atoms
from xtalcodec.representations.modes import modes
from xtalcodec.representations.repeating import Repeating, RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCell, UnitCellConfig
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, density, paint
from xtalcodec.testing import crystals

WINDOW = WindowConfig()
SALT = Crystal(
    5.64 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0], [0, 0.5, 0]]), np.array([11, 11, 17, 17])
)
HYDRIDE = Crystal(
    np.diag([4.2, 4.2, 4.6]),
    np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.3, 0.3, 0], [0.7, 0.7, 0], [0.2, 0.8, 0.5], [0.8, 0.2, 0.5]]),
    np.array([22, 22, 1, 1, 1, 1]),
)
few = settings(max_examples=15, deadline=None, derandomize=True)


def painted(positions, numbers):
    positions, numbers = np.asarray(positions, dtype=float), np.asarray(numbers)
    return paint(torch.tensor(positions)[None], torch.tensor(numbers)[None, :, None].double(), WINDOW)[..., 0]


def judged(found, positions, numbers, edge=None):
    return compare_atoms(found.positions, found.numbers, np.asarray(positions, dtype=float), np.asarray(numbers), edge)


@few
@given(crystals(max_sites=6), st.integers(0, 99))
def test_every_atom_of_a_cell_comes_back(crystal, seed):
    try:
        view = UnitCell(UnitCellConfig()).view(crystal, np.random.default_rng(seed))
    except CrystalError:
        reject()
    found = read_density(density(ViewBatch.collate([view]), WINDOW), WINDOW, CLOSED)[0]
    assert judged(found, view.positions, view.numbers).perfect(1e-3)
    assert found.confidence.min() > 0.99
    assert found.residual < 1e-6


@pytest.mark.parametrize("distance", [1.0, 1.4, 2.0])
@pytest.mark.parametrize("heavy", [8, 92])
def test_hydrogen_beside_a_heavy_atom_is_seen(heavy, distance):
    positions, numbers = [[5, 5, 5], [5 + distance, 5, 5]], [heavy, 1]
    assert judged(read_density(painted(positions, numbers).float(), WINDOW, CLOSED)[0], positions, numbers).perfect(
        1e-3
    )


def test_atoms_beyond_the_faces_are_modelled():
    view = Repeating(RepeatingConfig(rotate=False)).view(SALT, np.random.default_rng(1))
    found = read_density(density(ViewBatch.collate([view]), WINDOW), WINDOW, OPEN)[0]
    assert judged(found, view.positions, view.numbers, WINDOW.edge).perfect(1e-3)
    wider = compare_atoms(found.positions + 1, found.numbers, view.positions + 1, view.numbers, WINDOW.edge + 2)
    assert wider.perfect(0.05)
    assert len(found.within(WINDOW.edge)) == view.inside(WINDOW.edge).sum() < len(found)


@pytest.mark.parametrize("crystal", [SALT, HYDRIDE], ids=["salt", "hydride"])
def test_atoms_far_outside_bend_none_inside(crystal):
    view = Repeating(RepeatingConfig()).view(crystal, np.random.default_rng(2))
    found = read_density(density(ViewBatch.collate([view]), WINDOW), WINDOW, OPEN)[0]
    assert judged(found, view.positions, view.numbers, WINDOW.edge).perfect(5e-5)
    assert found.residual < 1e-6


def test_what_breaks_the_lattice_outside_is_seen():
    view = Repeating(RepeatingConfig()).view(SALT, np.random.default_rng(2))
    beyond = Atomic(view.positions, view.numbers.astype(float)).beyond(WINDOW.edge)
    other = np.flatnonzero((view.numbers == 17) & (beyond > 0.5) & (beyond < 1.5))[:1]
    numbers = view.numbers.copy()
    numbers[other] = 35
    found = read_density(painted(view.positions, numbers).float(), WINDOW, OPEN)[0]
    assert judged(found, view.positions, numbers, WINDOW.edge).perfect(1e-3)
    nearest = np.linalg.norm(found.positions - view.positions[other], axis=1).argmin()
    assert found.numbers[nearest] == 35


def test_without_a_lattice_atoms_are_read_one_by_one():
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*[np.arange(-3, 15, 2.5)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions, numbers = places + rng.uniform(-0.5, 0.5, places.shape), rng.integers(6, 60, len(places))
    found = read_density(painted(positions, numbers).float(), WINDOW, OPEN)[0]
    assert judged(found, positions, numbers, WINDOW.edge).perfect(1e-3)


def test_without_looking_outside_a_repeating_window_is_not_explained():
    positions = [[5, 5, 5], [-1, 5, 5]]
    closed = read_density(painted(positions, [20, 20]).float(), WINDOW, CLOSED)[0]
    open_ = read_density(painted(positions, [20, 20]).float(), WINDOW, OPEN)[0]
    assert closed.residual > 100 * open_.residual
    np.testing.assert_array_equal(open_.numbers, [20, 20])


def test_a_noisy_density_gives_what_it_shows():
    positions, numbers = [[3, 4, 5], [5, 4, 5], [7, 6, 5]], [26, 8, 14]
    noise = np.random.default_rng(0).normal(0, 1e-2, (1, 30, 30, 30))
    found = read_density(painted(positions, numbers).numpy() + noise, WINDOW, DensityConfig(noise=1e-2))[0]
    assert judged(found, positions, numbers).perfect(0.05)
    assert found.residual == pytest.approx(1e-2, rel=0.3) or found.residual < 1e-2
    assert found.residual > 1e-3


def test_confidence_falls_where_noise_allows_several_numbers():
    positions, numbers = [[3, 4, 5], [7, 6, 5]], [26, 14]
    field = painted(positions, numbers).numpy()
    sure = read_density(field, WINDOW, DensityConfig(noise=1e-3))[0]
    noise = np.random.default_rng(0).normal(0, 1.0, field.shape)
    unsure = read_density(field + noise, WINDOW, DensityConfig(noise=1.0))[0]
    assert sure.confidence.min() > 0.99
    assert unsure.confidence.max() < 0.9


def test_a_start_is_used_and_mended():
    positions, numbers = np.array([[3.0, 4, 5], [5, 4, 5], [7, 6, 5]]), [26, 8, 14]
    start = np.vstack([positions[:2] + 0.1, [[9, 9, 9]]])  # one missing, one that is none
    found = read_density(painted(positions, numbers), WINDOW, CLOSED, start=[start])[0]
    assert judged(found, positions, numbers).perfect(1e-3)


def test_three_hundred_modes_are_enough():
    positions = np.array([[3.0, 4, 5], [5, 4, 5], [7, 6, 5], [4, 6.2, 7]])
    basis = modes(WINDOW, count=300)
    field = basis.project(painted(positions, [26, 8, 14, 8])[0].numpy())
    found = read_modes(field, basis, CLOSED)
    assert judged(found, positions, [26, 8, 14, 8]).perfect(1e-3)


def test_hydrogen_is_told_from_what_it_is_bound_to_in_five_hundred_modes():
    ammonia = np.array([[0, 0, 0.1], [0.94, 0, -0.25], [-0.47, 0.81, -0.25], [-0.47, -0.81, -0.25]])
    water = np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    positions = np.vstack([ammonia + np.array([4, 4.5, 6]), water + np.array([6.4, 5, 4]), [[4.5, 7, 3.5]]])
    numbers = [7, 1, 1, 1, 8, 1, 1, 75]
    basis = modes(WINDOW, count=500)
    found = read_modes(basis.project(painted(positions, numbers)[0].numpy()), basis, CLOSED)
    assert judged(found, positions, numbers).perfect(1e-3)


def test_windows_are_read_each_for_itself():
    one, two = painted([[5, 5, 5]], [8]), painted([[4, 5, 6], [6, 5, 4]], [26, 3])
    found = read_density(torch.cat([one, two]), WINDOW, CLOSED)
    assert [sorted(f.numbers) for f in found] == [[8], [3, 26]]


def test_nothing_is_read_from_nothing():
    found = read_density(np.zeros((1, 30, 30, 30)), WINDOW, CLOSED)[0]
    assert len(found) == 0
    assert found.residual == 0


def test_a_broken_density_is_refused():
    field = np.zeros((2, 30, 30, 30))
    field[1, 3, 4, 5] = np.nan
    with pytest.raises(ValueError, match="window 1 is not finite"):
        read_density(field, WINDOW, CLOSED)


def test_other_windows_are_read_too():
    window = WindowConfig(edge=8.0, points=26, sigma=0.8)
    positions = torch.tensor([[[3.0, 3, 3], [4.5, 3, 3]]], dtype=torch.float64)
    field = paint(positions, torch.tensor([[[40.0], [7.0]]], dtype=torch.float64), window)[..., 0]
    found = read_density(field, window, replace(CLOSED, pitch=0.25))[0]
    assert judged(found, positions[0].numpy(), [40, 7]).perfect(1e-3)
