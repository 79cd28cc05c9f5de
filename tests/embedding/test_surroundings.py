"""What surrounds sites: true symmetries, and a sum that is written out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import special_ortho_group

from xtalcodec.crystal import Crystal
from xtalcodec.embedding.surroundings import SurroundingsConfig, features, with_elements, without_elements
from xtalcodec.testing import crystals
from xtalcodec.training.derived import supercell


def made(lattice, places, numbers, name="", **more):
    return Crystal(lattice, np.array(places, dtype=float), np.array(numbers), name, **more)


WEIGHTS = np.random.default_rng(0).normal(size=(101, 3)).astype(np.float32)
LOOK, SCALED = SurroundingsConfig(1.0, 5.0, 6), SurroundingsConfig(0.4, 2.4, 5)


def both(crystal):
    return with_elements(crystal, WEIGHTS, LOOK), without_elements(crystal, SCALED)


@settings(max_examples=15)
@given(crystals(), st.integers(0, 10**6))
def test_cell_origin_orientation_and_order_of_sites_change_nothing(crystal, seed):
    rng = np.random.default_rng(seed)
    basis = np.array([[1, 0, 0], [rng.integers(-1, 2), 1, 0], [rng.integers(-1, 2), rng.integers(-1, 2), 1]])
    order = rng.permutation(len(crystal))
    moved = crystal.in_basis(basis).translated(rng.random(3))
    turned = moved.lattice @ special_ortho_group.rvs(3, random_state=rng)
    other = replace(moved, lattice=turned, frac_coords=moved.frac_coords[order], numbers=crystal.numbers[order])
    for a, b in zip(both(crystal), both(other), strict=True):
        np.testing.assert_allclose(a[order], b, atol=1e-3 * max(1, abs(a).max()))


@settings(max_examples=10)
@given(crystals())
def test_a_supercell_has_the_same_sites_more_often(crystal):
    double = supercell(crystal, np.array([1, 2, 1]))
    for a, b in zip(both(crystal), both(double), strict=True):
        np.testing.assert_allclose(np.tile(a, (2, 1)), b, atol=1e-3 * max(1, abs(a).max()))


@settings(max_examples=10)
@given(crystals(), st.floats(0.7, 1.4))
def test_structures_know_neither_elements_nor_volume(crystal, scale):
    names = dict(zip(crystal.elements, range(20, 120), strict=False))
    other = replace(
        crystal, numbers=np.array([names[z] for z in crystal.numbers.tolist()]), lattice=scale * crystal.lattice
    )
    a, b = without_elements(crystal, SCALED), without_elements(other, SCALED)
    np.testing.assert_allclose(a, b, atol=1e-3 * max(1, abs(a).max()))


def test_exchanged_elements_are_another_structure_where_sites_differ():
    fluorite = made(5.46 * (np.ones((3, 3)) - np.eye(3)) / 2, [[0, 0, 0], [0.25] * 3, [0.75] * 3], [20, 9, 9])  # CaF2
    mixed = replace(fluorite, numbers=np.array([9, 20, 9]))
    assert abs(without_elements(fluorite, SCALED).mean(0) - without_elements(mixed, SCALED).mean(0)).max() > 0.1


def test_simple_cubic_has_six_neighbours_at_its_edge_and_no_dipole():
    edge, look = 3.0, SurroundingsConfig(2.0, 4.0, 3)  # the next ones, at 4.24 Å, are beyond
    one = with_elements(made(edge * np.eye(3), [[0.2, 0.3, 0.4]], [29]), WEIGHTS, look)[0]
    weight = (1 + np.cos(np.pi * edge / 4)) / 2 / edge**2
    shells = 6 * weight * np.exp(-0.5 * (edge - look.radii) ** 2)
    own = np.append(WEIGHTS[29], 1)
    np.testing.assert_allclose(one[:4], own, rtol=1e-6)
    np.testing.assert_allclose(one[4:16], np.outer(shells, own).ravel(), rtol=1e-5)
    np.testing.assert_allclose(one[16:], 0, atol=1e-7)  # dipole and quadrupole of a cubic site
    assert len(one) == features(3, look, look)[0]


def test_one_neighbour_has_a_dipole_as_large_as_its_weight():
    pair = made(20 * np.eye(3), [[0, 0, 0], [0.1, 0, 0]], [1, 1])
    row = with_elements(pair, WEIGHTS, SurroundingsConfig(2.0, 4.0, 3))[0]
    mass, dipole, quadrupole = row[7:16:4], row[16:19], row[19:22]
    np.testing.assert_allclose(dipole, mass, rtol=1e-5)
    np.testing.assert_allclose(quadrupole, mass * np.sqrt(2 / 3), rtol=1e-5)  # of xx − 1/3: √(4 + 1 + 1) / 3


def test_shared_sites_weigh_by_their_occupancies():
    table = np.zeros((1, 119))
    table[0, [29, 79, 0]] = 0.5, 0.25, 0.25
    alloy = made(3 * np.eye(3), [[0, 0, 0]], [29], occupancies=table)
    row = with_elements(alloy, WEIGHTS, LOOK)[0]
    np.testing.assert_allclose(row[:3], 0.5 * WEIGHTS[29] + 0.25 * WEIGHTS[79], rtol=1e-5)
    assert row[3] == pytest.approx(0.75)


def test_a_site_with_no_neighbour_has_numbers_too():
    lonely = made(30 * np.eye(3), [[0, 0, 0]], [2])
    row = with_elements(lonely, WEIGHTS, LOOK)[0]
    np.testing.assert_allclose(row, [*WEIGHTS[2], 1, *[0] * (len(row) - 4)])


def test_radii_that_do_not_grow_are_refused():
    for first, last in ((5.0, 5.0), (8.0, 5.0)):
        with pytest.raises(ValueError, match="the first is to be smaller"):
            SurroundingsConfig(first=first, last=last, shells=4)
    assert SurroundingsConfig(first=5.0, last=5.0, shells=1).radii.tolist() == [5.0]
