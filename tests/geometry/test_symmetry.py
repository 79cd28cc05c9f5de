"""Crystals moved onto the symmetry that they nearly have."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.sources.disordered_examples import EXAMPLES
from xtalcodec.geometry.symmetry import SYMPREC, space_group, symmetrised


def shaken(crystal: Crystal, by: float) -> Crystal:
    """Occupancies of shared sites moved at random, whatever a site holds together left as it is."""
    rng, shares = np.random.default_rng(0), crystal.shares().copy()
    for row in shares:
        here = np.flatnonzero(row)
        if len(here) > 1:
            off = by * rng.uniform(-1, 1)
            row[here[:2]] += off, -off
    return replace(crystal, occupancies=shares, numbers=1 + shares[:, 1:].argmax(1))


@pytest.mark.parametrize("example", [one.crystal() for one in EXAMPLES], ids=lambda crystal: crystal.formula)
def test_sites_that_symmetry_makes_one_share_the_mean(example):
    off = shaken(example, 0.02)
    back = symmetrised(off, 0.1)
    assert space_group(back) == space_group(example)
    ours, theirs = back.content / len(back), off.content / len(off)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_sites_that_differ_by_more_stay_apart():
    cell, places = 4 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    two = Crystal.of_shares(cell, places, [[(28, 0.8), (27, 0.2)], [(28, 0.6), (27, 0.4)]])
    assert space_group(symmetrised(two, 0.1)) == "Pm-3m"
    near = Crystal.of_shares(cell, places, [[(28, 0.8), (27, 0.2)], [(28, 0.78), (27, 0.22)]])
    assert space_group(symmetrised(near, 0.1)) == "Im-3m"


def test_a_cell_that_is_no_larger_than_the_tolerance_has_no_symmetry():
    # found by chance: with it moyopy asks for gigabytes at 0.05 Å, and ends the process
    cell = np.array(
        [[-0.572504, 0.204072, 0.286492], [-0.192698, 0.248613, -0.504306], [-0.054597, 0.021293, 0.244969]]
    )
    places = np.array(
        [[0.1772, 0.7632, 0.9304], [0.4980, 0.5180, 0.7386], [0.8937, 0.0920, 0.7536], [0.8955, 0.2085, 0.2951]]
    )
    tiny = Crystal(cell, places, np.array([8, 8, 8, 14]))
    assert space_group(tiny) == "P1"
    assert space_group(tiny, SYMPREC) == "?"
    hydrogen = Crystal(0.8 * np.eye(3), np.zeros((1, 3)), np.array([1]))  # no real crystal has shorter vectors
    assert space_group(hydrogen, SYMPREC) == "Pm-3m"
