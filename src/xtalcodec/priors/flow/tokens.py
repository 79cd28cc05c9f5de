"""What is known of crystals as tokens, which patches attend to: one for each element, for symmetry, for each number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from xtalcodec.crystal import HEAVIEST
from xtalcodec.networks.torus_transformer import AT_ONCE, LayerBias, Mix
from xtalcodec.priors.conditions import NAMES
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.settings import FlowConfig

SPACE_GROUPS = 230
WAVES = 8
"""Sines, and as many cosines, that a property's value is given as."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of a batch."""

    values: Float[Tensor, "b m width"]
    known: Bool[Tensor, "b m"]
    """Which of them say anything; the others are not looked at."""


class ConditionTokens(nn.Module):
    """Facts → tokens."""

    def __init__(self, config: FlowConfig, width: int) -> None:
        """Make the tables."""
        super().__init__()
        self.most_sites = config.most_sites
        self.element = nn.Embedding(HEAVIEST + 1, width)
        self.count = nn.Embedding(config.most_sites + 1, width)
        self.share = nn.Linear(1, width)
        self.sites = nn.Embedding(config.most_sites + 1, width)
        self.space_group = nn.Embedding(SPACE_GROUPS + 1, width)
        self.system = nn.Embedding(len(NAMES) + 1, width)
        self.property = nn.Embedding(max(1, len(config.properties)), width)
        self.value = nn.Sequential(nn.Linear(2 * WAVES + 1, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, facts: Facts) -> Tokens:
        """Embed what is known; columns of which nothing is known in the batch are left out.

        Parameters
        ----------
        facts
            Properties standardised.
        """
        share = facts.counts / facts.counts.sum(1, keepdim=True).clamp_min(1)
        elements = self.element(facts.elements) + self.count(facts.counts.clamp_max(self.most_sites))
        elements = elements + self.share(share[..., None].to(elements.dtype))
        symmetry = self.space_group(facts.space_group) + self.system(facts.system)
        values = facts.properties.nan_to_num(0.0)[..., None]
        waves = values * torch.arange(1, WAVES + 1, device=values.device) * (math.pi / 8)
        described = self.value(torch.cat([values, waves.sin(), waves.cos()], -1))
        numbers = described + self.property.weight[: values.shape[1]]
        sites = self.sites(facts.sites.clamp_max(self.most_sites))
        every = torch.cat([elements, sites[:, None], symmetry[:, None], numbers], 1)
        known = torch.cat(
            [
                facts.elements > 0,
                (facts.sites > 0)[:, None],
                (facts.system > 0)[:, None],
                facts.properties.isfinite(),
            ],
            1,
        )
        used = known.any(0)
        return Tokens(every[:, used], known[:, used])


@dataclass(frozen=True, slots=True)
class JointBias:
    """Attention bias of one layer among tokens, which come first, and patches."""

    patches: LayerBias
    unseen: Bool[Tensor, "b m"]
    """Tokens that say nothing are not looked at."""
    whole: Float[Tensor, "*b heads rows rows"] | None = None
    """All of it, where it is kept: the same at every step."""

    @classmethod
    def of(cls, patches: Sequence[LayerBias], known: Bool[Tensor, "b m"]) -> "JointBias":
        """Put tokens before patches; it is kept where it is small, and where grids differ.

        Parameters
        ----------
        patches
            Bias among those: of the one grid of the batch, or of that of each crystal, to whose patches others are put
            that nobody sees.
        known
            Which tokens say anything.
        """
        unseen = ~known
        if len(patches) == 1:
            lazy = cls(patches[0], unseen)
            return replace(lazy, whole=lazy.rows(0, lazy.size)) if lazy.size**2 <= AT_ONCE else lazy
        each = {one.patches: cls(one, unseen) for one in patches}
        most = max(one.size for one in each.values())
        padded = {grid: one.padded(most) for grid, one in each.items()}
        return cls(patches[0], unseen, torch.stack([padded[one.patches] for one in patches]))

    def mix(self, qkv: Tensor, mixed: Mix) -> Tensor:
        """Mix tokens and patches."""
        return mixed(qkv, self)

    @property
    def size(self) -> int:
        """Rows: tokens and patches."""
        return self.unseen.shape[1] + math.prod(self.patches.patches)

    def rows(self, start: int, stop: int) -> Float[Tensor, "*b heads queries rows"]:
        """Bias between some of the rows and all: tokens have no place."""
        if self.whole is not None:
            return self.whole[..., start:stop, :]
        m = self.unseen.shape[1]
        near = self.patches.rows(max(0, start - m), max(0, stop - m))
        return nn.functional.pad(near, (m, 0, min(m, stop) - min(m, start), 0))

    def padded(self, size: int) -> Float[Tensor, "heads size size"]:
        """Return all of it, and further rows after the others, which see anything and are seen by none of those.

        Parameters
        ----------
        size
            Rows then.
        """
        more = size - self.size
        seen = nn.functional.pad(self.rows(0, self.size), (0, more), value=-torch.inf)
        return nn.functional.pad(seen, (0, 0, 0, more))
