"""Samples of a flow: what does not come out is tried again, and nothing else is touched."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec import Codec
from xtalcodec.evaluation.generation import Memo
from xtalcodec.evaluation.generation.kept_codes import MemoCodes
from xtalcodec.latent_space.sample import draw
from xtalcodec.priors import open_prior

N = 12


@pytest.fixture(scope="module")
def flow():
    """The prior of perovskites, followed in so few steps that some samples lack atoms."""
    prior = open_prior("perov-5").flow
    return prior.sampled_by(replace(prior.sampler, steps=3))


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
    assert 0 < failed < N, "three steps fail sometimes"
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
