"""Velocity of a flow from noise to latents: a transformer on the torus of patches that is told time, cell and facts."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from xtalcodec.networks.torus_transformer import Block, Modulation, TorusBias, lattice_features
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.settings import FlowConfig
from xtalcodec.priors.flow.tokens import ConditionTokens, JointBias
from xtalcodec.representations.base import Patches

WAVES = 32
"""Sines, and as many cosines, that time is given as."""


class Velocity(nn.Module):
    """dx/dt at x(t), for numbers that lie on the patches of a torus."""

    def __init__(
        self, config: FlowConfig, numbers: int, width: int, layers: int, heads: int, *, in_cell: bool = True
    ) -> None:
        """Make the layers.

        Parameters
        ----------
        config
            What it is told.
        numbers
            Of each patch.
        width, layers, heads
            Of the transformer.
        in_cell
            Whether it is told the cell.
        """
        super().__init__()
        self.tokens = ConditionTokens(config, width)
        self.into = nn.Linear(2 * numbers + 1, width)
        self.lattice = nn.Linear(9, width) if in_cell else None
        self.bias = TorusBias(layers, heads)
        self.time = nn.Sequential(nn.Linear(2 * WAVES, width), nn.SiLU(), nn.Linear(width, 4 * width))
        self.layer = nn.Parameter(torch.zeros(layers, 4 * width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, numbers)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        x: Float[Tensor, "b t numbers"],
        time: Float[Tensor, " b"],
        patches: Patches,
        facts: Facts,
        lattice: Float[Tensor, "b 3 3"] | None = None,
        part: Float[Tensor, "b t numbers"] | None = None,
        given: Bool[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b t numbers"]:
        """Velocity: (1) embed numbers, part and cell, (2) put the tokens before them, (3) mix, (4) project.

        Parameters
        ----------
        x
            (1 − t) noise + t data.
        time
            t, 0 to 1.
        patches
            Of the torus.
        facts
            What is known, properties standardised.
        lattice
            Cell vectors, rows in Å; None where the numbers are those of a cell.
        part
            Latent of the part of the crystal that is given.
        given
            Of which crystals a part is given; None of none.
        """
        has = x.new_zeros(len(x)) if given is None else given.to(x.dtype)
        known = torch.zeros_like(x) if part is None else part * has[:, None, None]
        h = self.into(torch.cat([x, known, has[:, None, None].expand(*x.shape[:2], 1)], -1))
        if self.lattice is not None and lattice is not None:
            h = h + self.lattice(lattice_features(lattice, patches))[:, None]
        tokens = self.tokens(facts)
        waves = time[:, None] * torch.exp(torch.linspace(0, math.log(1000), WAVES, device=x.device))
        said = self.time(torch.cat([waves.sin(), waves.cos()], -1))
        h = torch.cat([tokens.values.to(h.dtype), h], 1)
        for block, bias, own in zip(self.blocks, self.bias(patches), self.layer, strict=True):
            change = Modulation(*(said + own)[:, None].chunk(4, -1))
            h = block(h, JointBias(bias, tokens.known), change)
        return self.out(self.norm(h[:, tokens.known.shape[1] :])).float()
