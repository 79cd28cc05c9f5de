"""The network of a head: what surrounds the sites of a crystal, and its composition → a property, in several ways."""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from xtalcodec.config import Count, Share, settings


@settings
class HeadConfig:
    """Sizes of the network."""

    site: Count = 128
    """Numbers of a site between the layers."""
    pooled: Count = 64
    """Numbers of a site whose mean and deviation over the sites go on."""
    hidden: Count = 96
    """Numbers of a crystal between the layers."""
    members: Count = 4
    """Networks beside each other, each with its own look and answer."""
    dropout: Share = 0.05
    """Share of a crystal's numbers that are left out in each step of training."""


class Member(nn.Module):
    """Sites and composition → a number and how far it may be off."""

    def __init__(self, features: int, composition: int, config: HeadConfig) -> None:
        """Make the layers.

        Parameters
        ----------
        features, composition, config
            As of `HeadNetwork`.
        """
        super().__init__()
        c = config
        self.site = nn.Sequential(nn.Linear(features, c.site), nn.GELU(), nn.Linear(c.site, c.pooled), nn.GELU())
        self.crystal = nn.Sequential(
            nn.Linear(2 * c.pooled + composition, c.hidden), nn.GELU(), nn.Dropout(c.dropout),
            nn.Linear(c.hidden, c.hidden), nn.GELU(), nn.Dropout(c.dropout),
        )  # fmt: skip
        self.answer = nn.Linear(c.hidden, 2)

    def forward(
        self,
        sites: Float[Tensor, "sites features"],
        share: Float[Tensor, " sites"],
        which: Int[Tensor, " sites"],
        composition: Float[Tensor, "crystals numbers"],
    ) -> Float[Tensor, "crystals 2"]:
        """(1) Look at each site, (2) take mean and deviation over the sites of a crystal, (3) answer.

        Parameters
        ----------
        sites, share, which, composition
            As of `HeadNetwork`, standardised.
        """
        x = self.site(sites)
        mean = x.new_zeros(len(composition), x.shape[1]).index_add(0, which, share[:, None] * x)
        square = torch.zeros_like(mean).index_add(0, which, share[:, None] * (x - mean[which]).square())
        return self.answer(self.crystal(torch.cat([mean, (square + 1e-6).sqrt(), composition], 1)))


class HeadNetwork(nn.Module):
    """Sites and composition → the property in its own units; order of sites, and how often each comes, change nothing.

    Every member gives a value and how far it expects to be off, as the mean absolute error of a Laplace distribution.
    """

    site_mean: Tensor
    site_deviation: Tensor
    mean: Tensor
    deviation: Tensor
    middle: Tensor
    width: Tensor

    def __init__(self, features: int, composition: int, config: HeadConfig) -> None:
        """Make the layers.

        Parameters
        ----------
        features
            Numbers of a site.
        composition
            Numbers of a composition.
        config
            Sizes.
        """
        super().__init__()
        self.config = c = config
        self.register_buffer("site_mean", torch.zeros(features))
        self.register_buffer("site_deviation", torch.ones(features))
        self.register_buffer("mean", torch.zeros(composition))
        self.register_buffer("deviation", torch.ones(composition))
        self.register_buffer("middle", torch.zeros(()))
        self.register_buffer("width", torch.ones(()))
        self.members = nn.ModuleList(Member(features, composition, c) for _ in range(c.members))

    def calibrate(
        self,
        sites: Float[Tensor, "sites features"],
        composition: Float[Tensor, "crystals numbers"],
        values: Float[Tensor, " crystals"],
    ) -> None:
        """Take the scales of what goes in and of what comes out from the training crystals.

        Parameters
        ----------
        sites
            Of all crystals.
        composition
            Of each crystal.
        values
            The property of each.
        """
        self.site_mean.copy_(sites.mean(0))
        self.site_deviation.copy_(sites.std(0).clamp_min(1e-3))
        self.mean.copy_(composition.mean(0))
        self.deviation.copy_(composition.std(0).clamp_min(1e-2))
        self.aim(values)

    def aim(self, values: Float[Tensor, " crystals"]) -> None:
        """Take the scale of what comes out from the property of the training crystals."""
        self.middle.copy_(values.median())
        self.width.copy_((values - self.middle).abs().mean().clamp_min(1e-6))

    def begin_with(self, other: "HeadNetwork") -> None:
        """Take over all that another network of the same sizes has learnt, but for what its answers are made of."""
        self.load_state_dict(other.state_dict())
        for member in self.members:
            cast("Member", member).answer.reset_parameters()

    def forward(
        self,
        sites: Float[Tensor, "sites features"],
        share: Float[Tensor, " sites"],
        which: Int[Tensor, " sites"],
        composition: Float[Tensor, "crystals numbers"],
    ) -> tuple[Float[Tensor, "members crystals"], Float[Tensor, "members crystals"]]:
        """(1) Standardise what is seen, (2) ask every member.

        Parameters
        ----------
        sites
            Of all crystals, each different one once.
        share
            Of the sites of its crystal that are like this one.
        which
            The crystal that each is of.
        composition
            Of each crystal.

        Returns
        -------
        values
            Of every member.
        errors
            How far each expects to be off.
        """
        seen = (sites - self.site_mean) / self.site_deviation
        made = ((composition - self.mean) / self.deviation).clamp(-10, 10)
        value, error = torch.stack([member(seen, share, which, made) for member in self.members]).unbind(-1)
        return self.middle + self.width * value, self.width * (nn.functional.softplus(error) + 1e-3)
