"""The network of a flow: symmetry of the torus, crystals that do not see each other, tokens that say nothing."""

import numpy as np
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
        here = network()(x, time, PATCHES, facts(2), lattice, part, given)
        there = network()(rolled(x), time, PATCHES, facts(2), lattice, rolled(part), given)
    torch.testing.assert_close(there, rolled(here), atol=1e-5, rtol=1e-4)


def test_a_crystal_does_not_see_its_neighbours_nor_tokens_that_say_nothing():
    x, time, said = torch.randn(2, 12, 5), torch.tensor([0.2, 0.7]), facts(2)
    said.elements[1, 1], said.counts[1, 1], said.space_group[1], said.system[1] = 8, 3, 225, 7
    said.properties[1, 2] = 0.3
    with torch.no_grad():
        both, alone = network()(x, time, PATCHES, said), network()(x[:1], time[:1], PATCHES, said[:1])
        free = network()(x[:1], time[:1], PATCHES, Facts.nothing(1, 3, 4))
    torch.testing.assert_close(both[:1], alone, atol=1e-5, rtol=1e-4)
    assert abs(alone - free).max() > 1e-3, "what is told matters"


def test_what_is_not_given_is_not_seen():
    x, time, part = torch.randn(1, 12, 5), torch.tensor([0.4]), torch.randn(1, 12, 5)
    with torch.no_grad():
        free = network()(x, time, PATCHES, facts(1))
        hidden = network()(x, time, PATCHES, facts(1), None, part, torch.tensor([False]))
        shown = network()(x, time, PATCHES, facts(1), None, part, torch.tensor([True]))
    torch.testing.assert_close(hidden, free)
    assert abs(shown - free).max() > 1e-3


def test_bias_of_some_rows_is_that_of_all():
    torch.manual_seed(1)
    bias = JointBias(TorusBias(1, 2)(PATCHES)[0], torch.tensor([[True, False, True], [True, True, True]]))
    whole = bias.rows(0, 15)
    assert whole.shape == (2, 2, 15, 15)
    parts = torch.cat([bias.rows(start, min(15, start + 4)) for start in range(0, 15, 4)], 2)
    torch.testing.assert_close(parts, whole)
    assert torch.isneginf(whole[0, :, :, 1]).all()
    assert (whole[1, :, :3] == 0).all()
    np.testing.assert_allclose(whole[1, :, 3:, 3:].detach(), bias.patches.rows(0, 12).detach())
