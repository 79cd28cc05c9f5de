import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xtalcodec.representations.gaussian import outer_sum, torus_points, torus_profiles

TOLERANCE = 1e-6
"""Of a voxel, for atoms of weight up to 1: the rounding of float32 and the images beyond reach."""

few = settings(max_examples=25, deadline=None, derandomize=True)

SIGMA = 0.9


def paint(frac_coords, weights, grid, sigma=SIGMA):
    """One crystal's field, nx ny nz channels."""
    profiles = tuple(torus_profiles(frac_coords[None, :, k], n, sigma) for k, n in enumerate(grid))
    return outer_sum(profiles, weights[None])[0]


def paint_by_loops(frac_coords, weights, grid, sigma=SIGMA, images=4):
    """The same in float64, one voxel and one atom at a time, over many periodic images."""
    shifts = np.array(list(itertools.product(range(-images, images + 1), repeat=3))) * grid
    field = np.zeros((*grid, weights.shape[1]))
    for voxel in np.ndindex(*grid):
        for x, weight in zip(frac_coords * grid, weights, strict=True):
            square = ((np.array(voxel) - x + shifts) ** 2).sum(1)
            field[voxel] += weight * np.exp(-square / (2 * sigma**2)).sum() / (2 * np.pi * sigma**2) ** 1.5
    return field


def random_atoms(seed, atoms, channels):
    """Atoms anywhere, outside the cell too, and weights of both signs."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.5, 2.5, (atoms, 3)).astype(np.float32), rng.uniform(-1, 1, (atoms, channels)).astype("f4")


@pytest.mark.parametrize("grid", [(4, 8, 5), (4, 4, 4), (1, 2, 3)])
def test_fields_are_those_of_a_loop_over_voxels_atoms_and_images(grid):
    frac_coords, weights = random_atoms(0, atoms=3, channels=2)
    field = paint(torch.from_numpy(frac_coords), torch.from_numpy(weights), grid)
    truth = paint_by_loops(frac_coords.astype(float), weights.astype(float), np.array(grid), images=8)
    np.testing.assert_allclose(field.numpy(), truth, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5])
def test_fields_of_other_widths_are_right_too(sigma):
    frac_coords, weights = random_atoms(1, atoms=2, channels=1)
    field = paint(torch.from_numpy(frac_coords), torch.from_numpy(weights), (4, 4, 8), sigma)
    truth = paint_by_loops(frac_coords.astype(float), weights.astype(float), np.array((4, 4, 8)), sigma, images=5)
    # A wide Gaussian has more and larger images beyond reach, a narrow one a higher peak.
    np.testing.assert_allclose(field.numpy(), truth, atol=max(TOLERANCE, 2e-6 * abs(truth).max()), rtol=0)


@few
@given(st.floats(-3, 3), st.integers(1, 40), st.floats(0.86, 3))
def test_profiles_sum_to_one_wherever_the_atom_sits(x, n, sigma):
    assert torus_profiles(torch.tensor([x]), n, sigma).sum().item() == pytest.approx(1, abs=2 * TOLERANCE)


def test_the_images_of_a_tiny_torus_count():
    (alone,) = torus_profiles(torch.tensor([0.0]), 4, SIGMA)
    opposite = 2 * np.exp(-0.5 * (2 / SIGMA) ** 2) / (np.sqrt(2 * np.pi) * SIGMA)
    assert alone[2].item() == pytest.approx(opposite, abs=TOLERANCE)  # from the left and from the right
    assert torus_profiles(torch.tensor([0.3]), 1, SIGMA).item() == pytest.approx(1, abs=TOLERANCE)


def test_samples_start_at_zero_and_end_before_one():
    torch.testing.assert_close(torus_points(4), torch.tensor([0, 0.25, 0.5, 0.75]))


weights_of_atoms = arrays(np.float32, (5, 3), elements=st.floats(0, 100, width=32))
positions = arrays(np.float32, (5, 3), elements=st.floats(-2, 2, width=32))


@few
@given(positions, weights_of_atoms)
def test_the_integral_is_the_sum_of_the_weights(frac_coords, weights):
    field = paint(torch.from_numpy(frac_coords), torch.from_numpy(weights), (4, 12, 8))
    total = weights.sum(0)
    np.testing.assert_allclose(field.double().sum((0, 1, 2)).numpy(), total, rtol=2 * TOLERANCE, atol=1e-30)


@few
@given(positions, st.tuples(*[st.integers(-20, 20)] * 3))
def test_moving_atoms_by_whole_voxels_rolls_the_field(frac_coords, steps):
    grid = (4, 12, 8)
    weights = torch.linspace(0, 1, 15).view(5, 3)
    field = paint(torch.from_numpy(frac_coords), weights, grid)
    moved = paint(torch.from_numpy(frac_coords + np.array(steps) / grid).float(), weights, grid)
    torch.testing.assert_close(moved, field.roll(steps, (0, 1, 2)), atol=TOLERANCE, rtol=0)


def test_atoms_superpose():
    frac_coords, weights = (torch.from_numpy(x) for x in random_atoms(2, atoms=4, channels=3))
    together = paint(frac_coords, weights, (8, 4, 8))
    one_by_one = sum(paint(frac_coords[k : k + 1], weights[k : k + 1], (8, 4, 8)) for k in range(4))
    torch.testing.assert_close(together, one_by_one, atol=TOLERANCE, rtol=0)


def test_gradients_reach_positions_and_weights():
    frac_coords, weights = (torch.from_numpy(x).double().requires_grad_() for x in random_atoms(3, 2, 2))
    assert torch.autograd.gradcheck(lambda x, w: paint(x, w, (4, 5, 4)), (frac_coords, weights))
