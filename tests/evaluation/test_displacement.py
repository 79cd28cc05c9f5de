"""Every verdict is that of pymatgen's StructureMatcher alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.displacement import ANGLE_TOL, LTOL, STOL, displacement, rms_displacement
from xtalcodec.testing import crystals

ALIKE = 1e-5
"""Below this rms the matcher takes the first pairing; and crystals within 1e-5 Å are one to its cache."""


def assert_as_the_matcher_says(a: Crystal, b: Crystal) -> bool:
    StructureMatcher._get_reduced_istructure.cache_clear()
    truth = StructureMatcher(stol=STOL, angle_tol=ANGLE_TOL, ltol=LTOL).get_rms_dist(a.to_pymatgen(), b.to_pymatgen())
    found = displacement(a, b)
    assert (found is None) == (truth is None)
    if found:
        np.testing.assert_allclose(found, truth, atol=1e-9 if truth[0] > ALIKE else ALIKE, rtol=1e-9)
        assert rms_displacement(a, b) == found.rms
    return found is not None


def moved(crystal: Crystal, sigma: float, strain: float, seed: int) -> Crystal:
    """Sites moved by sigma Å, in a strained cell, in another order, and one of two cells in a row."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, sigma, crystal.frac_coords.shape) @ np.linalg.inv(crystal.lattice)
    order = rng.permutation(len(crystal))
    lattice = crystal.lattice @ (np.eye(3) + rng.normal(0, strain, (3, 3)))
    other = Crystal(lattice, (crystal.frac_coords + steps)[order], crystal.numbers[order])
    if seed % 3:
        return other
    halves = [(other.frac_coords + np.array([k, 0, 0])) / [2, 1, 1] for k in (0, 1)]
    return Crystal(lattice * [[2], [1], [1]], np.concatenate(halves), np.tile(other.numbers, 2))


@settings(deadline=None, max_examples=25)
@given(
    crystals(max_sites=6, left_handed=True),
    st.sampled_from([0.0, 1e-6, 0.005, 0.1, 0.5]),
    st.sampled_from([0.0, 0.03]),
    st.integers(0, 99),
)
def test_moved_crystals(crystal, sigma, strain, seed):
    assert_as_the_matcher_says(crystal, moved(crystal, sigma, strain, seed))


@pytest.mark.filterwarnings("ignore::UserWarning")  # pymatgen's, about electronegativities
def test_crystals_of_one_composition_and_others(prototypes):
    small = [crystal for crystal in prototypes if len(crystal) <= 12]
    carbon = [replace(crystal, numbers=np.full(len(crystal), 6)) for crystal in small if len(crystal) <= 6][::6]
    verdicts = [assert_as_the_matcher_says(a, b) for a, b in [*pairwise(carbon), *pairwise(small[::16])]]
    assert 0 < sum(verdicts) < len(verdicts)


def test_what_is_on_a_shared_site_counts():
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    mixed, other = (
        Crystal.of_shares(4 * np.eye(3), places, [[(11, 1.0)], [(17, share), (35, 1 - share)]]) for share in (0.6, 0.9)
    )
    assert displacement(mixed, mixed).rms == pytest.approx(0, abs=ALIKE)
    assert displacement(mixed, other) is None


def test_other_ratios_and_other_numbers_of_sites_do_not_match():
    rocksalt = Crystal(4 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]))
    other = replace(rocksalt, numbers=np.array([11, 35]))
    more = Crystal(4 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.2, 0.3, 0.4]]), np.array([11, 17, 17]))
    twice = Crystal(
        np.diag([8.0, 4, 4]),
        np.array([[0, 0, 0], [0.3, 0.5, 0.5], [0.5, 0.1, 0.2], [0.8, 0.7, 0.1]]),
        np.array([11, 17, 11, 17]),
    )
    for crystal in (other, more, twice):
        assert not assert_as_the_matcher_says(rocksalt, crystal)
        assert not assert_as_the_matcher_says(crystal, rocksalt)
