"""Verdicts on reduced cells are those of pymatgen's StructureMatcher, at either of its settings that are used."""

import warnings

import numpy as np
import pytest

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.duplicates import duplicates
from xtalcodec.evaluation.reduced_cells import reduced_cell
from xtalcodec.evaluation.sameness import Tolerances, may_be_same, same
from xtalcodec.training.derived import supercell
from xtalcodec.training.embedding_views import distorted

LOOSE = Tolerances(0.5, 10.0, 0.3)
"""CDVAE's."""


def matcher(tolerances):
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(ltol=tolerances.ltol, stol=tolerances.stol, angle_tol=tolerances.angle_tol)


@pytest.fixture(scope="module")
def some(prototypes):
    """Prototypes of few sites, each with itself moved by so much that some match and some do not."""
    rng = np.random.default_rng(0)
    few = [crystal for crystal in prototypes if len(crystal) <= 10][:48:2]
    return [(one, distorted(one, float(rng.uniform(0, 0.6)), 0.12, rng)) for one in few]


@pytest.mark.parametrize("tolerances", [Tolerances(), LOOSE], ids=["default", "loose"])
def test_verdicts_are_the_matchers(some, tolerances):
    judge, verdicts = matcher(tolerances), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one, moved in some:
            truth = bool(judge.fit(one.to_pymatgen(), moved.to_pymatgen()))
            assert same(reduced_cell(one), reduced_cell(moved), tolerances) == truth, one.name
            verdicts.append(truth)
    assert 4 < sum(verdicts) < len(verdicts) - 1  # both verdicts are there


def test_carbon_of_many_sites_is_told_as_the_matcher_tells_it():
    rng, tolerances = np.random.default_rng(1), Tolerances()
    places = rng.random((7, 3))
    cells = [
        Crystal(np.diag([3.0, 3.2, 4.4]) + rng.normal(0, s, (3, 3)), places + rng.normal(0, s, (7, 3)), np.full(7, 6))
        for s in (0.0, 0.02, 0.05, 0.08, 0.12, 0.2, 0.3)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = [(a, b) for k, b in enumerate(cells) for a in cells[:k]]
        truth = [bool(matcher(tolerances).fit(a.to_pymatgen(), b.to_pymatgen())) for a, b in pairs]
    assert [same(reduced_cell(a), reduced_cell(b), tolerances) for a, b in pairs] == truth
    assert 0 < sum(truth) < len(truth)


def test_cells_are_as_primitive_as_pymatgen_makes_them(prototypes):
    rng = np.random.default_rng(2)
    for one in [crystal for crystal in prototypes if len(crystal) <= 8][:30]:
        for cell in (one, distorted(supercell(one, np.array([1, 2, 1])), 0.02, 0.0, rng)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                truth = cell.to_pymatgen().get_reduced_structure().get_primitive_structure()
            found = reduced_cell(cell)
            assert len(found) == len(truth), one.name
            assert abs(np.linalg.det(found.lattice)) == pytest.approx(len(found))
            longest = np.sort(found.lengths) * (truth.volume / len(truth)) ** (1 / 3)
            assert longest == pytest.approx(np.sort(truth.lattice.abc), abs=2e-3), one.name


def test_a_lattice_that_is_too_long_has_no_cell_that_looks_like_the_other():
    first = np.array([[1.0, 1.0, 2.5], [1.0, 1.0, 1.0]])
    assert may_be_same(first, np.array([1.0, 1.0, 2.0]), Tolerances()).tolist() == [False, True]


def test_a_flat_cell_is_compared_with_nothing():
    flat = Crystal(np.array([[4.0, 0, 0], [0, 4, 0], [3.9999, 0, 1e-4]]), np.zeros((1, 3)), np.array([6]))
    with pytest.raises(CrystalError, match="its cell is impossible"):
        reduced_cell(flat)
    assert not duplicates([flat, flat])
