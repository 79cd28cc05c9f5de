"""What sites may be instead."""

import numpy as np

from xtalcodec.atom_finders.changes import Elsewhere, exchanged, other_elements, other_places
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.crystal import Crystal

CELL = np.eye(3) * 4.0
NEAREST = 0.65


def likely(*rows):
    """Probabilities of elements, by Z."""
    table = np.zeros((len(rows), 101))
    for row, own in zip(table, rows, strict=True):
        row[list(own)] = list(own.values())
    return table


def sites(*places, numbers):
    return FoundAtoms.known(np.array(places, dtype=float).reshape(-1, 3), np.array(numbers))


def told(changes):
    """Number of sites and elements of each."""
    return sorted((*one.numbers.tolist(),) for one in changes)


def test_a_site_or_all_of_an_element_may_be_what_is_likely_there():
    two = sites([0, 0, 0], [0.5, 0.5, 0.5], numbers=[11, 11])
    unsure, both = likely({11: 0.6, 19: 0.4}, {11: 0.99, 19: 0.01}), np.array([True, True])
    assert told(other_elements(two, unsure, both)) == [(11, 19), (19, 11), (19, 19)]
    assert told(other_elements(two, unsure, np.array([True, False]))) == [(19, 11), (19, 19)]
    assert told(other_elements(two, unsure, np.array([False, False]))) == []
    assert told(other_elements(two, likely({11: 1.0}, {11: 1.0 - 1e-4, 19: 1e-4}), both)) == []


def test_a_shared_site_may_be_one_element_alone():
    shared = Crystal.of_shares(CELL, np.zeros((1, 3)), [[(11, 0.6), (19, 0.4)]])
    one = FoundAtoms(shared.frac_coords, shared.numbers, np.ones(1), occupancies=shared.occupancies)
    found = list(other_elements(one, likely({11: 0.7, 19: 0.3}), np.ones(1, dtype=bool)))
    assert told(found) == [(11,), (19,)]
    assert all(change.occupancies is None for change in found)


def test_known_atoms_may_have_each_others_places():
    three = sites([0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], numbers=[8, 8, 22])
    found = list(exchanged(three, likely({8: 0.9, 22: 0.1}, {8: 1.0}, {22: 1.0})))
    assert told(found) == [(22, 8, 8)]
    np.testing.assert_array_equal(found[0].positions, three.positions)


def test_sites_come_where_they_are_likely_and_go_where_they_may_not_be():
    one = sites([0, 0, 0], [0.5, 0.5, 0.5], numbers=[3, 9])
    there = Elsewhere(np.array([[0.5, 0, 0], [0.51, 0.5, 0.5]]), likely({9: 0.9}, {9: 0.9}), CELL, NEAREST)
    neither, second = np.array([False, False]), np.array([False, True])
    assert told(other_places(one, neither, there)) == [(3, 9, 9)]  # the other place is a site's own
    assert told(other_places(one, second, there)) == [(3,), (3, 9, 9)]
    assert told(other_places(one, neither, there.some(second))) == []


def test_a_place_near_a_site_is_beside_it_or_in_its_stead():
    one = sites([0, 0, 0], numbers=[8])
    beside = Elsewhere(np.array([[0.12, 0, 0]]), likely({1: 0.9}), CELL, NEAREST)  # 0.48 Å
    assert told(other_places(one, np.zeros(1, dtype=bool), beside)) == [(1,), (8, 1)]
    instead = Elsewhere(np.array([[0.07, 0, 0]]), likely({1: 0.9}), CELL, NEAREST)  # 0.28 Å
    assert told(other_places(one, np.zeros(1, dtype=bool), instead)) == [(1,)]


def test_the_last_site_does_not_go():
    none = Elsewhere(np.zeros((0, 3)), np.zeros((0, 101)), CELL, NEAREST)
    assert told(other_places(sites([0, 0, 0], numbers=[8]), np.ones(1, dtype=bool), none)) == []
