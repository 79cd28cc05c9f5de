"""A flow's networks, told what is asked, and followed from noise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from xtalcodec.codecs.latents import CrystalCode
from xtalcodec.networks.precision import reduced
from xtalcodec.priors.conditions import Conditions
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.integrate import follow, guided
from xtalcodec.priors.flow.network import FlowNetwork
from xtalcodec.priors.flow.settings import FlowConfig, SamplerConfig
from xtalcodec.priors.flow.velocity import Velocity
from xtalcodec.priors.plan import Composition, Plan
from xtalcodec.representations.base import Patches


@dataclass(frozen=True, slots=True, eq=False)
class Follower:
    """Follows flows as a sampler says."""

    config: FlowConfig
    network: FlowNetwork
    sampler: SamplerConfig
    conditions: Conditions

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.network.latent_mean.device

    @property
    def settles(self) -> bool:
        """Whether samples are given space groups, and settled on them."""
        asked = bool(self.conditions.space_group or self.conditions.system)
        return {"always": True, "asked": asked, "never": False}[self.sampler.symmetric]

    def told(
        self, n: int, compositions: Sequence[Composition] | None = None, groups: Sequence[int] | None = None
    ) -> Facts:
        """Return what so many crystals are told: what is asked, and what their cells hold.

        Parameters
        ----------
        n
            Crystals.
        compositions
            Of their cells; None where that is not known yet.
        groups
            Numbers of their space groups, 0 for any; None where nothing but what is asked is known.
        """
        facts = Facts.asked_for(self.conditions, n, self.config.most_elements, self.config.properties)
        facts = facts if compositions is None else facts.holding(compositions)
        facts = facts if groups is None else facts.symmetric(groups)
        return self.network.scaled(facts.to(self.device))

    def told_of(self, plans: Sequence[Plan]) -> Facts:
        """Return what is told of planned cells: what is asked, what they hold, and their space groups."""
        return self.told(len(plans), [plan.composition for plan in plans], [plan.space_group for plan in plans])

    def lattices(self, plans: Sequence[Plan]) -> Float[Tensor, "b 3 3"]:
        """Return cell vectors of planned cells, rows in Å."""
        return torch.from_numpy(np.stack([plan.lattice for plan in plans])).float().to(self.device)

    def standard(self, codes: Sequence[CrystalCode]) -> Float[Tensor, "b t latent"]:
        """Return latents as the flow has them, of mean 0 and variance 1; shorter ones end with zeros."""
        own = [self.network.standard(torch.from_numpy(code.z).to(self.device)) for code in codes]
        return pad_sequence(own, batch_first=True)

    def follow(
        self,
        network: Velocity,
        start: Float[Tensor, "b t numbers"],
        grids: Sequence[Patches],
        facts: Facts,
        fresh: Callable[[], Float[Tensor, "b t numbers"]],
        about: Mapping[str, Tensor],
        since: float = 0.0,
        until: float = 1.0,
    ) -> Float[Tensor, "b t numbers"]:
        """Follow a network's flow, guided.

        Parameters
        ----------
        network
            Of cells or of latents.
        start
            Where it begins.
        grids
            Of all crystals, or of each.
        facts
            What is told.
        fresh
            Makes noise, which nothing of one crystal may change of another.
        about
            What else is known of each crystal.
        since, until
            Times.
        """
        # cells are told in a plain voice: louder, one in a hundred is far too large
        guidance = self.sampler.guidance if network is self.network.latents else 1.0

        with reduced(start.device):
            return follow(guided(network, guidance, grids, facts, about), start, self.sampler, fresh, since, until)

    def drawn(
        self, rngs: Sequence[np.random.Generator], counts: Sequence[int], numbers: int
    ) -> Float[Tensor, "b t numbers"]:
        """Draw noise, each crystal's from its own random numbers; shorter ones end with zeros.

        Parameters
        ----------
        rngs
            One for each crystal.
        counts
            Rows of each.
        numbers
            Of a row.
        """
        noise = [torch.from_numpy(rng.standard_normal((t, numbers))) for rng, t in zip(rngs, counts, strict=True)]
        return pad_sequence(noise, batch_first=True).float().to(self.device)
