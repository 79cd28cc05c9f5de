"""Following a flow from noise to data."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.settings import SamplerConfig
from xtalcodec.priors.flow.velocity import Told, Velocity
from xtalcodec.representations.base import Patches

Field = Callable[[Tensor, Tensor], Tensor]
"""x (b, t, numbers) and time (b) → dx/dt."""


def follow(
    velocity: Field,
    x: Float[Tensor, "b t numbers"],
    config: SamplerConfig,
    fresh: Callable[[], Float[Tensor, "b t numbers"]],
    since: float = 0.0,
    until: float = 1.0,
) -> Float[Tensor, "b t numbers"]:
    """Go from one time to another in Euler's steps, or back; with churn, noise is put back before each step forward.

    Back from t to s < t: x(s) = (s/t) x(t) + √((1 − s)² − (s/t)² (1 − t)²) noise, which keeps the distribution of
    (1 − t) noise + t data (as Karras et al. 2022, arXiv 2206.00364, algorithm 2, do for added noise).

    Parameters
    ----------
    velocity
        Of the flow.
    x
        Where it begins.
    config
        Steps and churn.
    fresh
        Makes noise.
    since, until
        Times; `steps` are those of the whole way.
    """
    steps = max(1, round(config.steps * abs(until - since)))
    times = torch.linspace(since, until, steps + 1).tolist()
    for now, then in pairwise(times):
        start = now
        if config.churn and then > now > 0:
            start = max(0.0, now - config.churn * (then - now))
            kept = start / now
            x = kept * x + ((1 - start) ** 2 - (kept * (1 - now)) ** 2) ** 0.5 * fresh()
        x = x + (then - start) * velocity(x, x.new_full((len(x),), start))
    return x


def guided(
    network: Velocity, guidance: float, grids: Sequence[Patches], facts: Facts, about: Mapping[str, Tensor]
) -> Field:
    """Velocity of a network that is told facts, and of one that is told nothing, mixed (Ho & Salimans 2022, eq. 6).

    Parameters
    ----------
    network
        Velocity of x and time.
    guidance
        1 for what is told, 0 for nothing told.
    grids
        Of all crystals, or of each.
    facts
        What is told; where that is nothing, there is nothing to mix.
    about
        What else is known of each crystal.
    """
    if guidance == 1 or not bool(facts.asked.any()):
        told = network.told(grids, facts, **about)
        return lambda x, time: network(x, time, told)
    both = told_and_not(network, grids, facts, about)

    def velocity(x: Tensor, time: Tensor) -> Tensor:
        told, free = network(torch.cat([x, x]), torch.cat([time, time]), both).chunk(2)
        return free + guidance * (told - free)

    return velocity


def told_and_not(network: Velocity, grids: Sequence[Patches], facts: Facts, about: Mapping[str, Tensor]) -> Told:
    """Embed crystals, told facts, and after them the same ones, told nothing.

    Parameters
    ----------
    network
        Velocity of x and time.
    grids, facts, about
        As of `guided`.
    """
    twice = {key: torch.cat([value, value]) for key, value in about.items()}
    return network.told([*grids, *grids], facts.and_nothing(), **twice)
