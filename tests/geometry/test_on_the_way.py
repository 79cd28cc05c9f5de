"""Atoms on the way from one crystal to another, judged by pymatgen's distances."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.common_cell import CommonCell, common_cell
from xtalcodec.geometry.on_the_way import on_the_way

HALF = [0.5, 0.5, 0.5]


def crystal(group, lattice, species, places, name) -> Crystal:
    return Crystal.from_pymatgen(Structure.from_spacegroup(group, lattice, species, places), name)


def nearest(given: Crystal) -> float:
    """Shortest distance of two different sites, Å."""
    far = given.to_pymatgen().distance_matrix
    return float(far[~np.eye(len(far), dtype=bool)].min())


QUARTZ = crystal(
    "P3_121",
    Lattice.hexagonal(4.913, 5.405),
    ["Si", "O"],
    [[0.4697, 0, 1 / 3], [0.4135, 0.2669, 1 / 3 - 0.1191]],
    "quartz",
)
CRISTOBALITE = crystal("Fd-3m", Lattice.cubic(7.13), ["Si", "O"], [[0, 0, 0], [0.125] * 3], "cristobalite")
ROCK_SALT = crystal("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], HALF], "NaCl")
CAESIUM = crystal("Pm-3m", Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], HALF], "CsCl")


def test_atoms_that_would_collide_make_room():
    assert nearest(QUARTZ) == pytest.approx(1.61, abs=0.01)  # the Si–O bond of quartz
    cells = common_cell(QUARTZ, CRISTOBALITE)
    assert nearest(cells.at(0.5)) < 1.1, "straight ways come too near, else this tests nothing"
    first, middle, last = on_the_way(cells, [0.0, 0.5, 1.0])
    assert nearest(middle) > 0.9 * min(nearest(first), nearest(last))
    for step, end in ((first, cells.a), (last, cells.b)):
        np.testing.assert_allclose(step.frac_coords, end.frac_coords, atol=1e-12)
        np.testing.assert_allclose(step.lattice, end.lattice, atol=1e-9)
    assert middle.formula == "SiO2"


def test_where_nothing_need_move_nothing_does():
    cells = common_cell(ROCK_SALT, CAESIUM)
    for share, step in zip((0.25, 0.75), on_the_way(cells, [0.25, 0.75]), strict=True):
        np.testing.assert_allclose(step.frac_coords, cells.at(share).frac_coords, atol=1e-6)
        assert step.formula == ("NaCl" if share < 0.5 else "CsCl")


def test_atoms_whose_ways_cross_pass_each_other():
    """Titanium and oxygen exchange their places along c, and are in one place half-way."""
    cell, numbers = np.diag([4.0, 5.0, 9.0]), np.array([38, 22, 8, 9])
    a = np.array([[0, 0, 0], [0.5, 0.5, 0.4], [0.5, 0.5, 0.6], [0, 0.5, 0.1]])
    cells = CommonCell(Crystal(cell, a, numbers), Crystal(cell, a[[0, 2, 1, 3]], numbers), 0.0, 0.0, 0.0)
    straight, (moved,) = cells.at(0.5), on_the_way(cells, [0.5])
    closest = [one.to_ase().get_all_distances(mic=True)[np.triu_indices(4, 1)].min() for one in (straight, moved)]
    assert closest[0] < 0.01
    assert closest[1] > 0.8
