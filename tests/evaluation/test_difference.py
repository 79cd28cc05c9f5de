"""What is said of crystals that do not match."""

from dataclasses import replace

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.difference import difference, other_elements

CELL = np.diag([4.0, 5.0, 6.0])
PLACES = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.5, 0.75]])


def ordered(*numbers: int) -> Crystal:
    return Crystal(CELL, PLACES[: len(numbers)], np.array(numbers))


def test_number_of_sites():
    assert difference(ordered(26, 8), ordered(26, 8, 8)) == "3 sites came back, not 2"


def test_another_cell():
    other = replace(ordered(26, 8), lattice=CELL * 1.01)
    assert difference(ordered(26, 8), other) == "another cell came back"


def test_elements_whatever_the_order_of_the_sites():
    found = Crystal(CELL, PLACES[[2, 0, 1]] + 0.01, np.array([9, 26, 8]))
    assert difference(ordered(26, 8, 8), found) == "O of site 2 came back as F"


def test_occupancies_beyond_the_tolerance_and_no_others():
    true = Crystal.of_shares(CELL, PLACES, [[(26, 0.85), (45, 0.15)], [(8, 0.95)], [(8, 1.0)]])
    found = Crystal.of_shares(CELL, PLACES, [[(26, 0.85), (73, 0.15)], [(8, 1.0)], [(8, 1.0)]])
    assert difference(true, found) == "Fe0.85Rh0.15 of site 0 came back as Fe0.85Ta0.15"


def test_many_sites_are_counted():
    places = np.linspace(0, 0.9, 10)[:, None] * [1.0, 0, 0]
    true, found = (Crystal(np.diag([20.0, 5, 5]), places, np.full(10, z)) for z in (8, 9))
    said = difference(true, found)
    assert said.count("came back as F") == 3
    assert said.endswith("; and 7 more sites")


def test_places():
    found = replace(ordered(26, 8), frac_coords=np.array([[0.0, 0, 0.25], [0.5, 0.5, 0.5]]))
    assert difference(ordered(26, 8), found) == "its sites are up to 1.50 Å off"


def test_elements_that_came_too_and_that_did_not():
    assert other_elements(ordered(26, 8), ordered(8, 26)) == ""
    assert other_elements(ordered(26, 8), ordered(26, 16, 34)) == "S, Se came back too; O did not come back"
    shares = [[(28, 0.8), (27, 0.2)], [(8, 1.0)]]
    some = Crystal.of_shares(CELL, PLACES[:2], shares)
    assert other_elements(some, ordered(28, 8)) == "Co did not come back"
