"""Samples of a flow: what does not come out is tried again, and nothing else is touched."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from xtalcodec import Codec
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.evaluation.generation import Memo
from xtalcodec.evaluation.generation.kept_codes import MemoCodes
from xtalcodec.geometry.distances import pairs_alike
from xtalcodec.geometry.symmetry import space_group_number
from xtalcodec.latent_space.returns import Returns
from xtalcodec.latent_space.sample import draw
from xtalcodec.priors import open_prior
from xtalcodec.priors.conditions import Conditions
from xtalcodec.priors.flow.planning import Planner
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.gaussian import GaussianPrior

N = 12


@pytest.fixture(scope="module")
def flow():
    """The prior of perovskites, followed in one step, so that some samples lack atoms."""
    prior = open_prior("perov-5").flow
    return prior.sampled_by(replace(prior.sampler, steps=1))


@pytest.fixture(scope="module")
def codec():
    return Codec.from_pretrained("perov-5")


def drawn(codec, flow, tries, **more):
    return list(draw(codec, flow.sampled_by(replace(flow.sampler, tries=tries)), N, 1, **more))


@pytest.fixture(scope="module")
def once(codec, flow):
    return drawn(codec, flow, 1)


@pytest.fixture(scope="module")
def often(codec, flow):
    return drawn(codec, flow, 6)


def test_what_came_out_stays_and_the_rest_is_tried_again(once, often):
    failed = sum(not one.came_out for one in once)
    assert 0 < failed < N, "one step fails sometimes"
    assert sum(not one.came_out for one in often) < failed
    for first, last in zip(once, often, strict=True):
        assert first.composition == last.composition, "what was asked for is never changed"
        changed = not np.array_equal(first.code.z, last.code.z)
        assert changed == (not first.came_out)


def test_a_sample_does_not_depend_on_those_beside_it(codec, flow, often):
    for one, other in zip(often, drawn(codec, flow, 6, together=5), strict=True):
        assert one.code.patches == other.code.patches
        np.testing.assert_allclose(one.code.lattice, other.code.lattice, atol=1e-4)


def test_a_run_that_goes_on_keeps_the_last_tries(codec, flow, often):
    six = flow.sampled_by(replace(flow.sampler, tries=6))
    kept = MemoCodes(Memo(), six, 1, 1.0)
    assert not list(draw(codec, six, 0, 1, kept=kept))
    for _ in range(2):
        for one, other in zip(often, draw(codec, six, N, 1, kept=kept), strict=True):
            np.testing.assert_array_equal(one.code.z, other.code.z)
            assert one.came_out == other.came_out


def test_another_try_is_another_cell_of_the_same_composition(flow):
    plans = flow.planner.plan(3, seed=2)
    again, twice = flow.planner.again(plans, seed=2), flow.planner.again(plans[1:], seed=2)
    for plan, other in zip(plans, again, strict=True):
        assert (plan.name, plan.composition, plan.number) == (other.name, other.composition, other.number)
        assert other.attempt == plan.attempt + 1
        assert abs(plan.lattice - other.lattice).max() > 1e-3
    np.testing.assert_allclose(again[1].lattice, twice[0].lattice, atol=1e-4)


GROUPS = ((25, 6204), (47, 86), (99, 3631), (123, 514), (221, 921))
"""Of the 11,356 training crystals."""


@pytest.fixture(scope="module")
def symmetric(flow):
    """The same prior, whose samples have space groups."""
    sampler = replace(flow.sampler, steps=6, tries=3, symmetric="always", returns=(0.7,))
    return replace(flow, about=replace(flow.about, groups=GROUPS, sampler=sampler))


def test_samples_are_settled_on_their_groups(codec, symmetric):
    settled = [one for one in draw(codec, symmetric, N, 1) if one.came_out]
    groups = [space_group_number(one.decoded.crystal, 0.01) for one in settled]
    assert sum(group in dict(GROUPS) for group in groups) > 0.9 * N
    for one in settled:
        again = codec.decode_crystals(LatentSet((one.code,), symmetric.codec))[0].crystal
        far = pairs_alike(sites(again), sites(one.decoded.crystal), one.code.lattice)[2]
        assert far.max() < 0.05, "the code is that of the settled crystal"


@pytest.fixture
def tried(monkeypatch):
    """Numbers of the samples that are tried again, as often as they are."""
    numbers: list[int] = []
    again = Planner.again

    def counted(self, plans, *rest):
        numbers.extend(plan.number for plan in plans)
        return again(self, plans, *rest)

    monkeypatch.setattr(Planner, "again", counted)
    return numbers


def test_what_surprises_the_flow_is_tried_again(codec, symmetric, tried):
    """Where nothing may, more are tried again than where all may: those too that came out."""
    counts = []
    for most in (0.0, 99.0):
        tried.clear()
        sampler = replace(symmetric.sampler, surprise=most, tries=2)
        assert len(list(draw(codec, symmetric.sampled_by(sampler), N, 1))) == N
        counts.append(len(tried))
    assert counts[0] > counts[1]


def test_the_try_that_surprises_least_is_kept(codec, symmetric, monkeypatch):
    cells = {}

    def surprise(self, plans, settled):  # noqa: ARG001
        cells.update({(plan.number, plan.attempt): plan.lattice for plan in plans})
        return {plan.number: (0.9, 0.7, 0.8)[plan.attempt] for plan in plans}

    monkeypatch.setattr(Returns, "surprise", surprise)
    for number, one in enumerate(draw(codec, symmetric.sampled_by(replace(symmetric.sampler, tries=3)), N, 1)):
        kept = next((attempt for attempt in (1, 2, 0) if (number, attempt) in cells), None)
        if kept is not None:
            np.testing.assert_array_equal(one.code.lattice, cells[number, kept])
    assert sum(attempt == 1 for _, attempt in cells) > N / 2


def test_a_composition_is_given_up_after_so_many_tries(codec, symmetric, monkeypatch):
    held = {}

    def surprise(self, plans, settled):  # noqa: ARG001
        held.update({(plan.number, plan.attempt): plan.composition for plan in plans})
        return {plan.number: 0.9 - 0.1 * plan.attempt for plan in plans}

    monkeypatch.setattr(Returns, "surprise", surprise)
    sampler = replace(symmetric.sampler, tries=4, patience=2, steps=2)
    samples = list(draw(codec, symmetric.sampled_by(sampler), N, 1))
    changed = []
    for number, one in enumerate(samples):
        tries = [held.get((number, attempt)) for attempt in range(4)]
        if None not in tries:
            first, second, third, last = tries
            assert first == second
            assert third == last == one.composition, "what was tried last surprised least"
            changed.append(first != third)
    assert sum(changed) > N / 2


def sites(crystal):
    return crystal.frac_coords, crystal.numbers


def test_a_settled_run_that_goes_on_gives_the_same_crystals(codec, symmetric):
    kept = MemoCodes(Memo(), symmetric, 1, 1.0)
    first, second = (list(draw(codec, symmetric, 6, 1, kept=kept)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.code.z, other.code.z)
        np.testing.assert_allclose(one.decoded.crystal.frac_coords, other.decoded.crystal.frac_coords, atol=1e-3)


def test_groups_are_drawn_as_often_as_they_are_and_as_is_asked(symmetric):
    drawn = [plan.space_group for plan in symmetric.planner.plan(200, 3)]
    for number, count in GROUPS:
        assert drawn.count(number) / 200 == pytest.approx(count / 11356, abs=0.12)
    tetragonal = symmetric.condition(Conditions(system="tetragonal")).planner.plan(20, 3)
    assert {plan.space_group for plan in tetragonal} <= {99, 123}
    assert {p.space_group for p in symmetric.condition(Conditions(space_group=123)).planner.plan(3)} == {123}
    for plan in tetragonal:
        np.testing.assert_array_equal(plan.lattice, plan.group.lattice)
        lengths = np.sort(np.linalg.norm(plan.lattice, axis=1))
        assert np.diff(lengths).min() < 1e-6, "two edges of a tetragonal cell are one length"


def test_as_drawn_nothing_has_a_group(flow):
    assert {plan.space_group for plan in flow.planner.plan(3)} == {0}


def test_a_group_that_was_asked_for_and_is_not_there_is_tried_again(codec, symmetric, tried, monkeypatch):
    """What fits well, but with more symmetry than was asked for, is no match; where nothing was asked, it is."""
    settled = Returns.settled

    def more_symmetric(self, plans, made):
        return {number: one._replace(as_asked=False, far=0.0) for number, one in settled(self, plans, made).items()}

    monkeypatch.setattr(Returns, "settled", more_symmetric)
    for surprise in (symmetric.sampler.surprise, None):
        counts = []
        for conditions in (Conditions(), Conditions(space_group=221)):
            tried.clear()
            sampler = replace(symmetric.sampler, surprise=surprise)
            list(draw(codec, symmetric.sampled_by(sampler).condition(conditions), 6, 2))
            counts.append(len(tried))
        assert counts[0] < 6
        assert counts[1] == 2 * 6, "all of them, as often as may be"


def test_a_flow_that_is_not_asked_what_surprises_it_is_not_asked(codec, symmetric, monkeypatch):
    def asked(*_):
        raise AssertionError("the flow is asked")

    monkeypatch.setattr(FlowPrior, "surprise", asked)
    assert len(list(draw(codec, symmetric.sampled_by(replace(symmetric.sampler, surprise=None)), 3, 1))) == 3
    with pytest.raises(AssertionError, match="asked"):
        list(draw(codec, symmetric, 3, 1))


def test_atoms_that_do_not_fill_the_group_are_drawn_anew(flow):
    plans = flow.planner.plan(8, seed=2)
    again = flow.planner.again(plans, 2, 1.0, {plan.number for plan in plans[4:]})
    for plan, other in zip(plans[:4], again, strict=False):
        assert plan.composition == other.composition
    assert sum(plan.composition != other.composition for plan, other in zip(plans[4:], again[4:], strict=True)) >= 3
    alone = flow.planner.again(plans[5:6], 2, 1.0, {5})
    assert alone[0].composition == again[5].composition, "it follows from the seed and the number alone"


def test_samples_of_a_prior_that_plans_no_cells_come_few_at_a_time(codec, monkeypatch):
    some = [bulk("CuAu", "cesiumchloride", a=a) for a in (3.1, 3.15, 3.2, 3.25)]
    own = GaussianPrior.of(codec.encode(some, refine=False))
    sizes, decode = [], Codec.decode_crystals

    def decoding(self, latents, *rest, **more):
        sizes.append(len(latents))
        return decode(self, latents, *rest, **more)

    monkeypatch.setattr(Codec, "decode_crystals", decoding)
    first, *others = draw(codec, own, 5, together=2)
    assert sizes == [2, 2, 1]
    assert first.as_planned is None
    assert len(others) == 4
