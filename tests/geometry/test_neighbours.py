"""Neighbours against a double loop over images; compositions."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.compositions import composition, of_one_composition
from xtalcodec.geometry.neighbours import neighbours, shortest
from xtalcodec.testing import crystals
from xtalcodec.training.derived import supercell


def made(lattice, places, numbers, name="", **more):
    return Crystal(lattice, np.array(places, dtype=float), np.array(numbers), name, **more)


@given(crystals(), st.floats(1.0, 4.0))
def test_neighbours_are_those_of_a_double_loop(crystal, radius):
    found = neighbours(crystal, radius)
    far = int(np.ceil(radius / (1 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)).min())) + 1
    inside = crystal.frac_coords % 1
    true = []
    for image in itertools.product(range(-far, far + 1), repeat=3):
        apart = (inside[None] + image - inside[:, None]) @ crystal.lattice
        distance = np.linalg.norm(apart, axis=-1)
        true += distance[(distance <= radius - 1e-6) & (distance > 1e-6)].tolist()
    kept = found.distance[found.distance <= radius - 1e-6]
    np.testing.assert_allclose(np.sort(kept), np.sort(true), atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(found.apart, axis=1), found.distance, atol=1e-6)


@given(crystals(max_sites=8))
def test_the_shortest_distance_is_pymatgens(crystal):
    expected = min(crystal.to_pymatgen().get_neighbor_list(r=12.0)[3], default=None)
    assert shortest(crystal) == pytest.approx(expected, abs=1e-6)


def test_the_shortest_distance_in_primitive_cells_and_of_close_packed_atoms():
    """Where the atoms of the cell are further apart than one of them and an image, in a rhombohedral cell."""
    corners = 0.5 * (np.ones((3, 3)) - np.eye(3))
    salt = made(5.64 * corners, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
    copper = made(3.61 * corners, [[0, 0, 0]], [29])
    assert shortest(salt) == pytest.approx(5.64 / 2)
    assert shortest(copper) == pytest.approx(3.61 / 2**0.5)


def test_a_composition_is_the_same_in_any_cell():
    salt = made(4 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
    double = supercell(salt, np.array([2, 1, 3]))
    other = made(4 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 9])
    assert composition(salt) == composition(double) == ((11, 0.5), (17, 0.5))
    assert sorted(of_one_composition([salt, other, double]).values()) == [[0, 2], [1]]
