"""The network of a flow: symmetry of the torus, crystals that do not see each other, tokens that say nothing."""

import numpy as np
import pytest
import torch

from xtalcodec.networks.torus_transformer import TorusBias
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.settings import FlowConfig
from xtalcodec.priors.flow.tokens import JointBias
from xtalcodec.priors.flow.velocity import Velocity

CONFIG = FlowConfig(most_elements=3)
PATCHES = (2, 3, 2)


def network():
    torch.manual_seed(0)
    made = Velocity(CONFIG, 5, 16, 2, 2).eval()
    torch.nn.init.normal_(made.out.weight)
    torch.nn.init.normal_(made.layer)
    return made


def velocity(x, time, *told):
    made = network()
    return made(x, time, made.told([PATCHES], *told))


def facts(n):
    said = Facts.nothing(n, 3, 4)
    said.elements[:, 0], said.counts[:, 0], said.sites[:] = 14, 2, 2
    return said


def test_rolling_the_patches_rolls_the_velocity():
    x, part = torch.randn(2, 12, 5), torch.randn(2, 12, 5)
    lattice, time, given = 4 * torch.eye(3).expand(2, 3, 3), torch.tensor([0.2, 0.7]), torch.tensor([True, False])

    def rolled(values):
        return values.view(2, *PATCHES, 5).roll((1, 2, 1), (1, 2, 3)).reshape(2, 12, 5)

    with torch.no_grad():
        here = velocity(x, time, facts(2), lattice, part, given)
        there = velocity(rolled(x), time, facts(2), lattice, rolled(part), given)
    torch.testing.assert_close(there, rolled(here), atol=1e-5, rtol=1e-4)


def test_a_crystal_does_not_see_its_neighbours_nor_tokens_that_say_nothing():
    x, time, said = torch.randn(2, 12, 5), torch.tensor([0.2, 0.7]), facts(2)
    said.elements[1, 1], said.counts[1, 1], said.space_group[1], said.system[1] = 8, 3, 225, 7
    said.properties[1, 2] = 0.3
    with torch.no_grad():
        both, alone = velocity(x, time, said), velocity(x[:1], time[:1], said[:1])
        free = velocity(x[:1], time[:1], Facts.nothing(1, 3, 4))
    torch.testing.assert_close(both[:1], alone, atol=1e-5, rtol=1e-4)
    assert abs(alone - free).max() > 1e-3, "what is told matters"


def test_what_is_not_given_is_not_seen():
    x, time, part = torch.randn(1, 12, 5), torch.tensor([0.4]), torch.randn(1, 12, 5)
    with torch.no_grad():
        free = velocity(x, time, facts(1))
        hidden = velocity(x, time, facts(1), None, part, torch.tensor([False]))
        shown = velocity(x, time, facts(1), None, part, torch.tensor([True]))
    torch.testing.assert_close(hidden, free)
    assert abs(shown - free).max() > 1e-3


@pytest.mark.parametrize("at_once", [2**21, 100], ids=["kept", "by parts"])
def test_bias_of_some_rows_is_that_of_all(monkeypatch, at_once):
    monkeypatch.setattr("xtalcodec.priors.flow.tokens.AT_ONCE", at_once)
    torch.manual_seed(1)
    known = torch.tensor([[True, False, True], [True, True, True]])
    bias = JointBias.of(TorusBias(1, 2)(PATCHES), known)
    assert (bias.whole is None) == (at_once == 100)
    whole = bias.rows(0, 15)
    assert whole.shape == (2, 15, 15)
    parts = torch.cat([bias.rows(start, min(15, start + 4)) for start in range(0, 15, 4)], 1)
    torch.testing.assert_close(parts, whole)
    assert (whole[:, :3] == 0).all()
    assert (whole[:, :, :3] == 0).all()
    np.testing.assert_allclose(whole[:, 3:, 3:].detach(), bias.patches.rows(0, 12).detach())
    torch.testing.assert_close(bias.unseen, ~known)
