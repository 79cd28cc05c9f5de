"""Returns: settled, made anew, settled again; what is near already stays; codes that come back."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec import Codec
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.codecs.patch import PatchCodec
from xtalcodec.geometry.distances import pairs_alike
from xtalcodec.geometry.symmetry import space_group_number
from xtalcodec.latent_space.returns import Returns
from xtalcodec.parallel import open_pool
from xtalcodec.priors import open_prior
from xtalcodec.priors.conditions import Conditions
from xtalcodec.priors.flow.prior import FlowPrior


@pytest.fixture(scope="module")
def codec():
    return Codec.from_pretrained("perov-5")


@pytest.fixture(scope="module")
def flow():
    prior = open_prior("perov-5").flow.condition(Conditions(space_group=221))
    return prior.sampled_by(replace(prior.sampler, steps=4, returns=(0.8, 0.7)))


@pytest.fixture(scope="module")
def made(codec, flow):
    plans = flow.planner.plan(6, seed=1)
    holding = [plan.composition.holding for plan in plans]
    found = codec.decode_crystals(flow.filled(plans, seed=1), holding=holding)
    return plans, {plan.number: one for plan, one in zip(plans, found, strict=True)}


def counted(monkeypatch):
    """How many cells are filled at each return."""
    cells: list[int] = []
    filled = FlowPrior.filled

    def counting(self, plans, *rest, **more):
        cells.append(len(plans))
        return filled(self, plans, *rest, **more)

    monkeypatch.setattr(FlowPrior, "filled", counting)
    return cells


def test_what_is_settled_has_its_group_and_all_of_its_atoms(codec, flow, made):
    plans, drawn = made
    found = Returns(codec, flow, 1).settled(plans, drawn)
    assert len(found) >= 4
    for plan in plans:
        if plan.number in found:
            assert space_group_number(found[plan.number].crystal) == 221
            assert found[plan.number].crystal.holding == plan.composition.holding
    assert Returns(codec, flow, 1).settled(plans, dict.fromkeys(drawn)) == {}, "where nothing decoded, nothing settles"


@pytest.mark.parametrize(("near", "second"), [(0.0, True), (9.0, False)])
def test_what_is_made_as_it_was_settled_is_not_made_again(codec, flow, made, monkeypatch, near, second):
    cells = counted(monkeypatch)
    found = Returns(codec, flow.sampled_by(replace(flow.sampler, near=near)), 1).settled(*made)
    assert cells == ([len(found)] * 2 if second else [len(found)])


def test_each_return_is_made_from_what_was_settled_before(codec, flow, made):
    """Hardly any noise: what is made is what was settled, so that it is settled at once."""
    quiet = flow.sampled_by(replace(flow.sampler, returns=(0.02,)))
    found = Returns(codec, quiet, 1).settled(*made)
    assert max(one.far for one in found.values()) < 0.1


def test_codes_are_refined_at_last_alone(codec, flow, made, monkeypatch):
    refined: list[bool] = []
    encode = PatchCodec.encode_placed

    def noting(self, placed, *, refine):
        refined.append(refine)
        return encode(self, placed, refine=refine)

    monkeypatch.setattr(PatchCodec, "encode_placed", noting)
    plans, drawn = made
    returns = Returns(codec, flow, 1)
    found = returns.settled(plans, drawn)
    kept = [plan for plan in plans if plan.number in found]
    assert refined == [False, False]
    for plan, code in zip(kept, returns.codes(kept, found), strict=True):
        (back,) = codec.decode_crystals(LatentSet((code,), codec.identity))
        own = found[plan.number].crystal
        assert (code.name, code.patches) == (plan.name, plan.patches)
        assert back.crystal.holding == own.holding
        moved = back.crystal.frac_coords - back.crystal.frac_coords[0]
        first = own.frac_coords[own.numbers == back.crystal.numbers[0]]
        off = [
            pairs_alike((moved, back.crystal.numbers), (own.frac_coords - at, own.numbers), own.lattice)[2].max()
            for at in first
        ]
        assert min(off) < 0.05
    assert refined == [False, False, True]


def test_workers_settle_the_same(codec, flow, made):
    alone = Returns(codec, flow, 1).settled(*made)
    with open_pool(workers=2) as pool:
        shared = Returns(codec, flow, 1, pool=pool).settled(*made)
    assert alone.keys() == shared.keys()
    for number, one in alone.items():
        np.testing.assert_array_equal(one.crystal.frac_coords, shared[number].crystal.frac_coords)


def test_what_is_made_anew_is_as_warm_as_what_was_made_first(codec, flow, made, monkeypatch):
    warm: list[float] = []
    filled = FlowPrior.filled

    def noting(self, plans, seed, temperature=1.0, *rest, **more):
        warm.append(temperature)
        return filled(self, plans, seed, temperature, *rest, **more)

    monkeypatch.setattr(FlowPrior, "filled", noting)
    Returns(codec, flow, 1, 0.5).settled(*made)
    assert warm == [0.5, 0.5]
