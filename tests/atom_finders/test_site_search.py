"""Sites from structure factors that are summed by hand."""

import numpy as np
import pytest
from hypothesis import given, reject, settings
from scipy.optimize import linear_sum_assignment

from xtalcodec.atom_finders.site_fit import fit
from xtalcodec.atom_finders.site_search import _without_needless, read_structure_factors
from xtalcodec.atom_finders.structure_factors import Sites, StructureFactors
from xtalcodec.geometry.distances import distances
from xtalcodec.testing import crystals

few = settings(max_examples=25, deadline=None, derandomize=True)
LONGEST = 3.9
"""1/Å: largest G."""
NOISE = 1e-3
"""Electrons."""


def factors_of(crystal, noise=NOISE, longest=LONGEST):
    """All within `longest`, with noise."""
    reach = np.ceil(longest * np.linalg.norm(crystal.lattice, axis=1) / (2 * np.pi)).astype(int)
    h = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1).reshape(-1, 3)
    h = h[len(h) // 2 :]
    g = 2 * np.pi * np.linalg.norm(h @ np.linalg.inv(crystal.lattice).T, axis=1)
    h = h[g <= longest]
    values = np.exp(-2j * np.pi * h @ crystal.frac_coords.T) @ crystal.numbers
    rng = np.random.default_rng(0)
    values = values + noise * (rng.normal(size=len(h)) + 1j * rng.normal(size=len(h)))
    return StructureFactors(crystal.lattice, h, values, np.full(len(h), noise))


def matched(crystal, found):
    """Å from sites to what was found, and whether species are right."""
    far = distances(crystal.frac_coords, found.positions, crystal.lattice)
    rows, columns = linear_sum_assignment(far)
    return far[rows, columns], (crystal.numbers[rows] == found.numbers[columns]).all()


@few
@given(crystals(max_sites=8, min_separation=1.0))
def test_any_few_sites_come_back(crystal):
    factors = factors_of(crystal)
    if len(factors.values) < 3 * len(crystal):  # fewer equations than unknowns
        reject()
    found = read_structure_factors(factors)
    assert len(found) == len(crystal)
    far, right = matched(crystal, found)
    assert far.max() < 0.02
    assert right
    assert found.residual < 3


def test_an_empty_cell_has_no_sites(prototypes):
    factors = factors_of(prototypes[0])
    empty = StructureFactors(factors.cell, factors.indices, 0 * factors.values, factors.spread)
    assert len(read_structure_factors(empty)) == 0


def test_a_site_that_the_others_can_do_without_goes(prototypes):
    salt = next(c for c in prototypes if len(c) == 2)
    factors = factors_of(salt, noise=0.1)
    metric = factors.metric(0.0)
    true = Sites(salt.frac_coords, salt.numbers.astype(float))
    wrong = true.join(Sites(np.array([[0.25, 0.25, 0.25]]), np.array([0.6])))
    assert len(_without_needless(factors, fit(factors, wrong, metric, 1), metric)) == 2
    assert len(_without_needless(factors, true, metric)) == 2


def test_a_prior_decides_between_neighbours_in_the_table(prototypes):
    """Where weights are uncertain by several electrons, what is known beforehand counts."""
    salt = next(c for c in prototypes if len(c) == 2)
    factors = factors_of(salt, noise=8.0)
    wanted = salt.numbers[0] + 2

    def prior(places):
        known = np.full((len(places), 118), -50.0)
        known[:, wanted - 1] = 0
        return known

    assert set(read_structure_factors(factors, prior).numbers) == {wanted}
    assert wanted not in read_structure_factors(factors_of(salt)).numbers


def test_sites_on_a_corner_of_the_cell_are_found_once(prototypes):
    cubic = next(c for c in prototypes if len(c) == 1)
    found = read_structure_factors(factors_of(cubic))
    assert len(found) == 1
    assert matched(cubic, found)[0].max() == pytest.approx(0, abs=1e-3)
