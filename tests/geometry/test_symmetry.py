"""Crystals moved onto the symmetry that they nearly have."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.sources.disordered_examples import EXAMPLES
from xtalcodec.geometry.symmetry import space_group, symmetrised


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
