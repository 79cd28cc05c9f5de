"""Sites moved onto a symmetry obey it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.distances import distances
from xtalcodec.geometry.images import minimum_image
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.orbits import Kept, kept_by, onto_symmetry
from xtalcodec.geometry.symmetry import operations, right_handed, space_group_number

EDGE = 4.0
CUBE = Crystal(EDGE * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([38, 22]))
PM3M = operations(CUBE)


def mapped(crystal, found):
    """Å from each site to the image that takes its place, by the worst operation."""
    worst = 0.0
    for rotation, translation in zip(*found, strict=True):
        images = crystal.frac_coords @ rotation.T + translation
        far = distances(crystal.frac_coords, images, crystal.lattice)
        far = np.where(crystal.numbers[:, None] == crystal.numbers, far, 1e3)
        worst = max(worst, far[linear_sum_assignment(far)].max())
    return worst


def test_operations_bring_a_crystal_onto_itself_in_either_hand(prototypes):
    for crystal in prototypes[:60:4]:
        for one in (right_handed(crystal), right_handed(crystal).in_basis(np.diag([1, 1, -1]))):
            assert mapped(one, operations(one)) < 0.03


def test_disturbed_sites_move_back_onto_the_symmetry(prototypes):
    rng = np.random.default_rng(0)
    some = [niggli(crystal)[0] for crystal in prototypes if crystal.is_ordered and 4 < len(crystal) <= 12][:12]
    for crystal in some:
        found = operations(crystal, 0.01)
        moved = crystal.frac_coords + 0.05 * rng.standard_normal((len(crystal), 3)) @ np.linalg.inv(crystal.lattice)
        places, share = onto_symmetry(moved, crystal.numbers, found, crystal.lattice, 0.5)
        assert share == 1
        assert mapped(replace(crystal, frac_coords=places), found) < 0.02  # Å
        before, after = (
            np.linalg.norm(minimum_image(x - crystal.frac_coords) @ crystal.lattice, axis=1) for x in (moved, places)
        )
        assert (after**2).sum() <= (before**2).sum() + 1e-6  # the mean over a group is a projection


def test_what_is_far_from_a_symmetry_stays():
    places, numbers = np.array([[0.5, 0.5, 0.1], [0.3, 0.1, 0.2]]), np.array([8, 8])
    moved, share = onto_symmetry(places, numbers, PM3M, CUBE.lattice, 0.01)
    np.testing.assert_allclose(moved, places)
    assert share == pytest.approx(1 / 48)  # the identity
    other = np.array([8, 9])
    swapped = onto_symmetry(np.array([[0.5, 0.5, 0], [0.5, 0, 0.5]]), other, PM3M, CUBE.lattice, 0.01)[1]
    same = onto_symmetry(np.array([[0.5, 0.5, 0], [0.5, 0, 0.5]]), numbers, PM3M, CUBE.lattice, 0.01)[1]
    assert (swapped, same) == (pytest.approx(8 / 48), pytest.approx(16 / 48))  # m m m with and without the exchange


def kept(crystal):
    return kept_by(operations(crystal), crystal.frac_coords, crystal.numbers, crystal.lattice, within=0.1)


RUTILE = Crystal(
    np.diag([4.6, 4.6, 2.95]),
    np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.3, 0.3, 0], [0.7, 0.7, 0], [0.2, 0.8, 0.5], [0.8, 0.2, 0.5]]),
    np.array([22, 22, 8, 8, 8, 8]),
)
WURTZITE = Crystal(
    np.array([[3.8, 0, 0], [-1.9, 1.9 * np.sqrt(3), 0], [0, 0, 6.2]]),
    np.array([[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.378], [2 / 3, 1 / 3, 0.878]]),
    np.array([30, 30, 16, 16]),
)

STRAINED = replace(WURTZITE, lattice=WURTZITE.lattice @ (np.eye(3) + 1e-3 * np.diag([1, -1, 0.5])))


@pytest.mark.parametrize(
    ("crystal", "orbits", "free"),
    [
        pytest.param(CUBE, [0, 1], 3, id="no free parameter"),
        pytest.param(RUTILE, [0, 0, 1, 1, 1, 1], 1 + 3, id="u"),
        pytest.param(WURTZITE, [0, 0, 1, 1], 2 + 2, id="two z, of which one is a shift of all"),
        pytest.param(STRAINED, [0, 0, 1, 1], 2 + 2, id="on a lattice that has the symmetry but nearly"),
    ],
)
def test_a_symmetry_leaves_the_free_parameters_of_its_orbits_and_shifts_of_all(crystal, orbits, free):
    """International Tables A: 4a and 4f of P4₂/mnm, 2b twice in P6₃mc."""
    found = kept(crystal)
    np.testing.assert_array_equal(found.orbits, orbits)
    assert len(found.moves) == free
    np.testing.assert_allclose(np.linalg.norm(found.moves @ crystal.lattice, axis=2).max(1), 1)


def test_moves_that_are_kept_keep_the_symmetry(prototypes):
    for crystal in [niggli(one)[0] for one in prototypes if one.is_ordered and 4 < len(one) <= 12][:12]:
        found = kept(crystal)
        assert mapped(replace(crystal, frac_coords=found.places), operations(crystal)) < 0.01  # Å
        number = space_group_number(crystal, 0.01)
        for move in found.moves:
            assert space_group_number(replace(crystal, frac_coords=found.places + 0.05 * move), 0.01) == number


def test_without_symmetry_each_site_moves_alone():
    found = Kept.without_symmetry(RUTILE.frac_coords, RUTILE.lattice)
    assert found.orbits.tolist() == [*range(6)]
    np.testing.assert_allclose((found.moves @ RUTILE.lattice).reshape(18, 18), np.eye(18), atol=1e-12)
