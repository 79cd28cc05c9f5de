"""What surprises a flow: nothing that is explained, everything that is not, whatever lies beside it."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec import Codec, Crystal
from xtalcodec.geometry.group_on_cell import lay
from xtalcodec.latent_space.returns import Returns
from xtalcodec.latent_space.settled import Settled
from xtalcodec.priors import open_prior
from xtalcodec.priors.flow.velocity import Velocity
from xtalcodec.priors.plan import Composition, Plan

CUBIC = 221
EDGES = {"SrTiO3": (38, 22, 3.91), "KTaO3": (19, 73, 3.99), "BaZrO3": (56, 40, 4.19)}
"""A, B and edge in Å of cubic perovskites."""


def perovskite(name):
    a, b, edge = EDGES[name]
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(edge * np.eye(3), places, np.array([a, b, 8, 8, 8]), name)


def moved(crystal, sites, to):
    places = crystal.frac_coords.copy()
    places[sites] = to
    return replace(crystal, frac_coords=places)


@pytest.fixture(scope="module")
def codec():
    return Codec.from_pretrained("perov-5")


@pytest.fixture(scope="module")
def flow():
    return open_prior("perov-5").flow


def planned(codec, crystal, number=0):
    lattice = crystal.lattice
    grid = codec.config.representation.open().grid_of(lattice, len(crystal))
    return Plan(crystal.name, Composition.of(crystal), lattice, grid, number, group=lay(lattice, CUBIC))


def surprises(codec, flow, crystals):
    plans = [planned(codec, crystal, k) for k, crystal in enumerate(crystals)]
    settled = {k: Settled(crystal, as_asked=True, far=0.0) for k, crystal in enumerate(crystals)}
    return [*Returns(codec, flow, 0).surprise(plans, settled).values()]


def test_real_perovskites_surprise_less_than_what_is_made_of_them(codec, flow):
    real = [perovskite(name) for name in EDGES]
    swapped = [replace(one, numbers=one.numbers[[2, 1, 0, 3, 4]]) for one in real]
    off = [moved(one, 2, [0.25, 0.25, 0.25]) for one in real]
    values = surprises(codec, flow, [*real, *swapped, *off])
    assert max(values[:3]) < 0.5
    for own, other, third in zip(values[:3], values[3:6], values[6:], strict=True):
        assert other > own
        assert third > own


def test_it_does_not_depend_on_what_lies_beside(codec, flow, monkeypatch):
    monkeypatch.setattr("xtalcodec.priors.flow.surprise.reduced", lambda _: nullcontext())
    plans = [planned(codec, perovskite(name), k) for k, name in enumerate(EDGES)]
    plans.append(replace(plans[0], lattice=2 * plans[0].lattice, patches=(3, 3, 3), number=7))
    codes = [*flow.filled(plans, 1)]
    together = flow.surprise(plans, codes)
    assert len({plan.patches for plan in plans}) > 1
    for plan, code, value in zip(plans, codes, together, strict=True):
        assert flow.surprise([plan], [code])[0] == pytest.approx(value, rel=1e-4)
    assert flow.surprise(plans, codes, seed=1) != together
    assert flow.surprise([], []) == []


@pytest.mark.parametrize(
    ("told", "not_told", "expected"), [(0, 0, 1), (0.5, 0, 0.25), (0.5, 0.5, 0.25**0.25), (1, 0, 0)]
)
def test_it_is_the_error_that_is_left_over_that_of_what_is_told_nothing(
    codec, flow, monkeypatch, told, not_told, expected
):
    """Where the latent is the mean, x = 0.6 ε and the velocity is to be −ε: shares of it are what is known of it."""

    def velocity(_, x, time, __):
        assert time.tolist() == pytest.approx([0.4, 0.4])
        own, other = x.chunk(2)
        return torch.cat([-told * own / 0.6, -not_told * other / 0.6])

    plan = planned(codec, perovskite("SrTiO3"))
    (code,) = flow.filled([plan], 1)
    monkeypatch.setattr(Velocity, "forward", velocity)
    mean = np.broadcast_to(flow.network.latent_mean.numpy(), code.z.shape).copy()
    assert flow.surprise([plan], [replace(code, z=mean)]) == [pytest.approx(expected, abs=0.03)]
