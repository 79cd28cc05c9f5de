"""Sites moved onto a symmetry obey it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.distances import distances
from xtalcodec.geometry.images import minimum_image
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.orbits import onto_symmetry
from xtalcodec.geometry.symmetry import operations, right_handed

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
