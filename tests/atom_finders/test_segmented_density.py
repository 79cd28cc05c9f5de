"""Atoms of a density and a segmentation together, against the atoms that were painted."""

import numpy as np
import pytest
import torch

from xtalcodec.atom_finders.atomic_numbers import likeliest
from xtalcodec.atom_finders.density import DensityConfig
from xtalcodec.atom_finders.segmentation import SegmentationConfig
from xtalcodec.atom_finders.segmented_density import SegmentedSpecies, read_both
from xtalcodec.representations.window_field import View, ViewBatch, WindowConfig, density, species_map

WINDOW = WindowConfig(points=16, label_radius=0.9)
POSITIONS = np.array([[3.1, 4.2, 5.3], [5.2, 4.1, 5.0], [5.0, 6.4, 3.9], [6.6, 6.1, 6.3]])
NUMBERS = np.array([26, 8, 38, 1])
BALLS = SegmentationConfig()


def painted(numbers=NUMBERS):
    nowhere = (np.arange(len(numbers)), np.eye(3), np.zeros(3), np.eye(3))
    return ViewBatch.collate([View(POSITIONS[: len(numbers)], numbers, *nowhere)])


def logits_of(view, sure=9.0):
    """Logits of a network that sees the species map."""
    z = species_map(view, WINDOW).long()
    return torch.where(torch.arange(1, 96)[:, None, None, None] == z[:, None], sure, -sure)


def compared(found, numbers=NUMBERS):
    distance = np.linalg.norm(found.positions[:, None] - POSITIONS, axis=-1)
    assert len(found) == len(numbers)
    assert sorted(distance.argmin(0)) == list(range(len(numbers)))
    return distance.min(0), found.numbers[distance.argmin(0)]


def noisy(view, size):
    rng = torch.Generator().manual_seed(0)
    field = density(view, WINDOW)
    return field + size * torch.randn(field.shape, generator=rng)


def test_both_find_the_atoms_better_than_the_segmentation():
    view = painted()
    fit = DensityConfig(noise=0.01, shares=(0.2,))
    (found,) = read_both(noisy(view, 0.01), logits_of(view), WINDOW, fit, BALLS)
    distance, numbers = compared(found)
    assert distance[:3].max() < 0.03
    assert numbers.tolist() == NUMBERS.tolist()


def test_an_atom_that_the_segmentation_misses_is_found_in_what_is_left():
    view = painted()
    seen = logits_of(painted(NUMBERS[:2]))
    (found,) = read_both(noisy(view, 0.003), seen, WINDOW, DensityConfig(noise=0.003, shares=(0.2,)), BALLS)
    assert compared(found)[1].tolist() == NUMBERS.tolist()


def test_where_weights_allow_several_species_the_segmentation_decides():
    view = painted(np.array([26, 8, 38, 16]))
    fit = DensityConfig(noise=0.3, shares=(0.2,))
    field = noisy(view, 0.1)
    (found,) = read_both(field, logits_of(view), WINDOW, fit, BALLS)
    assert compared(found)[1].tolist() == [26, 8, 38, 16]


def test_species_at_a_place_are_those_of_the_points_near_it():
    known = SegmentedSpecies(logits_of(painted()).double().sigmoid()[0].numpy(), WINDOW)(POSITIONS)
    assert (known.argmax(1) + 1).tolist() == NUMBERS.tolist()
    assert np.exp(known).sum(1) == pytest.approx(1, abs=1e-9)
    nowhere = SegmentedSpecies(np.zeros((95, 16, 16, 16)), WINDOW)(POSITIONS)
    assert np.ptp(nowhere) == 0


def test_what_is_known_counts_against_the_spread_of_the_weight():
    known = np.log(np.full((1, 118), 1e-3))
    known[0, 25] = np.log(0.9)
    assert likeliest(np.array([27.1]), np.array([2.0]), known)[0] == 26
    assert likeliest(np.array([27.1]), np.array([0.1]), known)[0] == 27
    numbers, sure = likeliest(np.array([27.1]), np.array([2.0]))
    assert numbers == 27
    assert 0.1 < sure < 0.3


def test_a_segmentation_that_sees_atoms_where_none_are_does_no_harm():
    rng = np.random.default_rng(3)
    nowhere = (np.arange(9), np.eye(3), np.zeros(3), np.eye(3))
    wrong = ViewBatch.collate([View(rng.uniform(1, 9, (9, 3)), rng.integers(20, 90, 9), *nowhere)])
    view = painted()
    fit = DensityConfig(noise=0.003, shares=(0.2,))
    (found,) = read_both(noisy(view, 0.003), logits_of(wrong), WINDOW, fit, BALLS)
    assert compared(found)[1].tolist() == NUMBERS.tolist()
