"""Shapes of cells as numbers, and cells that are what they nearly are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice

from xtalcodec.crystal import Crystal
from xtalcodec.priors.flow.cells import ALIKE, cell_numbers, cell_of, settled

lengths = st.floats(2, 12)
errors = st.lists(st.floats(-4e-4, 4e-4), min_size=6, max_size=6)


def shaken(lattice, strain):
    """The cell with an error of each of its numbers."""
    numbers = cell_numbers(Crystal(lattice, np.zeros((1, 3)), np.array([1])))
    return cell_of(numbers + np.array(strain), 1)


def parameters(lattice):
    return np.array(Lattice(lattice).parameters)


@given(lengths, errors)
def test_what_is_nearly_cubic_is_cubic(a, strain):
    lattice = settled(shaken(a * np.eye(3), strain))
    assert np.allclose(lattice, lattice[0, 0] * np.eye(3), atol=1e-9)
    assert abs(lattice[0, 0] / a - 1) < 1e-3


@given(lengths, st.floats(1.1, 3), errors)
def test_what_is_nearly_hexagonal_is_hexagonal(a, ratio, strain):
    found = parameters(settled(shaken(Lattice.hexagonal(a, ratio * a).matrix, strain)))
    assert np.allclose(found[3:], [90, 90, 120], atol=1e-6)
    assert abs(found[0] - found[1]) < 1e-9
    assert abs(found[2] / found[0] / ratio - 1) < 3e-3


@given(st.tuples(lengths, lengths, lengths), st.tuples(*[st.floats(65, 115)] * 3))
def test_no_cell_is_moved_far_and_settling_again_changes_nothing(abc, angles):
    lattice = Lattice.from_parameters(*abc, *angles).matrix
    once = settled(lattice)
    before, after = parameters(lattice), parameters(once)
    assert (abs(after[:3] / before[:3] - 1) <= 2 * ALIKE).all()
    assert (abs(after[3:] - before[3:]) <= 0.5 + 1e-6).all()
    again = parameters(settled(once))
    assert np.allclose(again[3:], after[3:], atol=1e-6)
    assert np.allclose(again[:3], after[:3], rtol=2 * ALIKE)


def test_a_tetragonal_cell_stays_one():
    found = parameters(settled(Lattice.tetragonal(4.0, 4.05).matrix))
    assert np.allclose(found, [4.0, 4.0, 4.05, 90, 90, 90], atol=1e-6)
