"""Groups laid on cells: real lattices stay, strained ones get the symmetry, and the operations are those of moyopy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.group_on_cell import lay, smallest_orbit
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.orbits import Operations, onto_symmetry
from xtalcodec.geometry.origins import origins
from xtalcodec.geometry.symmetry import operations, primitive, space_group_number

STRAIN = 1e-5


@pytest.fixture(scope="module")
def cells(prototypes):
    ordered = [crystal for crystal in prototypes if crystal.is_ordered and len(crystal) <= 30]
    reduced = [niggli(primitive(crystal))[0] for crystal in ordered[::3]]
    return [(one, number) for one in reduced if (number := space_group_number(one)) > 1]


def test_the_cell_of_a_crystal_has_the_lattice_of_its_group(cells):
    assert len(cells) > 50
    for crystal, number in cells:
        group = lay(crystal.lattice, number)
        assert group.strain < 2e-2, f"{crystal.name} is written down to some thousandths"
        assert abs(np.linalg.det(group.lattice) / np.linalg.det(crystal.lattice) - 1) < STRAIN
        metric = group.lattice @ group.lattice.T
        for way in group.ways:
            for rotation in way.rotations:
                np.testing.assert_allclose(rotation.T @ metric @ rotation, metric, atol=1e-4)


def test_one_of_the_ways_is_how_the_group_lies_in_the_crystal(cells):
    """The operations that moyopy finds are those of one of the ways, about some origin."""
    for crystal, number in cells[::3]:
        group = lay(crystal.lattice, number)
        there = replace(crystal.without_properties(), lattice=group.lattice)
        found = operations(there, 0.05)
        shares = []
        for way in group.ways:
            if sorted(map(bytes, way.rotations.astype(int))) != sorted(map(bytes, found.rotations.astype(int))):
                continue
            for _, at in origins(there.frac_coords, there.numbers, way, group.lattice, 3):
                moved = there.translated(-at)
                places = moved.frac_coords, moved.numbers
                shares.append(onto_symmetry(*places, Operations(*way), group.lattice, 0.6)[1])
        assert max(shares, default=0) == 1, crystal.name


@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.04))
def test_a_strained_cell_moves_to_the_nearest_lattice(seed, size):
    rng = np.random.default_rng(seed)
    lattice = 4 * np.eye(3) + size * rng.standard_normal((3, 3))
    cubic = lay(lattice, 221).lattice
    np.testing.assert_allclose(np.linalg.norm(cubic, axis=1), np.linalg.det(lattice) ** (1 / 3), rtol=STRAIN)
    tetragonal = lay(np.diag([3.0, 3.02, 5.0]), 123).lattice  # P 4/m m m, with the axis along the one that differs
    np.testing.assert_allclose(np.linalg.norm(tetragonal, axis=1)[0], np.linalg.norm(tetragonal, axis=1)[1])


def test_a_group_lies_on_a_cell_in_all_ways_that_differ():
    """Three choices of the axis of a monoclinic group on an orthogonal cell; a cubic group has one."""
    box = np.diag([3.0, 4.0, 5.0])
    assert len(lay(box, 62).ways) == 6  # P n m a: every order of the axes is another
    assert len(lay(box, 47).ways) == 1  # P m m m: none is
    assert len(lay(4 * np.eye(3), 221).ways) == 1
    assert len(lay(box, 2).ways) == 1


def test_any_cell_has_the_lattice_of_the_triclinic_groups():
    crystal = Crystal(np.array([[3.0, 0.1, 0.2], [0.3, 4.0, 0.1], [0.2, 0.5, 5.0]]), np.zeros((1, 3)), np.array([6]))
    group = lay(crystal.lattice, 2)
    assert group.strain < 1e-9
    np.testing.assert_allclose(group.lattice, crystal.lattice)


def test_smallest_orbits_are_those_of_the_international_tables(cells):
    tables = {1: 1, 2: 1, 14: 2, 19: 4, 62: 4, 167: 2, 194: 2, 199: 4, 214: 4, 220: 6, 225: 1, 227: 2, 230: 8}
    assert {number: smallest_orbit(number) for number in tables} == tables
    for one, number in cells:
        counts = np.unique(one.numbers, return_counts=True)[1]
        assert counts.min() >= smallest_orbit(number)
