"""Supercells and their pairs, against counting and against strains that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.geometry.alignment import unimodular
from xtalcodec.geometry.correspondence import correspondences, hermite_forms
from xtalcodec.testing import lattices

ALONE = np.eye(3, dtype=np.int64)[None]


def strain(a, b):
    """Hencky's, by the eigenvalues of the right Cauchy-Green tensor."""
    gradient = np.linalg.solve(a, b)
    return np.sqrt((np.log(np.linalg.eigvalsh(gradient.T @ gradient)) ** 2).sum()) / 2


@pytest.mark.parametrize("index", [1, 2, 3, 4, 6, 8])
def test_every_sublattice_comes_once(index):
    # Gruber 1997: Σ d σ(d) over the divisors d of the index.
    divisors = [d for d in range(1, index + 1) if index % d == 0]
    expected = sum(d * sum(k for k in range(1, d + 1) if d % k == 0) for d in divisors)
    forms = hermite_forms(index)
    assert len(forms) == expected
    assert (np.round(np.linalg.det(forms)) == index).all()
    for k, one in enumerate(forms):  # another basis of the same lattice would be an integer, unimodular change
        change = forms[k + 1 :] @ np.linalg.inv(one)
        assert not (abs(change - np.round(change)).max((1, 2)) < 1e-6).any()


@settings(max_examples=8)
@given(lattices(), st.integers(0, 10_000), st.sampled_from([(1, 1), (2, 1), (1, 3)]))
def test_a_known_strain_is_an_upper_bound_and_rows_have_what_is_told(cell, seed, indices):
    rng = np.random.default_rng(seed)
    forms = [hermite_forms(k)[rng.integers(len(hermite_forms(k)))] for k in indices]
    stretch = np.eye(3) + 0.05 * rng.uniform(-1, 1, (3, 3))
    change = unimodular()[rng.integers(len(unimodular()))]
    b = np.linalg.solve(forms[1].astype(float), change @ forms[0] @ cell @ stretch)
    pairs = correspondences(cell, b, indices, (ALONE, ALONE))
    assert pairs[0].strain <= strain(np.eye(3), stretch) + 1e-9
    assert (np.diff([p.strain for p in pairs]) > -1e-8).all()
    for pair in pairs[:5]:
        assert (round(np.linalg.det(pair.a)), round(np.linalg.det(pair.b))) == indices
        assert pair.strain == pytest.approx(strain(pair.a @ cell, pair.b @ b), abs=1e-9)


def test_what_symmetry_makes_the_same_comes_once():
    from xtalcodec.crystal import Crystal
    from xtalcodec.geometry.symmetry import rotations

    cubic = Crystal(3.0 * np.eye(3), np.zeros((1, 3)), np.array([6]))
    group = np.swapaxes(rotations(cubic), 1, 2)
    pairs = correspondences(cubic.lattice, cubic.lattice, (1, 1), (group, group))
    assert pairs[0].strain < 1e-9
    assert pairs[1].strain > 0.1
    alone = correspondences(cubic.lattice, cubic.lattice, (1, 1), (ALONE, ALONE))
    assert sum(p.strain < 1e-9 for p in alone) == 24  # the rotations of a cube
