import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.representations.unit_cell import UnitCell, UnitCellConfig
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, density
from xtalcodec.testing import crystals

few = settings(max_examples=20, deadline=None, derandomize=True)

PAIR = Crystal(np.eye(3) * 4, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([55, 17]))


def radius(crystal):
    """Å from the centroid of the cell's atoms to the farthest."""
    frac = crystal.frac_coords % 1
    return np.linalg.norm((frac - frac.mean(0)) @ crystal.lattice, axis=1).max()


@few
@given(crystals(min_separation=None, left_handed=True), st.integers(0, 1000))
def test_a_view_is_the_cell_rotated_and_centred(crystal, seed):
    edge = 2 * float(radius(crystal)) + 0.1
    view = UnitCell(UnitCellConfig(WindowConfig(edge=edge))).view(crystal, np.random.default_rng(seed))
    np.testing.assert_allclose(view.rotation @ view.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(view.rotation) == pytest.approx(1)
    np.testing.assert_allclose(view.lattice, crystal.lattice @ view.rotation.T, atol=1e-10)
    np.testing.assert_allclose(view.positions.mean(0), edge / 2, atol=1e-9)
    assert view.inside(edge).all()
    np.testing.assert_array_equal(view.site, np.arange(len(crystal)))
    np.testing.assert_array_equal(view.numbers, crystal.numbers)
    cells = (view.positions - view.offset) @ np.linalg.inv(view.lattice) - crystal.frac_coords[view.site]
    np.testing.assert_allclose(cells, cells.round(), atol=1e-9)


@few
@given(crystals(min_separation=None), st.integers(0, 1000))
def test_the_field_has_the_electrons_of_the_cell(crystal, seed):
    edge = 2 * float(radius(crystal)) + 12
    window = WindowConfig(edge=edge, points=int(2 * edge))
    view = UnitCell(UnitCellConfig(window)).view(crystal, np.random.default_rng(seed))
    field = density(ViewBatch.collate([view]), window)
    assert field.double().sum().item() * window.spacing**3 == pytest.approx(crystal.numbers.sum(), rel=2e-6)


def test_rotations_are_uniform():
    """Over SO(3): no mean, the angle of density (1 − cos θ)/π, a fixed vector goes evenly over the sphere."""
    space, rng = UnitCell(UnitCellConfig()), np.random.default_rng(0)
    rotations = np.stack([space.view(PAIR, rng).rotation for _ in range(3000)])
    assert abs(rotations.mean(0)).max() < 5 * np.sqrt(1 / 3 / 3000)
    np.testing.assert_allclose(np.einsum("nij,nkl->ijkl", rotations, rotations) / 3000, _second_moments(), atol=0.03)
    angle = np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert kstest(angle, lambda x: (x - np.sin(x)) / np.pi).pvalue > 1e-3
    for entry in np.ndindex(3, 3):
        assert kstest(rotations[:, *entry], "uniform", args=(-1, 2)).pvalue > 1e-3


def _second_moments():
    """⟨R_ij R_kl⟩ = δ_ik δ_jl / 3."""
    return np.einsum("ik,jl->ijkl", np.eye(3), np.eye(3)) / 3


def test_a_seed_says_the_view():
    space = UnitCell(UnitCellConfig())
    first, again, other = (space.view(PAIR, np.random.default_rng(seed)).positions for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert abs(first - other).max() > 0.01


def test_a_cell_that_does_not_fit_is_refused_with_the_reason():
    long = Crystal(np.diag([4.0, 4, 24]), np.array([[0.0, 0, 0], [0, 0, 0.5]]), np.array([1, 1]))
    with pytest.raises(CrystalError, match=r"does not fit: an atom lies 6\.00 Å from the centre, the cube ends at 5 Å"):
        UnitCell(UnitCellConfig()).view(long, np.random.default_rng(0))
    UnitCell(UnitCellConfig(WindowConfig(edge=12.1))).view(long, np.random.default_rng(0))
