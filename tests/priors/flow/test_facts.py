"""What is known of crystals that are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.conditions import Conditions, Limits
from xtalcodec.priors.flow.cells import cell_numbers, cell_of
from xtalcodec.priors.flow.facts import SYMMETRY, Facts
from xtalcodec.priors.flow.parts import KINDS, part_of
from xtalcodec.testing import crystals

CELL = 5.64 / 2 * (np.ones((3, 3)) - np.eye(3))
SALT = Crystal(CELL, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]), "salt", properties={"band_gap": 5.0})


def test_rock_salt():
    """Space group 225, cubic; 2.16 g/cm³ (CRC Handbook)."""
    said = Facts.of([SALT], 3, ("density", "band_gap", "e_above_hull"))
    assert said.elements.tolist() == [[11, 17, 0]]
    assert said.counts.tolist() == [[1, 1, 0]]
    assert (said.sites.item(), said.space_group.item(), said.system.item()) == (2, 225, 7)
    assert said.properties[0, 0].item() == pytest.approx(2.16, abs=0.01)
    assert said.properties[0, 1].item() == 5.0
    assert said.properties[0, 2].isnan()


@pytest.mark.parametrize(("off", "group"), [(0.05, 225), (0.2, 160)])
def test_relaxed_crystals_are_a_little_off_their_symmetry(off, group):
    """Chlorine moved along the threefold axis: R3m (160) is what is left where that is more than relaxing leaves."""
    moved = SALT.frac_coords.copy()
    moved[1] += off / np.linalg.norm(CELL.sum(0))
    said = Facts.of([Crystal(CELL, moved, SALT.numbers)], 3, ())
    assert said.space_group.tolist() == [group]


def test_training_hides_what_it_should_as_often_as_it_should():
    said = Facts.of([SALT], 3, ("density", "band_gap"))[torch.zeros(4000, dtype=torch.long)]
    told = said.hidden(torch.Generator().manual_seed(0), 0.1)
    for what, share in (
        (told.elements[:, 0] > 0, 0.9),
        (told.counts[:, 1] > 0, 0.9),
        (told.sites > 0, 0.45),
        (told.system > 0, 0.9 * SYMMETRY),
        (told.space_group > 0, 0.9 * SYMMETRY**2),
        (told.properties[:, 0].isfinite(), 0.45),
    ):
        assert what.float().mean().item() == pytest.approx(share, abs=0.03)
    assert not ((told.space_group > 0) & (told.system == 0)).any()
    assert told.asked.float().mean().item() == pytest.approx(0.9, abs=0.02)


@settings(max_examples=40, deadline=None)
@given(crystals())
def test_a_cell_comes_back_from_its_numbers(crystal):
    back = cell_of(cell_numbers(crystal), len(crystal))
    scale = float(np.abs(crystal.lattice).max()) ** 2
    assert np.allclose(back @ back.T, crystal.lattice @ crystal.lattice.T, atol=1e-9 * scale)
    assert np.linalg.det(back) > 0


def test_cells_of_one_density_have_one_size_whatever_they_hold():
    twice = Crystal(
        CELL * np.array([[1], [1], [2]]), np.array([[0, 0, 0], [0.5, 0.5, 0.25]] * 2), np.array([11, 17] * 2)
    )
    assert cell_numbers(twice)[:3].sum() == pytest.approx(cell_numbers(SALT)[:3].sum())


@settings(max_examples=40, deadline=None)
@given(crystals(), st.integers(0, 999))
def test_parts_are_some_of_the_sites(crystal, seed):
    kept = part_of(crystal, np.random.default_rng(seed))
    assert kept.shape == (len(crystal),)
    for kind in KINDS[:1]:
        gone = kind(crystal, np.random.default_rng(seed))
        assert gone.any()
        assert len({*crystal.numbers[gone].tolist()}) == 1
        assert not {*crystal.numbers[gone].tolist()} & {*crystal.numbers[~gone].tolist()}


LIMITS = Limits((3, 8, 11, 17, 22), 3, 12, ("density",))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"elements": (92,)}, "never saw U in training"),
        ({"elements": (8,), "composition": {22: 1, 8: 2}}, "name different elements"),
        (
            {"composition": {22: 1, 8: 2}, "sites": (4, 5)},
            "no cell of 4 to 5 sites holds whole formula units",
        ),
        ({"composition": {22: 10, 8: 20, 3: 1}}, "no cell of 1 to 12 sites"),
        ({"sites": (5, 4)}, "from 5 to 4 sites: the first is the larger one"),
        ({"sites": (40, 50)}, "40 sites are asked for; this prior makes cells of 1 to 12"),
        ({"elements": (3, 8, 11, 17)}, "4 elements are asked for; this prior makes at most 3"),
        ({"elements": (3, 8, 11), "sites": (1, 2)}, "3 atoms do not fit on 2 sites"),
        ({"space_group": 225, "system": "hexagonal"}, "space group 225 is cubic, not hexagonal"),
        ({"space_group": 231}, "there is no space group 231"),
        ({"holding": {8: 13}, "sites": (1, 100)}, "13 atoms do not fit on 12 sites"),
        ({"composition": {22: 1, 8: 2}, "holding": {8: 4}, "sites": (1, 5)}, "no cell .* holds all 4 atoms"),
        ({"composition": {22: 1, 8: 2}, "holding": {3: 1}}, "no cell .* holds all 1 atoms"),
        ({"system": "round"}, "there is no crystal system 'round'"),
        ({"properties": {"colour": 1.0}}, "knows no 'colour': one of density"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(asked, message):
    with pytest.raises(PriorError, match=message):
        Conditions(**asked).check(LIMITS)


def test_sensible_requests_are_not():
    asked = Conditions(composition={22: 2, 8: 4}, sites=(6, 40), space_group=225, system="cubic")
    asked.check(LIMITS)
    Conditions(elements=(3, 8), properties={"density": 4.0}).check(LIMITS)


def test_groups_are_said_with_their_systems():
    said = Facts.nothing(3, 2, 0).symmetric([225, 0, 14])
    assert said.space_group.tolist() == [225, 0, 14]
    assert said.system.tolist() == [7, 0, 2]
    asked = Facts.asked_for(Conditions(space_group=62), 2, 2, ()).symmetric([0, 1])
    assert asked.space_group.tolist() == [62, 1], "0 leaves what is asked"
    assert asked.system.tolist() == [3, 1]
