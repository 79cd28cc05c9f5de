"""Settling: what was disturbed comes back, on its group and no other."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.group_on_cell import lay
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.room import room
from xtalcodec.geometry.symmetry import primitive, space_group_number
from xtalcodec.latent_space.settled import CLOSEST, settle


@pytest.fixture(scope="module")
def some(prototypes):
    ordered = [one for one in prototypes if one.is_ordered and 2 <= len(one) <= 24 and room(one).closest > CLOSEST]
    reduced = [niggli(primitive(one, 0.05))[0] for one in ordered[::3]]
    return [one for one in reduced if 2 <= len(one) <= 20 and space_group_number(one) > 2][:40]


def rough(crystal, group, size, seed=0):
    """The crystal on the lattice of its group, with another origin, its sites disturbed."""
    rng = np.random.default_rng(seed)
    step = size * rng.standard_normal((len(crystal), 3)) @ np.linalg.inv(crystal.lattice)
    places = crystal.frac_coords + rng.random(3) + step
    return replace(crystal.without_properties(), lattice=group.lattice, frac_coords=places)


@pytest.mark.parametrize(("size", "least"), [(0.0, 0.9), (0.2, 0.8)])
def test_disturbed_crystals_come_back_on_their_groups(some, size, least):
    back = 0
    for crystal in some:
        number = space_group_number(crystal)
        group = lay(crystal.lattice, number)
        found = settle(rough(crystal, group, size), group, crystal.holding)
        if found is None:
            continue
        assert found.crystal.holding == crystal.holding
        assert not room(found.crystal).reasons
        assert (space_group_number(found.crystal) == number) == found.as_asked
        back += found.as_asked and found.far < max(0.1, 2 * size)
    assert len(some) >= 25
    assert back >= least * len(some)


def test_the_distance_is_that_of_the_sites(some):
    """Sites that are off by so much are off by about as much from the crystal that they are settled on."""
    crystal = max(some, key=len)
    group = lay(crystal.lattice, space_group_number(crystal))
    far = [settle(rough(crystal, group, size), group, crystal.holding).far for size in (0.0, 0.05, 0.1)]
    np.testing.assert_allclose(far, [0, 0.05 * 3**0.5, 0.1 * 3**0.5], atol=0.04)


def test_what_no_orbits_make_up_is_not_settled():
    """In the primitive cell of F d -3 m every orbit has an even number of sites."""
    group = lay(3.567 / 2 * (np.ones((3, 3)) - np.eye(3)), 227)
    places = np.array([[0.1, 0.2, 0.3], [0.4, 0.4, 0.5], [0.7, 0.8, 0.7]])
    drawn = Crystal(group.lattice, places, np.array([6, 6, 6]))
    assert settle(drawn, group, {6: 3}) is None
    two = settle(replace(drawn, frac_coords=places[:2], numbers=drawn.numbers[:2]), group, {6: 2})
    assert two is not None
    assert space_group_number(two.crystal) == 227, "diamond"


def test_sites_that_are_nowhere_near_are_put_where_orbits_are():
    """Rock salt, all of whose sites were drawn in one corner, where no orbits with room make it up."""
    salt = Crystal(5.64 / 2 * (np.ones((3, 3)) - np.eye(3)), np.array([[0, 0, 0], [0.5] * 3]), np.array([11, 17]))
    group = lay(niggli(salt)[0].lattice, 225)
    corner = np.array([[0.02, 0.03, 0.01], [0.07, 0.02, 0.05]])
    found = settle(Crystal(group.lattice, corner, np.array([11, 17])), group, {11: 1, 17: 1})
    assert found is not None
    assert found.as_asked
    assert found.far > 0.5
