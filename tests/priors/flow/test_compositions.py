"""Compositions obey whatever is asked, and are learnt."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.priors.conditions import Conditions, Limits
from xtalcodec.priors.flow.compositions import Compositions
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.settings import FlowConfig
from xtalcodec.priors.plan import Composition

CONFIG = FlowConfig(composition_width=16, composition_layers=1, most_sites=12, most_elements=4)
LIMITS = Limits(tuple(range(1, 51)), 4, 12, CONFIG.properties)


def network():
    torch.manual_seed(0)
    return Compositions(CONFIG).eval()


def nothing(n):
    return Facts.nothing(n, 4, len(CONFIG.properties))


NETWORK = network()
ELEMENTS = st.sets(st.sampled_from(LIMITS.elements), min_size=1, max_size=4)


def drawn(conditions, n=5, seed=0):
    return NETWORK.draw(nothing(n), conditions, LIMITS, rngs(n, seed))


def rngs(n, seed=0):
    return [np.random.default_rng([seed, k]) for k in range(n)]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 11), st.integers(0, 99))
def test_cells_hold_as_many_sites_as_asked_of_known_elements(low, more, seed):
    high = min(12, low + more)
    for one in drawn(Conditions(sites=(low, high)), seed=seed):
        assert low <= sum(one.counts) <= high
        assert min(one.counts) >= 1
        assert list(one.elements) == sorted({*one.elements})
        assert {*one.elements} <= {*LIMITS.elements}
        assert len(one.elements) <= 4


@settings(max_examples=40, deadline=None)
@given(ELEMENTS, st.integers(0, 99))
def test_cells_hold_just_the_elements_asked_for(elements, seed):
    for one in drawn(Conditions(elements=tuple(elements)), seed=seed):
        assert one.elements == tuple(sorted(elements))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(LIMITS.elements), st.integers(1, 3), min_size=1, max_size=4), st.integers(0, 99))
def test_cells_hold_whole_formula_units(unit, seed):
    for one in drawn(Conditions(composition=unit), seed=seed):
        ratio = {z: n / unit[z] for z, n in zip(one.elements, one.counts, strict=True)}
        assert ratio.keys() == unit.keys()
        assert len({*ratio.values()}) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(LIMITS.elements), st.integers(1, 3), min_size=1, max_size=3),
    st.integers(0, 3),
    st.integers(0, 99),
)
def test_cells_hold_what_is_there_already(holding, more, seed):
    sites = sum(holding.values()) + more
    for one in drawn(Conditions(holding=holding, sites=(sites, sites)), seed=seed):
        counts = dict(zip(one.elements, one.counts, strict=True))
        assert sum(counts.values()) == sites
        assert all(counts.get(z, 0) >= n for z, n in holding.items())
        assert len(counts) <= 4


@settings(max_examples=60, deadline=None)
@given(ELEMENTS, st.integers(0, 99))
def test_what_is_added_can_be_of_some_elements_alone(elements, seed):
    holding = {min(elements): 2}
    asked = Conditions(elements=tuple(elements), holding=holding, sites=(6, 8))
    for one in drawn(asked, seed=seed):
        assert one.elements == tuple(sorted(elements))
        assert one.counts[0] >= 2


def test_a_row_depends_on_its_own_numbers_alone():
    for asked in (Conditions(), Conditions(elements=(8, 22))):
        every = NETWORK.draw(nothing(6), asked, LIMITS, rngs(6))
        assert NETWORK.draw(nothing(1), asked, LIMITS, rngs(6)[4:5]) == every[4:5]


def test_what_is_seen_is_learnt():
    model = network().train()
    facts = nothing(3)
    facts.elements[:, :2], facts.counts[:, :2], facts.sites[:] = torch.tensor([8, 22]), torch.tensor([4, 2]), 6
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(50):
        loss = model.loss(facts, nothing(3))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.5
    made = model.eval().draw(nothing(8), Conditions(), LIMITS, rngs(8))
    assert sum((one.elements, one.counts) == ((8, 22), (4, 2)) for one in made) >= 6


def test_an_untrained_loss_is_that_of_equal_odds():
    """ln 13 for the number of sites, and ln 119 + ln 13 for each of two elements, within what random weights differ."""
    facts = nothing(1)
    facts.elements[:, :2], facts.counts[:, :2], facts.sites[:] = torch.tensor([8, 22]), torch.tensor([4, 2]), 6
    model = network()
    for head in (model.to_number, model.to_element, model.to_count):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    expected = 3 * np.log(13) + 2 * np.log(119)
    torch.testing.assert_close(model.loss(facts, nothing(1)).item(), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("asked", "choices"),
    [
        ({"sites": (1, 1)}, [{8: 1}, {22: 1}]),
        ({"elements": (8, 22), "sites": (4, 4)}, [{8: 1, 22: 3}, {8: 2, 22: 2}, {8: 3, 22: 1}]),
        ({"composition": {8: 2, 22: 1}}, [{8: 2, 22: 1}, {8: 4, 22: 2}, {8: 6, 22: 3}, {8: 8, 22: 4}]),
    ],
)
def test_of_what_is_asked_each_is_drawn_as_often_as_it_is_likely(asked, choices):
    """By the likelihoods of whole compositions, of a network that expects other elements after few and many oxygens."""
    limits, model = replace(LIMITS, elements=(8, 22), most_elements=2), network()
    for head in (model.to_number, model.to_element, model.to_count):
        torch.nn.init.normal_(head.weight, std=0.4)
    made = Counter(
        one.counts + one.elements for one in model.draw(nothing(3000), Conditions(**asked), limits, rngs(3000))
    )
    compositions = [Composition(tuple(one), tuple(one.values())) for one in choices]
    n = len(choices)
    odds = model.log_likelihood(nothing(n).holding(compositions), nothing(n)).softmax(0).tolist()
    shares = [made[one.counts + one.elements] / 3000 for one in compositions]
    assert sum(shares) == pytest.approx(1)
    assert shares == pytest.approx(odds, abs=0.05)


def test_the_loss_is_the_mean_likelihood_and_padding_does_not_count():
    facts = nothing(2).holding([Composition((8, 22), (4, 2)), Composition((22,), (1,))])
    logs = NETWORK.log_likelihood(facts, nothing(2))
    torch.testing.assert_close(NETWORK.loss(facts, nothing(2)), -logs.mean())
    alone = NETWORK.log_likelihood(facts[1:], nothing(1))
    torch.testing.assert_close(alone[0], logs[1], atol=1e-5, rtol=0)
