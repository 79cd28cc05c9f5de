"""Duplicates: candidates of one composition, the matcher's verdict, and who stays."""

from dataclasses import replace

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.duplicates import Duplicate, candidates, duplicates, same, without_later
from xtalcodec.training.derived import supercell


def made(lattice, places, numbers, name="", **more):
    return Crystal(lattice, np.array(places, dtype=float), np.array(numbers), name, **more)


FCC = (np.ones((3, 3)) - np.eye(3)) / 2
ROCK = made(5.6 * FCC, [[0, 0, 0], [0.5] * 3], [11, 17], "rock")
BLENDE = made(5.6 * FCC, [[0, 0, 0], [0.25] * 3], [11, 17], "blende")
OTHER = made(5.6 * FCC, [[0, 0, 0], [0.5] * 3], [11, 9], "fluoride")
GROWN = replace(supercell(ROCK, np.array([1, 2, 1])), name="grown")
SOME = [ROCK, BLENDE, OTHER, GROWN, replace(ROCK, lattice=1.2 * ROCK.lattice, name="blown")]


def test_all_pairs_of_one_composition_are_candidates_where_nothing_is_asked():
    vectors = np.eye(5, dtype=np.float32)
    pairs = {(p.first, p.second) for p in candidates(SOME, vectors, least=-1.0, few=0)}
    assert pairs == {(0, 1), (0, 3), (0, 4), (1, 3), (1, 4), (3, 4)}
    assert len(list(candidates(SOME, vectors, least=0.5, few=4))) == 6
    assert not list(candidates(SOME, vectors, least=0.5, few=3))
    vectors[4] = vectors[1]
    assert [(p.first, p.second) for p in candidates(SOME, vectors, least=0.5, few=3)] == [(1, 4)]


def test_the_matcher_decides_whatever_cell_and_volume():
    vectors = np.ones((5, 1), dtype=np.float32)
    found = {(p.first, p.second) for p in duplicates(SOME, vectors)}
    assert found == {(0, 3), (0, 4), (3, 4)}
    against = duplicates([BLENDE, GROWN], vectors[:2], [OTHER, ROCK], vectors[:2])
    assert [(p.first, p.second) for p in against] == [(1, 1)]


def test_shared_sites_are_compared_by_their_occupancies():
    def alloy(share):
        table = np.zeros((1, 119))
        table[0, [29, 79]] = share, 1 - share
        return made(3.7 * FCC, [[0, 0, 0]], [29 if share > 0.5 else 79], occupancies=table)

    assert same(alloy(0.6), alloy(0.62))
    assert not same(alloy(0.6), alloy(0.9))


def test_the_first_of_each_kind_stays():
    pairs = [Duplicate(0, 3, 1.0), Duplicate(3, 4, 1.0), Duplicate(1, 2, 1.0)]
    assert without_later(5, pairs, itself=True) == [0, 1, 4]  # 4 is the same as 3 alone, and 3 is gone
    assert without_later(5, pairs, itself=False) == [0, 1]
