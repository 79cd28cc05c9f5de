import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.representations.repeating import Repeating, RepeatingConfig
from xtalcodec.representations.window_field import (
    View,
    ViewBatch,
    WindowConfig,
    axis,
    density,
    density_nearest,
    paint,
    species_map,
)
from xtalcodec.testing import crystals

few = settings(max_examples=20, deadline=None, derandomize=True)

DOUBLE = 1e-12
"""Of the weights: float64 against float64."""

SINGLE = 1e-6
"""Of the field's peak: what float32 and the cut at reach leave out."""

SMALL = WindowConfig(points=7)


def random_atoms(seed, views=2, atoms=40, channels=3):
    """Atoms in the cube and around it, and weights of both signs, float64."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-5, 15, (views, atoms, 3))
    return torch.from_numpy(positions), torch.from_numpy(rng.uniform(-1, 1, (views, atoms, channels)))


def test_points_are_at_the_same_places_as_arrays_and_as_tensors():
    config = WindowConfig(edge=11.0, points=24)
    np.testing.assert_allclose(config.places, axis(config, dtype=torch.float64).numpy(), rtol=1e-15, atol=1e-14)
    assert (config.places[0], config.places[-1]) == (0.0, 11.0)


def paint_by_loops(positions, weights, config):
    """One view, voxel by voxel and atom by atom, in float64."""
    points = np.linspace(0, config.edge, config.points)
    field = np.zeros((*[config.points] * 3, weights.shape[1]))
    for voxel in np.ndindex(*field.shape[:3]):
        for position, weight in zip(positions, weights, strict=True):
            square = ((points[list(voxel)] - position) ** 2).sum()
            field[voxel] += weight * np.exp(-square / (2 * config.sigma**2)) / (2 * np.pi * config.sigma**2) ** 1.5
    return field


def look(crystal, window=SMALL, seed=0, *, rotate=False):
    """A random window on a crystal."""
    config = RepeatingConfig(window=window, rotate=rotate, fits="shortest_edge")
    return Repeating(config).view(crystal, np.random.default_rng(seed))


def fits(crystal, window=SMALL):
    """Whether `look` takes the crystal."""
    return np.linalg.norm(crystal.lattice, axis=1).min() < window.edge


def collate_double(views):
    """Views as a batch in float64."""
    atoms = ViewBatch.collate(views)
    exact = torch.zeros_like(atoms.positions, dtype=torch.float64)
    for k, view in enumerate(views):
        exact[k, : len(view.numbers)] = torch.from_numpy(view.positions)
    return ViewBatch(exact, atoms.numbers, atoms.site)


def box(positions, numbers):
    """A batch of one view with these atoms and no others."""
    places = np.array(positions, dtype=float).reshape(-1, 3)
    species = np.array(numbers, dtype=np.int64)
    return ViewBatch.collate([View(places, species, np.arange(len(species)), np.eye(3), np.zeros(3), np.eye(3))])


def some(prototypes, count=8):
    """Crystals from all over the list, small enough for a window."""
    fitting = [c for c in prototypes if np.linalg.norm(c.lattice, axis=1).min() < 10]
    return fitting[:: len(fitting) // count][:count]


def test_points_include_both_faces():
    points = axis(WindowConfig())
    assert points[0] == 0
    assert points[-1] == 10
    torch.testing.assert_close(points.diff(), torch.full((29,), WindowConfig().spacing), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "config",
    [SMALL, WindowConfig(points=2), WindowConfig(points=11), WindowConfig(edge=4.0, points=6, sigma=0.3)],
    ids=lambda c: f"{c.points}-{c.sigma}",
)
def test_fields_are_those_of_a_loop_over_voxels_and_atoms(config):
    positions, weights = random_atoms(0, views=1, atoms=12)
    field = paint(positions, weights, config)
    truth = paint_by_loops(positions[0].numpy(), weights[0].numpy(), config)
    scale = (2 * np.pi * config.sigma**2) ** -1.5
    np.testing.assert_allclose(field[0].numpy(), truth, rtol=0, atol=DOUBLE * scale)


def test_float32_keeps_six_digits_of_the_peak_in_real_crystals(prototypes):
    window = WindowConfig()
    for seed, crystal in enumerate(some(prototypes, 12)):
        atoms = ViewBatch.collate([look(crystal, window, seed)])
        truth = paint(atoms.positions.double(), atoms.numbers[..., None].double(), window)[..., 0]
        np.testing.assert_allclose(density(atoms, window), truth, rtol=0, atol=SINGLE * truth.max().item())


@few
@given(crystals(max_sites=4), st.integers(0, 100))
def test_density_is_the_sum_over_all_images(crystal, seed):
    assume(fits(crystal))
    view = look(crystal, seed=seed)
    field = density(collate_double([view]), SMALL)[0].numpy()
    structure = Crystal(view.lattice, crystal.frac_coords, crystal.numbers).to_pymatgen()
    points = np.linspace(0, SMALL.edge, SMALL.points)
    for voxel in itertools.product((0, 3, 6), repeat=3):
        around = structure.get_sites_in_sphere(points[list(voxel)] - view.offset, 8)
        truth = sum(site.specie.Z * np.exp(-(site.nn_distance**2) / 2) for site in around) * SMALL.peak
        assert field[voxel] == pytest.approx(truth, rel=0, abs=SINGLE * field.max())


@few
@given(crystals(max_sites=5, left_handed=True), st.integers(0, 100))
def test_the_nearest_image_is_the_one_of_periodic_distances(crystal, seed):
    """As the paper's code: at each voxel each site of the cell once, at its periodic distance by pymatgen."""
    config = WindowConfig(points=4)
    assume(fits(crystal))
    view = look(crystal, config, seed, rotate=True)
    field = density_nearest(collate_double([view]), config)[0].numpy()
    lattice = Crystal(view.lattice, crystal.frac_coords, crystal.numbers).to_pymatgen().lattice
    truth = np.zeros_like(field)
    points = np.linspace(0, config.edge, config.points)
    for voxel in np.ndindex(*truth.shape):
        place = lattice.get_fractional_coords(points[list(voxel)] - view.offset)
        distance = lattice.get_all_distances([place], crystal.frac_coords)[0]
        truth[voxel] = (crystal.numbers * np.exp(-(distance**2) / 2)).sum() * config.peak
    np.testing.assert_allclose(field, truth, rtol=0, atol=SINGLE * max(truth.max(), config.peak))


def test_the_nearest_image_alone_loses_density(prototypes):
    atoms = ViewBatch.collate([look(c) for c in some(prototypes, 3)])
    whole, nearest = density(atoms, SMALL), density_nearest(atoms, SMALL)
    assert (nearest <= whole * (1 + 1e-5)).all()
    assert (nearest < 0.99 * whole).any()


def test_an_interior_atom_has_its_electrons():
    config = WindowConfig(edge=14.0, points=36)
    assert density(box([(6.9, 7.3, 7.05)], [26]), config).double().sum().item() * config.spacing**3 == pytest.approx(
        26, rel=1e-6
    )


def test_a_crystal_has_its_electrons():
    crystal = Crystal(np.eye(3) * 5, np.random.default_rng(0).random((4, 3)), np.array([8, 14, 1, 79]))
    window = WindowConfig(points=21)  # points 0 to 19 are two periods
    field = density(ViewBatch.collate([look(crystal, window)]), window)[0, :-1, :-1, :-1]
    assert field.double().mean().item() == pytest.approx(crystal.numbers.sum() / crystal.volume, rel=1e-6)


def test_gradients_reach_positions_and_weights():
    positions, weights = (x.requires_grad_() for x in random_atoms(3, views=2, atoms=3, channels=2))
    assert torch.autograd.gradcheck(lambda x, w: paint(x, w, WindowConfig(points=4)), (positions, weights))


def test_columns_of_atoms_are_painted_as_atoms_are():
    """In float32 atoms of the same x and y go together: the same field, the same gradient of the weights."""
    positions, weights = (x.float() for x in random_atoms(1))
    positions[:, 5:30, :2] = positions[:, :1, :2]
    positions[1, 7:9] = positions[1, 6]
    weights.requires_grad_()
    field = paint(positions, weights, SMALL)
    exact_weights = weights.detach().double().requires_grad_()
    exact = paint(positions.double(), exact_weights, SMALL)
    torch.testing.assert_close(field.double(), exact, rtol=0, atol=SINGLE * exact.abs().max().item())
    grown = torch.linspace(-1, 1, field.numel()).view(field.shape)
    (gradient,) = torch.autograd.grad(field, weights, grown)
    (truth,) = torch.autograd.grad(exact, exact_weights, grown.double())
    torch.testing.assert_close(gradient.double(), truth, rtol=0, atol=SINGLE * truth.abs().max().item())


def test_gradients_of_positions_are_those_of_each_atom():
    positions, weights = (x.float() for x in random_atoms(2, atoms=4))
    positions[:, 1:3, :2] = positions[:, :1, :2]
    gradients = [
        torch.autograd.grad(paint(x, weights.to(x.dtype), SMALL).square().sum(), x)[0].double()
        for x in (positions.clone().requires_grad_(), positions.double().requires_grad_())
    ]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-7)


def test_a_view_is_the_same_to_the_last_bit_in_every_batch(prototypes):
    window = WindowConfig()
    views = [look(c, window, seed) for seed, c in enumerate(some(prototypes, 6))]
    alone = [ViewBatch.collate([view]) for view in views]
    for paint_views in (density, species_map, density_nearest):
        w = window if paint_views is not density_nearest else SMALL
        together = paint_views(ViewBatch.collate(views), w)
        backwards = paint_views(ViewBatch.collate(views[::-1]), w).flip(0)
        for k, atoms in enumerate(alone):
            assert torch.equal(together[k], paint_views(atoms, w)[0])
            assert torch.equal(together[k], backwards[k])


def test_painting_stays_on_its_device():
    positions, weights = (x.float().to("meta") for x in random_atoms(0, views=2, atoms=5, channels=3))
    field = paint(positions, weights, SMALL)
    assert field.device.type == "meta"
    assert field.shape == (2, 7, 7, 7, 3)
    numbers = torch.ones(2, 5, dtype=torch.int64, device="meta")
    assert density(ViewBatch(positions, numbers, numbers), SMALL).shape == (2, 7, 7, 7)


def test_nothing_is_painted_without_atoms():
    empty = box([], [])
    for field in (density(empty, SMALL), density_nearest(empty, SMALL), species_map(empty, SMALL)):
        assert field.shape == (1, 7, 7, 7)
        assert not field.any()


def distances_to_points(atoms, config):
    """Å, in float64: n n n atoms."""
    points = torch.cartesian_prod(*[axis(config).double()] * 3)
    return torch.cdist(points, atoms.positions[0].double()).view(*[config.points] * 3, -1).numpy()


MARGIN = 1e-5
"""Å: float32 cannot tell which of two atoms is nearer, or which side of the radius, closer than this."""


@few
@given(crystals(max_sites=8, min_separation=0.3), st.integers(0, 100), st.floats(0.1, 2), st.integers(2, 30))
def test_labels_are_those_of_the_nearest_atom(crystal, seed, radius, points):
    config = WindowConfig(points=points, label_radius=radius)
    assume(fits(crystal))
    atoms = ViewBatch.collate([look(crystal, config, seed)])
    distance = np.sort(distances_to_points(atoms, config), -1)[..., :2]
    nearest = atoms.numbers[0].numpy()[distances_to_points(atoms, config).argmin(-1)]
    truth = np.where(distance[..., 0] <= radius, nearest, 0)
    clear = (abs(distance[..., 0] - radius) > MARGIN) & (np.ptp(distance, -1) > MARGIN)
    np.testing.assert_array_equal(species_map(atoms, config)[0].numpy()[clear], truth[clear])


@pytest.mark.parametrize("numbers", [(3, 8), (8, 3)])
def test_of_two_atoms_just_as_near_the_heavier_one_counts(numbers):
    config = WindowConfig(points=11)  # 1 Å apart
    labels = species_map(box([(4.5, 5, 5), (5.5, 5, 5)], numbers), config)[0]
    assert labels[5, 5, 5] == 8
    assert [labels[k, 5, 5] for k in (4, 6)] == list(numbers)
    assert labels.count_nonzero() == 3


def test_an_atom_outside_labels_points_inside():
    labels = species_map(box([(-0.5, 0, 0), (5, 5, 10.6)], [3, 8]), WindowConfig(points=11))[0]
    assert labels[0, 0, 0] == 3
    assert labels[5, 5, 10] == 8
    assert labels.count_nonzero() == 2


def test_the_coin_picks_among_the_atoms_in_reach():
    config = WindowConfig(points=11, label_radius=1.2)
    atoms = box([(4.9, 5, 5), (5.2, 5, 5)], [3, 8])
    within = distances_to_points(atoms, config) <= config.label_radius
    coin = torch.Generator().manual_seed(0)
    labels = torch.stack([species_map(atoms, config, coin)[0] for _ in range(400)]).numpy()
    for number, reaches in zip((3, 8), within.transpose(3, 0, 1, 2), strict=True):
        share = (labels == number).mean(0)
        assert (share[~reaches] == 0).all()
        np.testing.assert_allclose(share[reaches], 1 / within.sum(-1)[reaches], atol=5 * np.sqrt(0.25 / 400))
    assert (within.sum(-1) == 2).any()
    again = species_map(atoms, config, torch.Generator().manual_seed(0))[0].numpy()
    np.testing.assert_array_equal(again, labels[0])


def test_batches_are_padded_with_nothing(prototypes):
    views = [look(c) for c in some(prototypes, 3)]
    atoms = ViewBatch.collate(views)
    assert len(atoms) == 3
    for k, view in enumerate(views):
        n = len(view.numbers)
        np.testing.assert_array_equal(atoms.positions[k, :n], view.positions.astype(np.float32))
        np.testing.assert_array_equal(atoms.numbers[k, :n], view.numbers)
        np.testing.assert_array_equal(atoms.site[k, :n], view.site)
        assert not atoms.numbers[k, n:].any()
        assert (atoms.site[k, n:] == -1).all()
