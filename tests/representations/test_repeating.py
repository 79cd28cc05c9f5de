import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice
from scipy.stats import kstest

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.representations.repeating import Repeating, RepeatingConfig, seen
from xtalcodec.representations.window_field import WindowConfig
from xtalcodec.testing import crystals

few = settings(max_examples=30, deadline=None, derandomize=True)

SKEW = [
    (4, 5, 6, 30, 90, 90),
    (3, 3, 3, 30, 30, 30),
    (5, 4, 7, 150, 100, 100),
    (30, 3, 3, 90, 90, 90),
    (3, 9, 40, 60, 70, 80),
]

SALT = Crystal(np.eye(3) * 5.6, np.array([[0.1, 0, 0], [0.6, 0.5, 0.5]]), np.array([11, 17]))


def brute_force(view, crystal, window):
    """Every atom near the cube by pymatgen, as rows of x, y, z and site, in order."""
    structure = Crystal(view.lattice, crystal.frac_coords, crystal.numbers).to_pymatgen()
    middle = np.full(3, window.edge / 2)
    around = structure.lattice.get_points_in_sphere(
        structure.frac_coords,
        middle - view.offset,
        np.sqrt(3) * window.edge / 2 + window.reach + 0.1,
        zip_results=False,
    )
    positions = structure.lattice.get_cartesian_coords(around[0]) + view.offset
    outside = np.maximum(abs(positions - middle) - middle, 0)
    shows = np.linalg.norm(outside, axis=1) <= window.reach
    return in_order(positions[shows], around[2][shows])


def in_order(positions, site):
    """Rows of x, y, z and site, sorted so that rounding does not matter."""
    rows = np.column_stack([positions, site])
    return rows[np.lexsort(np.round(rows, 4).T)]


def check(crystal, window, rng, **more):
    """Assert that a view has just the atoms that brute force finds, where it says they are."""
    view = Repeating(RepeatingConfig(window=window, fits="shortest_edge")).view(crystal, rng, **more)
    np.testing.assert_allclose(
        in_order(view.positions, view.site), brute_force(view, crystal, window), atol=1e-7, rtol=0
    )
    cells = (view.positions - view.offset) @ np.linalg.inv(view.lattice) - crystal.frac_coords[view.site]
    np.testing.assert_allclose(cells, cells.round(), atol=1e-8)
    np.testing.assert_array_equal(view.numbers, crystal.numbers[view.site])
    np.testing.assert_allclose(view.lattice, crystal.lattice @ view.rotation.T, atol=1e-10)


@few
@given(crystals(left_handed=True), st.integers(0, 1000), st.booleans(), st.sampled_from([6.0, 10.0, 15.0]))
def test_a_view_has_every_atom_that_shows_and_no_other(crystal, seed, first, edge):
    assume(np.linalg.norm(crystal.lattice, axis=1).min() < edge)
    check(crystal, WindowConfig(edge=edge), np.random.default_rng(seed), first=first)


@pytest.mark.parametrize("parameters", SKEW, ids=str)
def test_skewed_and_long_cells_are_seen_whole(parameters):
    rng = np.random.default_rng(0)
    crystal = Crystal(Lattice.from_parameters(*parameters).matrix, rng.uniform(-2, 2, (4, 3)), rng.integers(1, 90, 4))
    for _ in range(5):
        check(crystal, WindowConfig(), rng)


def test_real_crystals_are_seen_whole(prototypes):
    rng = np.random.default_rng(0)
    for crystal in prototypes[::20]:
        check(crystal, WindowConfig(), rng)


def test_the_first_view_starts_at_the_origin():
    view = Repeating(RepeatingConfig(rotate=False)).view(SALT, np.random.default_rng(0), first=True)
    np.testing.assert_array_equal(view.offset, [0, 0, 0])
    np.testing.assert_array_equal(view.rotation, np.eye(3))
    np.testing.assert_array_equal(view.lattice, SALT.lattice)
    assert abs(view.positions - [0.56, 0, 0]).sum(1).min() < 1e-12
    turned = Repeating(RepeatingConfig()).view(SALT, np.random.default_rng(0), first=True)
    np.testing.assert_array_equal(turned.offset, [0, 0, 0])
    assert abs(turned.rotation - np.eye(3)).max() > 0.1


def test_offsets_and_rotations_are_uniform():
    config = RepeatingConfig(WindowConfig(edge=6.0, sigma=0.1), fits="shortest_edge")
    space, rng = Repeating(config), np.random.default_rng(0)
    views = [space.view(SALT, rng) for _ in range(1000)]
    shifts = np.stack([-view.offset @ np.linalg.inv(view.lattice) for view in views])
    assert ((shifts > -1e-12) & (shifts < 1)).all()
    for k in range(3):
        assert kstest(shifts[:, k], "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(shifts.T) - np.eye(3)).max() < 5 / np.sqrt(1000)
    rotations = np.stack([view.rotation for view in views])
    assert abs(rotations.mean(0)).max() < 5 * np.sqrt(1 / 3 / 1000)
    angle = np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert kstest(angle, lambda x: (x - np.sin(x)) / np.pi).pvalue > 1e-3


def test_what_is_seen_does_not_depend_on_the_cell_the_sites_are_given_in():
    moved = Crystal(SALT.lattice, SALT.frac_coords + np.array([[3, -2, 0], [0, 7, -1]]), SALT.numbers)
    views = [seen(c, c.lattice, np.array([1.0, 2, 3]), np.eye(3), 10.0, 5.7) for c in (SALT, moved)]
    first, second = (in_order(v.positions, v.site) for v in views)
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_a_cell_larger_than_the_window_is_refused_with_the_reason():
    large = Crystal(np.diag([12, 10.5, 11]), np.zeros((1, 3)), np.array([1]))
    with pytest.raises(CrystalError, match=r"does not fit: the shortest edge is 10\.50 Å, the limit is 10 Å"):
        Repeating(RepeatingConfig(fits="shortest_edge")).view(large, np.random.default_rng(0))
    Repeating(RepeatingConfig(WindowConfig(edge=11.0), fits="shortest_edge")).view(large, np.random.default_rng(0))


@few
@given(crystals(), st.integers(0, 1000))
def test_unless_asked_otherwise_every_site_must_show(crystal, seed):
    window = WindowConfig()
    assume(np.linalg.norm(crystal.lattice, axis=1).min() < window.edge)
    view, refused = (Repeating(RepeatingConfig(window, fits=rule)).view for rule in ("shortest_edge", "every_site"))
    atoms = brute_force(view(crystal, np.random.default_rng(seed)), crystal, window)
    inside = ((atoms[:, :3] >= 0) & (atoms[:, :3] <= window.edge)).all(1)
    hidden = len(crystal) - len(set(atoms[inside, 3]))
    if not hidden:
        refused(crystal, np.random.default_rng(seed))
        return
    with pytest.raises(CrystalError, match=f"the window of 10 Å is smaller than its cell: {hidden} sites stay outside"):
        refused(crystal, np.random.default_rng(seed))
