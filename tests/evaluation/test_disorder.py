"""Disordered crystals compared: places, and what is on them within a tolerance."""

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.disorder import TOLERANCE, occupancy_error
from xtalcodec.evaluation.displacement import displacement
from xtalcodec.evaluation.reconstruction import compare


def salt(sodium=0.6, potassium=0.3, shift=0.0, order=(0, 1)):
    """Rock salt on its primitive cell with a shared cation site and vacancies there."""
    frac = np.array([[0.0, 0, 0], [0.5 + shift, 0.5, 0.5]])
    shares = [[(z, x) for z, x in ((11, sodium), (19, potassium)) if x], [(17, 1.0)]]
    lattice = 2.8 * (1 - np.eye(3))
    return Crystal.of_shares(lattice, frac[list(order)], [shares[k] for k in order])


def row(original, decoded):
    return compare(original, decoded, 0.9, 20, None, "")


def test_occupancies_within_the_tolerance_match():
    found = row(salt(), salt(0.65, 0.28, shift=0.002, order=(1, 0)))
    assert found.matched
    assert found.same_composition
    assert found.rms < 0.01
    assert found.occupancy_error == pytest.approx((0.05 + 0.02) / 2)


@pytest.mark.parametrize("shares", [(0.6 + TOLERANCE + 0.01, 0.2), (0.3, 0.6), (0.9, 0.0)])
def test_others_do_not(shares):
    found = row(salt(), salt(*shares))
    assert not found.matched
    assert found.occupancy_error is None


def test_an_ordered_crystal_is_not_a_disordered_one():
    ordered = Crystal(salt().lattice, salt().frac_coords, np.array([11, 17]))
    assert displacement(salt(), ordered) is None
    assert row(ordered, ordered).occupancy_error is None
    assert displacement(ordered, salt(0.95, 0.0)) is not None  # within the tolerance


def test_an_element_that_was_not_there_counts():
    found = Crystal.of_shares(salt().lattice, salt().frac_coords, [[(11, 0.6), (37, 0.3)], [(17, 1.0)]])
    assert occupancy_error(salt(), found) == pytest.approx((0 + 0.3 + 0.3) / 3)
    assert occupancy_error(salt(), Crystal(salt().lattice, np.zeros((1, 3)), np.array([11]))) is None


def test_noble_gases_on_a_shared_site_are_compared_in_silence():
    """They have no electronegativity, which pymatgen warns of; warnings are errors here."""
    rare = Crystal.of_shares(salt().lattice, salt().frac_coords, [[(2, 0.3), (18, 0.3), (11, 0.4)], [(17, 1.0)]])
    assert row(rare, rare).matched
