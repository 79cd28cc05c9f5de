"""What is read is mended until it encodes to its latent."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.atom_finders.changes import Elsewhere
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs import changing
from xtalcodec.codecs.attempts import moved
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.changing import changed
from xtalcodec.codecs.contract import Known
from xtalcodec.codecs.guesses import Latents, OnSites
from xtalcodec.codecs.inversion import inverted
from xtalcodec.codecs.misfit import misfit
from xtalcodec.codecs.settling import CLOSE, settled
from xtalcodec.crystal import Crystal
from xtalcodec.datasets import load

SETTLED = 0.02
"""Å, of a site that has settled; the decoder alone is off by twice as much."""


@pytest.fixture(scope="module")
def mp():
    return Codec.from_pretrained("mp")


class Case:
    """Prototypes, their latents, and what is read of them."""

    def __init__(self, mp, crystals, noise=None, holding=None):
        placed = sorted((mp.place(crystal) for crystal in crystals), key=lambda one: one.patches)
        origins = [mp.representation.origin(one.crystal, 0) for one in placed]
        self.crystals, grids = moved([one.crystal for one in placed], origins), [one.patches for one in placed]
        lattice = torch.from_numpy(np.stack([one.lattice for one in self.crystals])).float()
        z = mp.latents(self.crystals, grids)
        known = Known(noise, holding=[one.holding for one in self.crystals] if holding else None)
        self.latents = Latents(mp, z, lattice, grids, known)
        self.field = self.latents.decoded(noise)
        self.truth = [FoundAtoms.known(one.frac_coords, one.numbers) for one in self.crystals]

    def mended(self, found):
        with torch.no_grad():
            return inverted(self.latents, self.field, found, range(len(found)))

    def misfits(self, found):
        return [misfit(crystal, sites) for crystal, sites in zip(self.crystals, found, strict=True)]


@pytest.fixture(scope="module")
def crystals():
    return [one for one in load("aflow-prototypes")[0] if 2 < len(one) <= 12][::12]


@pytest.fixture(scope="module")
def case(mp, crystals):
    with torch.no_grad():
        return Case(mp, crystals)


def without(sites, k):
    kept = np.arange(len(sites)) != k
    return FoundAtoms.known(sites.positions[kept], sites.numbers[kept])


def test_what_the_encoder_gives_a_latent_to_is_at_no_distance(case):
    with torch.no_grad():
        assert max(guess.distance for guess in case.latents.guessed(case.truth)) < 1e-5
        assert case.latents.guessed([FoundAtoms.none()] * len(case.truth))[0].distance == np.inf


def test_sites_settle_where_they_are(case):
    rng = np.random.default_rng(0)
    shaken = [
        replace(one, positions=one.positions + rng.normal(size=one.positions.shape) * 0.02 / 4) for one in case.truth
    ]
    with torch.no_grad():
        guesses = dict(enumerate(case.latents.guessed(shaken)))
        best = settled(case.latents, case.field, guesses)
    found = case.misfits([best[k].sites for k in range(len(best))])
    assert np.median([one.displacement for one in found]) < CLOSE
    assert all(one.within(SETTLED) for one in found)
    assert all(best[k].distance <= guesses[k].distance for k in best)


def test_a_site_that_was_lost_is_found_again(case):
    assert all(one.within(SETTLED) for one in case.misfits(case.mended([without(one, 0) for one in case.truth])))


def test_another_element_is_put_right(case):
    wrong = [replace(one, numbers=np.where(np.arange(len(one)) == 0, 20, one.numbers)) for one in case.truth]
    assert all(one.within(SETTLED) for one in case.misfits(case.mended(wrong)))


def test_what_is_mended_is_sure_and_what_is_not_is_not(case):
    for sites in case.mended([without(one, 0) for one in case.truth]):
        assert sites.certainty > 0.9
    nothing = [FoundAtoms.known(np.array([[0.3, 0.4, 0.1]]), np.array([92]))] * len(case.truth)
    hopeless = [sites for sites, guess in zip(case.mended(nothing), nothing, strict=True) if len(sites) == len(guess)]
    assert all(sites.certainty < 0.1 for sites in hopeless)


@pytest.fixture(scope="module")
def large(mp):
    with torch.no_grad():
        return Case(mp, [one for one in load("aflow-prototypes")[0] if 40 < len(one) <= 60][:3])


def with_a_wrong_site(case):
    wrong = [replace(one, numbers=np.where(np.arange(len(one)) == 5, 20, one.numbers)) for one in case.truth]
    with torch.no_grad():
        return wrong, case.latents.guessed(wrong)


def test_a_wrong_site_is_off_around_its_place(large):
    for k, guess in enumerate(with_a_wrong_site(large)[1]):
        places = guess.sites.positions
        off = large.latents.off_around(k, guess, places)
        assert off.argmax() == 5
        assert np.median(off) < off.max() / 10
        again = large.latents.off_around(k, guess, places + np.array([1, -2, 3]))
        np.testing.assert_allclose(off, again, atol=0.1 * off.max())  # but for which image is taken half-way


@pytest.mark.parametrize("others", [True, False])
def test_what_is_far_from_where_a_latent_is_off_is_not_changed(large, others):
    for k, guess in enumerate(with_a_wrong_site(large)[1]):
        n, where = len(guess.sites), guess.sites.positions
        likely = np.zeros((n, 101))
        likely[:, [20, 31, 28]] = 1 / 3
        said = OnSites(np.zeros((n, 3)), likely, np.ones(n))
        elsewhere = Elsewhere(where + 0.1, likely, large.latents.cells[k], 0.65)
        tried = list(changing._others(large.latents, k, guess, said, [elsewhere] * (k + 1) if others else None))
        moved = [int((one.numbers != guess.sites.numbers).argmax()) for one in tried if len(one) == n]
        assert 5 in moved
        assert len({*moved}) < n / 3
        fewer = [one for one in tried if len(one) == n - 1]
        more = [one.positions[-1] for one in tried if len(one) == n + 1]
        assert len(fewer) < n / 3
        assert bool(fewer) == others
        assert len(np.unique(more, axis=0)) < n / 3


def test_of_noisy_latents_the_elements_alone_are_put_right(mp, crystals):
    with torch.no_grad():
        case = Case(mp, crystals, torch.full((len(crystals),), 0.4))
    wrong = [replace(one, numbers=np.where(np.arange(len(one)) == 0, 20, one.numbers)) for one in case.truth]
    for before, after, true in zip(wrong, case.mended(wrong), case.truth, strict=True):
        np.testing.assert_array_equal(after.positions, before.positions)
        np.testing.assert_array_equal(after.numbers, true.numbers)


def test_what_is_farther_off_than_its_noise_has_other_sites(mp, crystals):
    with torch.no_grad():
        case = Case(mp, crystals, torch.full((len(crystals),), 0.05))
    mended = case.mended([without(one, 0) for one in case.truth])
    assert [sorted(one.numbers) for one in mended] == [sorted(one.numbers) for one in case.truth]


def test_atoms_that_are_known_change_places_and_nothing_else(mp, crystals):
    some = [one for one in crystals if len({*one.numbers}) > 1]
    with torch.no_grad():
        case = Case(mp, some, holding=True)
    swapped = []
    for one in case.truth:
        a, b = 0, int(np.flatnonzero(one.numbers != one.numbers[0])[0])
        order = np.arange(len(one))
        order[[a, b]] = b, a
        swapped.append(replace(one, numbers=one.numbers[order]))
    mended = case.mended(swapped)
    assert [sorted(one.numbers) for one in mended] == [sorted(one.numbers) for one in case.truth]
    assert np.mean([one.within(SETTLED) for one in case.misfits(mended)]) > 0.7


def test_a_change_is_to_gain_enough(case):
    with torch.no_grad():
        assert changed(case.latents, dict(enumerate(case.latents.guessed(case.truth))), 0.1, sites=False) == {}
        assert changed(case.latents, {}, 0.1, sites=True) == {}


def test_decoding_checks_unless_it_is_told_not_to_or_the_latent_was_moved(mp, crystals):
    latents = mp.encode_placed([mp.place(one) for one in crystals], refine=False)
    moved_once = replace(latents, codes=tuple(replace(code, plain=True) for code in latents))

    def off(decoded):
        return max(largest(one, back.crystal) for one, back in zip(crystals, decoded, strict=True))

    assert off(mp.decode_crystals(latents)) < SETTLED < off(mp.decode_crystals(latents, check=False))
    assert off(mp.decode_crystals(moved_once)) == off(mp.decode_crystals(latents, check=False))
    assert np.median(mp.cycle_consistency(latents)) < np.median(mp.cycle_consistency(latents, check=False)) / 3


def largest(crystal: Crystal, back: Crystal) -> float:
    return misfit(crystal, FoundAtoms.known(back.frac_coords, back.numbers)).displacement
