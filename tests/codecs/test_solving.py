"""What sites hold is solved for where it is not what is read."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest
import torch

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs import gauss_newton, solving
from xtalcodec.codecs.attempts import moved
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.contract import Known
from xtalcodec.codecs.gauss_newton import Sought
from xtalcodec.codecs.guesses import Latents
from xtalcodec.codecs.misfit import misfit
from xtalcodec.codecs.solving import SOLVED, solved
from xtalcodec.crystal import Crystal, alone
from xtalcodec.geometry.orbits import Kept
from xtalcodec.representations import portions

SHARE = 0.005
"""Largest error of an occupancy that is solved for."""
PLACE = 0.005
"""Å, of a site that is solved for."""


@pytest.fixture(scope="module")
def mp():
    return Codec.from_pretrained("mp")


def perovskite(a, b, x=((8, 1.0),)):
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal.of_shares(3.95 * np.eye(3), places, [a, b, x, x, x], "perovskite")


class Case:
    """A crystal, and its latent."""

    def __init__(self, mp, crystal):
        placed = mp.place(crystal)
        (self.crystal,) = moved([placed.crystal], [mp.representation.origin(placed.crystal, 0)])
        lattice = torch.tensor(self.crystal.lattice[None]).float()
        self.latents = Latents(mp, mp.latents([self.crystal], [placed.patches]), lattice, [placed.patches], Known())

    @property
    def truth(self):
        """Its sites, each one element's: the largest of its shares."""
        return FoundAtoms.known(self.crystal.frac_coords, self.crystal.shares()[:, 1:].argmax(1) + 1)

    @torch.no_grad()
    def solved(self, sites):
        (guess,) = self.latents.guessed([sites])
        return solved(self.latents, {0: guess}).get(0, guess)

    def check(self, guess):
        found = misfit(self.crystal, guess.sites)
        assert found.within(PLACE)
        assert guess.distance < SOLVED
        np.testing.assert_allclose(guess.sites.shares(), self.crystal.shares(), atol=SHARE)
        np.testing.assert_array_equal(guess.sites.shares() > 0, self.crystal.shares() > 0)


DOPED = {
    "a dopant": perovskite([(57, 0.9), (38, 0.1)], [(25, 1.0)]),
    "two sites": perovskite([(56, 0.6), (38, 0.4)], [(22, 0.8), (40, 0.2)]),
    "three elements": perovskite([(57, 0.5), (59, 0.2), (20, 0.3)], [(25, 1.0)]),
    "vacancies": perovskite([(38, 1.0)], [(26, 1.0)], [(8, 0.9)]),
    "a trace": perovskite([(56, 1.0)], [(22, 0.98), (23, 0.02)]),
}


@pytest.mark.parametrize("kind", DOPED)
def test_a_dopant_that_was_overlooked_is_found(mp, kind):
    case = Case(mp, DOPED[kind])
    case.check(case.solved(case.truth))


def test_a_dopant_that_was_taken_for_another_is_put_right(mp):
    case = Case(mp, DOPED["a dopant"])
    other = case.crystal.shares().copy()
    other[:, [20, 38]] = other[:, [38, 20]]  # calcium for strontium
    case.check(case.solved(replace(case.truth, occupancies=other)))


def test_what_is_no_mixture_is_read_as_none(mp):
    case = Case(mp, perovskite([(56, 1.0)], [(22, 1.0)]))
    mixed = 0.9 * case.truth.shares() + 0.1 * alone(np.full(5, 40))
    guess = case.solved(replace(case.truth, occupancies=mixed))
    case.check(guess)
    assert guess.sites.occupancies is None


def test_a_site_too_many_is_empty_and_goes(mp):
    case = Case(mp, perovskite([(56, 1.0)], [(22, 1.0)]))
    place = case.truth.positions[0] + 0.5 * np.array([1, 0, 0])
    more = FoundAtoms.known(np.vstack([case.truth.positions, place]), np.append(case.truth.numbers, 1))
    case.check(case.solved(more))


def test_sites_that_symmetry_does_not_make_one_hold_what_is_theirs(mp):
    places = np.array([[0, 0, 0], [0.5, 0, 0], [0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
    one = [(28, 1.0)]
    crystal = Crystal.of_shares(np.diag([5.8, 2.9, 2.9]), places, [[(13, 0.7), (31, 0.3)], [(13, 1.0)], one, one], "x")
    case = Case(mp, crystal)
    case.check(case.solved(case.truth))


def test_places_are_solved_for_off_the_symmetry_too(mp):
    case = Case(mp, DOPED["a dopant"])
    off = np.random.default_rng(0).normal(size=(5, 3)) * 0.02 / 3.95
    case.check(case.solved(replace(case.truth, positions=case.truth.positions + off)))


def test_nothing_is_solved_for_where_it_is_too_much_work_or_no_nearer(mp, monkeypatch):
    case = Case(mp, DOPED["a dopant"])
    with torch.no_grad():
        (guess,) = case.latents.guessed([case.truth])
        right = replace(case.truth, occupancies=case.crystal.shares())
        (exact,) = case.latents.guessed([right])
    assert solved(case.latents, {0: exact}) == {}
    assert solved(case.latents, {}) == {}
    monkeypatch.setattr(solving, "MOST", 10)
    assert solved(case.latents, {0: guess}) == {}


def test_least_squares_that_do_not_end_are_no_step(mp, monkeypatch):
    def endless(*_, **__):
        raise RuntimeError("Maximum number of iterations reached.")

    sought, (before, _) = began(mp)
    monkeypatch.setattr(gauss_newton, "nnls", endless)
    assert sought.fitted(before, before.shares > 0)[0] is before


def began(mp):
    """A latent, and two states from which it may be sought."""
    case = Case(mp, DOPED["a dopant"])
    sought = Sought(case.latents, Kept.without_symmetry(case.truth.positions, case.crystal.lattice))
    numbers = case.truth.numbers
    shares, other = (
        torch.from_numpy(alone(own)[:, : len(sought.table)]) for own in (numbers, np.where(numbers == 57, 58, numbers))
    )
    moved = torch.linspace(-0.5, 0.5, len(sought.moves)).double()
    return sought, (sought.at(shares, 0 * moved), sought.at(0.9 * shares + 0.1 * other, moved))


def test_the_jacobian_explains_the_step_that_it_is_updated_by(mp):
    """The secant equation; what it was does not."""
    sought, (before, after) = began(mp)
    _, jacobian = sought.fitted(before, sought.possible)
    change = (after.shares - before.shares) @ sought.table

    def explained(one):
        by_weight = torch.einsum("noc,oc->n", one.weights, change)
        return (by_weight + one.moves @ (after.moved - before.moved)) * len(before.z) ** 0.5

    torch.testing.assert_close(explained(jacobian.updated(change, before, after)), after.z - before.z)
    assert (explained(jacobian) - (after.z - before.z)).norm() > 0.01


def test_symmetry_makes_sites_one_and_takes_less_work(mp, monkeypatch):
    case = Case(mp, DOPED["a dopant"])
    first, *_ = solving._symmetries(case.truth, case.crystal.lattice)
    assert sorted(np.bincount(first.orbits)) == [1, 1, 3]
    assert len(first.moves) == 3
    monkeypatch.setattr(solving, "MOST", Sought(case.latents, first).work)
    case.check(case.solved(case.truth))


def test_latents_of_weights_are_those_of_the_sites_that_have_them(mp, monkeypatch):
    case = Case(mp, DOPED["two sites"])
    (grid,), lattice = case.latents.grids, case.latents.lattice[0]
    table = torch.tensor(mp.channels)
    table[0] = 0
    weights = torch.tensor(case.crystal.shares()[:, : len(table)]).float() @ table
    places = torch.tensor(case.crystal.frac_coords).float()
    monkeypatch.setattr(portions, "BATCH_PATCHES", 2 * prod(grid))
    found = mp.weighed(lattice, places.expand(5, -1, -1), weights.expand(5, -1, -1), grid)
    for one in found:
        torch.testing.assert_close(one, case.latents.z[0], atol=1e-5, rtol=0)


def test_what_cannot_be_explained_stays_what_it_was(mp):
    """Errors that nobody told of are no traces of other elements."""
    case = Case(mp, perovskite([(56, 1.0)], [(22, 1.0)]))
    off = torch.randn(case.latents.z[0].shape, generator=torch.Generator().manual_seed(0))
    case.latents = replace(case.latents, z=[case.latents.z[0] + 0.03 * off])
    truth = case.truth
    assert case.solved(truth).sites is truth


def test_decoding_solves_for_dopants_where_the_codec_knows_of_any(mp):
    crystal = perovskite([(56, 1.0)], [(22, 0.95), (40, 0.05)])
    (decoded,) = mp.decode_crystals(mp.encode(crystal.to_pymatgen(), refine=False))
    np.testing.assert_allclose(sorted(decoded.crystal.shares()[:, 40]), [0, 0, 0, 0, 0.05], atol=SHARE)
    assert decoded.confidence > 0.95
    perov = Codec.from_pretrained("perov-5")
    latents = perov.encode(perovskite([(56, 1.0)], [(22, 1.0)]).to_pymatgen(), refine=False)
    code = replace(latents[0], z=latents[0].z + 0.03 * np.random.default_rng(0).normal(size=latents[0].z.shape))
    (decoded,) = perov.decode_crystals(replace(latents, codes=(code,)))
    assert decoded.crystal.is_ordered
