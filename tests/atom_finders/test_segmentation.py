import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from xtalcodec.atom_finders.segmentation import SegmentationConfig, read_segmentation, read_species_map
from xtalcodec.crystal import CrystalError
from xtalcodec.evaluation.matching import compare_atoms
from xtalcodec.representations.repeating import Repeating, RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCell, UnitCellConfig
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, species_map
from xtalcodec.testing import crystals

CELL = UnitCellConfig().window
WINDOW = WindowConfig()
CONFIG = SegmentationConfig()
few = settings(max_examples=25, deadline=None, derandomize=True)

BALL = 0.12
"""Å: so far apart, two places of an atom can label the same points."""


def labelled(positions, numbers, window=WINDOW):
    positions, numbers = np.asarray(positions, dtype=np.float32), np.asarray(numbers)
    site = np.arange(len(numbers))
    return species_map(ViewBatch(*(torch.tensor(x)[None] for x in (positions, numbers, site))), window)


def judged(found, positions, numbers, edge=None):
    return compare_atoms(found.positions, found.numbers, np.asarray(positions, dtype=float), np.asarray(numbers), edge)


@few
@given(crystals(max_sites=8, min_separation=0.97), st.integers(0, 99))
def test_every_atom_of_a_cell_comes_back(crystal, seed):
    try:
        view = UnitCell(UnitCellConfig()).view(crystal, np.random.default_rng(seed))
    except CrystalError:
        reject()
    found = read_species_map(species_map(ViewBatch.collate([view]), CELL), CELL, CONFIG)[0]
    assert judged(found, view.positions, view.numbers).perfect(BALL)


def test_atoms_of_prototypes_come_back_from_repeating_windows(prototypes):
    scores = []
    for k, crystal in enumerate(prototypes[::40]):
        view = Repeating(RepeatingConfig(rotate=False, fits="shortest_edge")).view(crystal, np.random.default_rng(k))
        found = read_species_map(species_map(ViewBatch.collate([view]), WINDOW), WINDOW, CONFIG)[0]
        scores.append(judged(found, view.positions, view.numbers, WINDOW.edge))
    assert all(score.same_species for score in scores)
    assert np.mean([score.perfect(BALL) for score in scores]) > 0.8


@pytest.mark.parametrize("distance", [0.74, 1.1, 1.3, 1.45])
@pytest.mark.parametrize("numbers", [(6, 6), (8, 1)])
def test_balls_that_touch_are_told_apart(distance, numbers):
    turn = np.array([2.0, 1, -2]) / 3
    positions = [[5.1, 4.8, 5.2], np.array([5.1, 4.8, 5.2]) + distance * turn]
    found = read_species_map(labelled(positions, numbers), WINDOW, CONFIG)[0]
    assert judged(found, positions, numbers).perfect(BALL)


def test_a_row_of_one_species_is_one_component_of_many_atoms():
    positions = [[1.2 + 1.25 * k, 5, 5.1] for k in range(6)]
    found = read_species_map(labelled(positions, [6] * 6), WINDOW, CONFIG)[0]
    assert judged(found, positions, [6] * 6).perfect(BALL)


def test_an_atom_in_a_face_is_found_and_one_outside_stays_outside():
    positions = [[0.3, 5, 5], [10.3, 2, 2]]
    found = read_species_map(labelled(positions, [11, 17]), WINDOW, CONFIG)[0]
    assert judged(found, positions, [11, 17], edge=10.0).perfect(BALL)
    assert list(found.within(10.0).numbers) == [11]


def test_logits_of_a_network_are_read_like_the_map():
    positions, numbers = [[3, 4, 5], [5, 4, 5], [7, 6, 5]], [26, 8, 14]
    species = labelled(positions, numbers).long()
    logits = torch.full((1, 95, 30, 30, 30), -9.0)  # 95 times the chance of each is still little
    logits.scatter_(1, (species - 1).clamp_min(0)[:, None], torch.where(species > 0, 6.0, -9.0)[:, None])
    soft = logits + 1.5 * torch.randn(logits.shape, generator=torch.Generator().manual_seed(0))
    for given_logits in (logits, soft):
        found = read_segmentation(given_logits, WINDOW, CONFIG)[0]
        assert judged(found, positions, numbers).perfect(0.15)
        assert found.confidence.min() > 0.7


def test_a_stray_point_is_no_atom():
    species = labelled([[3, 4, 5]], [26])
    species[0, 20, 20, 20] = 8
    found = read_species_map(species, WINDOW, CONFIG)[0]
    assert list(found.numbers) == [26]


def test_nothing_is_read_from_nothing():
    assert len(read_species_map(np.zeros((1, 30, 30, 30), dtype=np.uint8), WINDOW, CONFIG)[0]) == 0
