"""Duplicates: candidates of one composition, the matcher's verdict, and who stays."""

from dataclasses import replace

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.duplicates import Duplicate, duplicates, same, without
from xtalcodec.training.derived import supercell


def made(lattice, places, numbers, name="", **more):
    return Crystal(lattice, np.array(places, dtype=float), np.array(numbers), name, **more)


FCC = (np.ones((3, 3)) - np.eye(3)) / 2
ROCK = made(5.6 * FCC, [[0, 0, 0], [0.5] * 3], [11, 17], "rock")
BLENDE = made(5.6 * FCC, [[0, 0, 0], [0.25] * 3], [11, 17], "blende")
OTHER = made(5.6 * FCC, [[0, 0, 0], [0.5] * 3], [11, 9], "fluoride")
GROWN = replace(supercell(ROCK, np.array([1, 2, 1])), name="grown")
SOME = [ROCK, BLENDE, OTHER, GROWN, replace(ROCK, lattice=1.2 * ROCK.lattice, name="blown")]


def test_the_matcher_decides_whatever_cell_and_volume():
    assert duplicates(SOME) == [Duplicate(0, 3), Duplicate(0, 4)]
    assert duplicates([BLENDE, GROWN], [OTHER, ROCK]) == [Duplicate(1, 1)]
    assert without(5, duplicates(SOME)) == [0, 1, 2]


def test_crystals_of_another_data_set_go_though_they_are_not_the_same_among_themselves():
    assert duplicates([ROCK, GROWN, BLENDE], [replace(GROWN, name="known")]) == [Duplicate(0, 0), Duplicate(0, 1)]
    assert duplicates([ROCK, GROWN], [BLENDE]) == []


def test_it_tells_how_far_it_is():
    steps = []
    duplicates(SOME, progress=lambda what, total: lambda done: steps.append((what, total, done)))
    assert [total for what, total, _ in steps if what == "reducing"] == [
        4
    ]  # nothing else has the fluoride's composition
    assert sum(done for what, _, done in steps if what == "comparing") == 1


def shared(lattice, places, *shares, name="", repeats=(1, 1, 1)):
    """A crystal of shared sites, in so many of its cells."""
    cells = np.indices(repeats).reshape(3, -1).T
    frac = (np.array(places, dtype=float)[None] + cells[:, None]).reshape(-1, 3) / repeats
    return Crystal.of_shares(lattice * np.array(repeats)[:, None], frac, [*shares] * len(cells), name)


def gold(share, lattice=3.7 * FCC, places=((0.0, 0, 0),), **more):
    """A copper gold alloy."""
    return shared(lattice, places, *[[(29, share), (79, 1 - share)]] * len(places), **more)


CORNERS = ((0.0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))
BRASS = [(29, 0.6), (30, 0.4)], [(29, 0.4), (30, 0.6)]
NEARLY = [(29, 0.52), (30, 0.48)], [(29, 0.48), (30, 0.52)]


def test_disordered_crystals_are_the_same_in_whatever_cell():
    primitive, cubic, long = gold(0.5), gold(0.5, 3.7 * np.eye(3), CORNERS), gold(0.5, repeats=(1, 1, 3))
    assert duplicates([primitive, cubic, long]) == [Duplicate(0, 1), Duplicate(0, 2)]
    assert not same(gold(0.6), gold(0.62))
    assert not same(gold(0.5), made(3.7 * FCC, [[0, 0, 0]], [29]))


def test_disordered_crystals_have_the_verdicts_of_the_matcher():
    matcher, square = StructureMatcher(), 3 * np.diag([1, 1, 1.2])
    body = [[0, 0, 0], [0.5, 0.5, 0.5]]
    some = [gold(0.5), gold(0.5, 3.7 * np.eye(3), CORNERS), gold(0.5, 3.9 * FCC, repeats=(2, 1, 1))]
    some += [shared(square, body, *BRASS), shared(square, body, *BRASS[::-1]), shared(square, body, *NEARLY)]
    some += [
        shared(square, body, *BRASS, repeats=(1, 2, 1)),
        shared(3.3 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0]], *BRASS),
    ]
    for a in some:
        for b in some:
            assert same(a, b) == matcher.fit(a.to_pymatgen(), b.to_pymatgen()), (a, b)
    assert [pair.second for pair in duplicates(some)] == [1, 2, 4, 6]


def test_who_stays_is_who_stays_of_all_pairs_though_the_matcher_is_not_transitive():
    def bent(far):  # of shares of 4 Å, half goes to each site; 0.3 of (V/N)^(1/3) is 0.95 Å
        return made(4 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5 - far]], [11, 17], f"{far}")

    line = [bent(far) for far in (0.0, 0.245, 0.49)]
    alike = [[same(a, b) for b in line] for a in line]
    assert alike[0][1]
    assert alike[1][2]
    assert not alike[0][2]
    assert duplicates(line) == [Duplicate(0, 1)]  # the third is the same as the second alone, and that is gone
