"""Orbits against the multiplicities of the International Tables; sets of them that make up a composition."""

from collections import Counter

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.assembly import MERGED, Orbit, assembled, orbits_near, votes
from xtalcodec.geometry.distances import distances
from xtalcodec.geometry.orbits import Operations
from xtalcodec.geometry.symmetry import operations

EDGE = 8.0
CUBE = Crystal(EDGE * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([38, 22]))
PM3M = operations(CUBE)
OXYGEN = 8


def near(*places, most=48, **more):
    return orbits_near(OXYGEN, np.array(places, dtype=float), PM3M, CUBE.lattice, most, **more)


@pytest.mark.parametrize(
    ("place", "sites"),  # of P m -3 m, International Tables A, No. 221
    [
        ((0, 0, 0), 1),
        ((0.5, 0.5, 0), 3),
        ((0.26, 0, 0), 6),
        ((0.25, 0.25, 0.25), 8),
        ((0.26, 0.26, 0), 12),
    ],
)
def test_a_site_in_its_place_has_the_orbit_of_its_wyckoff_position(place, sites):
    found = near(place)
    assert len(found[0].places) == sites
    np.testing.assert_allclose(found[0].places[0], place, atol=1e-9)
    assert found[0].votes == pytest.approx(1)


def test_a_site_stands_for_the_special_positions_within_reach():
    found = near((0.48, 0.51, 0.02))  # its images by the axes through ½ ½ 0 are up to 0.5 Å away
    own = min(found, key=lambda one: len(one.places))
    far = distances(own.places, np.array([[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]), CUBE.lattice)
    assert far.min(1).max() < 1e-6
    assert len(own.places) == 3
    free = near((0.13, 0.25, 0.37))
    assert len(free[0].places) == 48, "where nothing is near, the general position"
    assert all(len(one.places) < 48 for one in near((0.13, 0.25, 0.37), most=47))


def test_an_orbit_is_found_once_and_its_sites_vote_together():
    places = np.array([[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    found = near(*places)
    assert len(found) == 1
    assert found[0].votes == pytest.approx(3)
    assert votes(places + 0.5 / EDGE * np.eye(3)[0], [places, places[:1]], CUBE.lattice) == pytest.approx(
        [3 * np.exp(-1), np.exp(-1)]
    )
    assert votes(np.zeros((0, 3)), [places], CUBE.lattice) == [0]


def test_sites_near_an_earlier_one_may_be_passed_over():
    places = (0.13, 0.25, 0.37), (0.13, 0.25, 0.40)
    assert len(near(*places, apart=0.3)) < len(near(*places))


def test_a_composition_is_made_of_whole_orbits_with_room():
    orbits = near((0, 0, 0), (0.5, 0.5, 0), (0.26, 0, 0), (0.5, 0.5, 0.5))
    for count in range(1, 11):
        for some in assembled(Counter({OXYGEN: count}), orbits, CUBE.lattice):
            assert sum(len(one.places) for one in some) == count
            every = np.concatenate([one.places for one in some])
            apart = distances(every, every, CUBE.lattice) + 9 * np.eye(count)
            assert apart.min() > 0.66, "half of the sum of two radii of oxygen"
    best = assembled(Counter({OXYGEN: 4}), orbits, CUBE.lattice)
    assert best[0][0].votes + best[0][1].votes == max(sum(one.votes for one in some) for some in best)
    assert not assembled(Counter({OXYGEN: 2}), [one for one in orbits if len(one.places) > 1], CUBE.lattice)


def test_orbits_without_room_beside_each_other_are_not_put_together():
    centre = Orbit(OXYGEN, np.zeros((1, 3)), 1.0)
    beside = Orbit(OXYGEN, np.array([[0.12, 0, 0]]), 1.0)  # 0.96 Å away; two radii of oxygen are 1.32 Å
    assert assembled(Counter({OXYGEN: 2}), [centre, beside], CUBE.lattice)
    assert not assembled(Counter({OXYGEN: 2}), [centre, beside], CUBE.lattice, closest=0.8)
    six = [len(near((0.12, 0, 0), most=6, closest=least)) for least in (0.9, 1.1)]  # 1.36 Å from each other: 1.03
    assert six[1] == six[0] - 1, "the six about the centre are gone, the centre is not"


def test_a_group_that_takes_nothing_back_has_no_orbits():
    strange = Operations(np.eye(3)[None], np.full((1, 3), 0.5))
    assert len(orbits_near(OXYGEN, np.array([[0.1, 0.2, 0.3]]), strange, CUBE.lattice, 9)) <= len(MERGED)
    assert not orbits_near(OXYGEN, np.zeros((0, 3)), PM3M, CUBE.lattice, 9)
