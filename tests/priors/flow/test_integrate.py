"""Flows whose end is known."""

import pytest
import torch

from xtalcodec.priors.flow.integrate import follow
from xtalcodec.priors.flow.settings import SamplerConfig

MEAN, DEVIATION = 1.5, 0.4


def velocity(x, time):
    """Of the flow from N(0, 1) to N(m, s²): the mean of data − noise where x is, by hand."""
    t = time[:, None, None]
    variance = (1 - t) ** 2 + (t * DEVIATION) ** 2
    return MEAN + (t * DEVIATION**2 - (1 - t)) / variance * (x - t * MEAN)


@pytest.mark.parametrize("churn", [0.0, 1.0])
def test_noise_becomes_the_distribution_of_the_data(churn):
    dice = torch.Generator().manual_seed(0)

    def fresh():
        return torch.randn(20_000, 1, 1, generator=dice)

    x = follow(velocity, fresh(), SamplerConfig(steps=200, churn=churn), fresh)
    assert x.mean().item() == pytest.approx(MEAN, abs=0.02)
    assert x.std().item() == pytest.approx(DEVIATION, abs=0.02)


def test_the_way_back_leads_to_the_noise_that_it_began_with():
    noise = torch.linspace(-2, 2, 9).view(9, 1, 1)
    config = SamplerConfig(steps=400)
    there = follow(velocity, noise, config, lambda: noise)
    torch.testing.assert_close(there, MEAN + DEVIATION * noise, atol=0.01, rtol=0)  # in one dimension order is kept
    torch.testing.assert_close(follow(velocity, there, config, lambda: noise, 1.0, 0.0), noise, atol=0.03, rtol=0)


def test_a_part_of_the_way_has_its_part_of_the_steps():
    times = []

    def noted(x, time):
        times.append(time[0].item())
        return torch.zeros_like(x)

    follow(noted, torch.zeros(1, 1, 1), SamplerConfig(steps=8), lambda: torch.zeros(1, 1, 1), 0.5, 1.0)
    assert times == pytest.approx([0.5, 0.625, 0.75, 0.875])
