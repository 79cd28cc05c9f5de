"""Room of atoms, against double loops and crystals that are known."""

import numpy as np
import pytest
from ase.build import bulk
from ase.data import covalent_radii
from hypothesis import given, settings

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.room import FAR, closest, room
from xtalcodec.testing import crystals


@settings(max_examples=40, deadline=None)
@given(crystals(max_sites=4, elements=(1, 6, 8, 26, 56), min_separation=None))
def test_the_closest_pair_is_that_of_a_double_loop(crystal):
    best = FAR
    shifts = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3)
    for i in range(len(crystal)):
        for j in range(len(crystal)):
            away = crystal.frac_coords[j] - crystal.frac_coords[i]
            distance = np.linalg.norm((away + shifts) @ crystal.lattice, axis=1)
            if i == j:
                distance = distance[shifts.any(1)]
            best = min(best, distance.min() / covalent_radii[crystal.numbers[[i, j]]].sum())
    assert closest(crystal)[0] == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize(("scale", "wrong"), [(1, ""), (0.45, "Na–Cl 1.27 Å apart"), (3, "605 Å³ per atom")])
def test_salt_has_room_until_it_is_pressed_or_pulled_apart(scale, wrong):
    crystal = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64 * scale))
    reasons = "; ".join(room(crystal).reasons)
    assert wrong in reasons
    assert bool(reasons) == bool(wrong)
