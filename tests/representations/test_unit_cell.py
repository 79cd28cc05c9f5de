import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.niggli import niggli
from xtalcodec.representations.unit_cell import UnitCell, UnitCellConfig
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, density
from xtalcodec.testing import crystals

few = settings(max_examples=20, deadline=None, derandomize=True)
cells = pytest.mark.parametrize("cell", ["compact", "given"])

PAIR = Crystal(np.eye(3) * 4, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([55, 17]))


def given_cell(crystal):
    """Å: the sites inside of the cell that was given, as the paper takes them."""
    return (crystal.frac_coords - np.floor(crystal.frac_coords)) @ crystal.lattice


def compact_cell(crystal):
    """Å: of the Niggli cell, and of the images around each of its sites, those nearest together; by loops."""
    reduced, _ = niggli(crystal)
    choices = [reduced.frac_coords @ reduced.lattice]
    for centre in reduced.frac_coords:
        images = []
        for site in reduced.frac_coords:
            shift = [min((-1, 0, 1), key=lambda n, apart=apart: abs(apart + n)) for apart in site - centre]
            images.append((site + np.array(shift)) @ reduced.lattice)
        choices.append(np.array(images))
    return min(choices, key=radius)


TRUTH = {"compact": compact_cell, "given": given_cell}


def radius(positions):
    """Å from the centroid of the cell's atoms to the farthest."""
    return np.linalg.norm(positions - positions.mean(0), axis=1).max()


def ties(crystal):
    """Whether two images of a site are about as near to another, so that rounding chooses."""
    frac = niggli(crystal)[0].frac_coords
    apart = frac[:, None] - frac
    return (abs(abs(apart - np.round(apart)) - 0.5) < 1e-6).any()


def pairwise(positions):
    return np.linalg.norm(positions[:, None] - positions, axis=-1)


def opened(cell, window):
    return UnitCellConfig(window, cell=cell).open()


@cells
@few
@given(crystals(min_separation=None, left_handed=True), st.integers(0, 1000))
def test_a_view_is_the_cell_rotated_and_centred(cell, crystal, seed):
    edge = 2 * float(radius(TRUTH[cell](crystal))) + 0.1
    view = opened(cell, WindowConfig(edge=edge)).view(crystal, np.random.default_rng(seed))
    np.testing.assert_allclose(view.rotation @ view.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(view.rotation) == pytest.approx(1)
    np.testing.assert_allclose(view.lattice, crystal.lattice @ view.rotation.T, atol=1e-10)
    np.testing.assert_allclose(view.positions.mean(0), edge / 2, atol=1e-9)
    assert view.inside(edge).all()
    np.testing.assert_array_equal(view.site, np.arange(len(crystal)))
    np.testing.assert_array_equal(view.numbers, crystal.numbers)
    images = (view.positions - view.offset) @ np.linalg.inv(view.lattice) - crystal.frac_coords[view.site]
    np.testing.assert_allclose(images, images.round(), atol=1e-9)


@cells
@few
@given(crystals(min_separation=None, left_handed=True), st.integers(0, 1000))
def test_the_images_that_are_seen_are_those_that_the_setting_says(cell, crystal, seed):
    assume(cell == "given" or not ties(crystal))
    truth = TRUTH[cell](crystal)
    edge = 2 * float(radius(truth)) + 0.1
    view = opened(cell, WindowConfig(edge=edge)).view(crystal, np.random.default_rng(seed))
    assert radius(view.positions) == pytest.approx(radius(truth), abs=1e-6)
    if cell == "given":
        np.testing.assert_allclose(pairwise(view.positions), pairwise(truth), atol=1e-6)


@few
@given(crystals(max_sites=6), st.data())
def test_given_coordinates_on_a_face_stay_on_it(crystal, data):
    """A coordinate of 0 is no 1, though it has been through the reduced cell and back."""
    twelfths = st.lists(st.tuples(*[st.integers(0, 11)] * 3), min_size=len(crystal), max_size=len(crystal), unique=True)
    special = Crystal(crystal.lattice, np.array(data.draw(twelfths)) / 12, crystal.numbers)
    reduced, basis = niggli(special)
    chosen = UnitCellConfig(cell="given").open().choose_images(special, reduced, basis)
    np.testing.assert_allclose(chosen.frac_coords @ chosen.lattice, given_cell(special), atol=1e-7)


@pytest.mark.parametrize(("cell", "fitting"), [("given", 217), ("compact", 234)])
def test_prototypes_that_fit_are_those_of_independent_code(prototypes, cell, fitting):
    space, truth, found = UnitCellConfig(cell=cell).open(), [], []
    for crystal in prototypes:
        truth.append(radius(TRUTH[cell](crystal)) <= 5)
        try:
            space.place(crystal)
        except CrystalError:
            found.append(False)
        else:
            found.append(True)
    assert found == truth
    assert (sum(found), len(found)) == (fitting, 288)


@cells
@few
@given(crystals(min_separation=None), st.integers(0, 1000))
def test_the_field_has_the_electrons_of_the_cell(cell, crystal, seed):
    edge = 2 * float(radius(TRUTH[cell](crystal))) + 12
    window = WindowConfig(edge=edge, points=int(2 * edge))
    view = opened(cell, window).view(crystal, np.random.default_rng(seed))
    field = density(ViewBatch.collate([view]), window)
    assert field.double().sum().item() * window.spacing**3 == pytest.approx(crystal.numbers.sum(), rel=2e-6)


def test_rotations_are_uniform():
    """Over SO(3): no mean, the angle of density (1 − cos θ)/π, a fixed vector goes evenly over the sphere."""
    space, rng, n = UnitCell(UnitCellConfig()), np.random.default_rng(0), 1500
    rotations = np.stack([space.view(PAIR, rng).rotation for _ in range(n)])
    assert abs(rotations.mean(0)).max() < 5 * np.sqrt(1 / 3 / n)
    np.testing.assert_allclose(np.einsum("nij,nkl->ijkl", rotations, rotations) / n, _second_moments(), atol=0.04)
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
    message = r"does not fit: an atom lies 6\.00 Å from the centre, the window ends at 5 Å"
    with pytest.raises(CrystalError, match=message):
        UnitCell(UnitCellConfig()).view(long, np.random.default_rng(0))
    UnitCell(UnitCellConfig(WindowConfig(edge=12.1))).view(long, np.random.default_rng(0))
