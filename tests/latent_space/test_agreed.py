"""Ways that draws agree on: nearer to the truth than the draws, different, the surest first."""

from collections import Counter

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.distances import distances
from xtalcodec.latent_space.agreed import SYMMETRY, Sites, agreed, with_sites

EDGE = 3.905
KNOWN = Crystal(EDGE * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([38, 22]), "SrTi")
OXYGEN = np.array([[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
THREE = Counter({8: 3})


def off(sites, truth=OXYGEN):
    """Å from each true site to the nearest of some."""
    return distances(truth, sites.frac_coords, KNOWN.lattice).min(1).max()


def noisy(rng, sigma, places=OXYGEN):
    return Sites(places + sigma / EDGE * rng.standard_normal(places.shape), np.full(len(places), 8))


def test_draws_that_are_a_bit_off_agree_on_the_symmetric_sites():
    rng = np.random.default_rng(0)
    draws = [noisy(rng, 0.2) for _ in range(8)]
    assert np.median([off(one) for one in draws]) > 0.3
    first, *others = agreed(KNOWN, draws, THREE)
    assert off(first.sites) < 1e-3
    assert len(first.draws) > 4
    assert sorted(k for way in (first, *others) for k in way.draws) == list(range(8))
    assert all(first.confidence >= way.confidence for way in others)
    assert SYMMETRY / (1 + SYMMETRY) < first.confidence <= 1


def test_what_no_draw_has_is_put_together_from_several():
    """Every draw has one oxygen in its place, each another one, and two where none is."""
    rng = np.random.default_rng(1)
    wrong = np.array([[0.21, 0.33, 0.07], [0.84, 0.31, 0.42], [0.7, 0.16, 0.9], [0.36, 0.9, 0.18]])
    draws = [noisy(rng, 0.05, np.stack([OXYGEN[k % 3], *rng.permutation(wrong)[:2]])) for k in range(9)]
    assert min(off(one) for one in draws) > 0.5
    found = agreed(KNOWN, draws, THREE)
    assert off(found[0].sites) < 1e-3
    assert found[0].draws == ()


def test_other_compositions_come_last_and_count_where_any_will_do():
    rng = np.random.default_rng(2)
    two = Sites(OXYGEN[:2], np.array([8, 9]))
    draws = [two, noisy(rng, 0.1), two]
    found = agreed(KNOWN, draws, THREE)
    assert found[0].sites.holding == THREE
    assert found[-1].sites.holding == Counter({8: 1, 9: 1})
    assert found[-1].draws == (0, 2)
    first = agreed(KNOWN, draws, 2)[0]
    assert first.sites.holding == Counter({8: 1, 9: 1})


def test_a_known_part_without_symmetry_leaves_sites_where_they_are():
    rng = np.random.default_rng(3)
    strange = Crystal(
        np.diag([4.0, 5.1, 6.3]) + 0.3 * rng.random((3, 3)), rng.random((3, 3)), np.array([20, 26, 14]), "strange"
    )
    place = np.array([[0.31, 0.77, 0.52]])
    far = distances(place, strange.frac_coords, strange.lattice)
    assert far.min() > 1.2
    (way,) = agreed(strange, [Sites(place, np.array([3]))], Counter({3: 1}))
    np.testing.assert_allclose(way.sites.frac_coords, place)
    assert way.draws == (0,)
    assert way.confidence == pytest.approx(1)


def test_sites_that_would_come_too_near_are_not_moved_together():
    """Two sites beside one special position would both be on it."""
    pair = Sites(np.array([[0.5, 0.5, 0.12], [0.62, 0.5, 0.0]]), np.array([8, 8]))
    (way,) = [way for way in agreed(KNOWN, [pair], Counter({8: 2})) if way.draws]
    assert distances(way.sites.frac_coords[:1], way.sites.frac_coords[1:], KNOWN.lattice)[0, 0] > 0.66


def test_nothing_drawn_is_nothing_agreed():
    assert agreed(KNOWN, [], THREE) == []
    empty = Sites(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    (way,) = agreed(KNOWN, [empty], THREE)
    assert (way.draws, len(with_sites(KNOWN, way.sites))) == ((0,), 2)
