"""Velocity of a flow from noise to latents: a transformer on the torus of patches that is told time, cell and facts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Told:
    """What a velocity is told of a batch beside numbers and time, embedded."""

    tokens: Float[Tensor, "b m width"]
    biases: list[JointBias]
    """Of every layer."""
    cell: Float[Tensor, "b 1 width"] | None
    part: Float[Tensor, "b t numbers"] | None
    given: Bool[Tensor, " b"] | None


class Velocity(nn.Module):
    """dx/dt at x(t), for numbers that lie on the patches of a torus."""

    def __init__(
        self,
        config: FlowConfig,
        numbers: int,
        width: int,
        layers: int,
        heads: int,
        dropout: float = 0.0,
        *,
        in_cell: bool = True,
    ) -> None:
        """Make the layers.

        Parameters
        ----------
        config
            What it is told.
        numbers
            Of each patch.
        width, layers, heads, dropout
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
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, numbers)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def told(
        self,
        grids: Sequence[Patches],
        facts: Facts,
        lattice: Float[Tensor, "b 3 3"] | None = None,
        part: Float[Tensor, "b t numbers"] | None = None,
        given: Bool[Tensor, " b"] | None = None,
    ) -> Told:
        """Embed all but the numbers and the time, which every step of a way then shares.

        Parameters
        ----------
        grids
            Patches of the torus of all crystals, or of that of each: the shorter ones then end with numbers that mean
            nothing.
        facts
            What is known, properties standardised.
        lattice
            Cell vectors, rows in Å; None where the numbers are those of a cell.
        part
            Latent of the part of the crystal that is given.
        given
            Of which crystals a part is given; None of none.
        """
        grids = grids[:1] if len(set(grids)) == 1 else grids
        tokens = self.tokens(facts)
        cell = None
        if self.lattice is not None and lattice is not None:
            cell = self.lattice(lattice_features(lattice, grids))[:, None]
        layers = {grid: self.bias(grid) for grid in dict.fromkeys(grids)}
        biases = [JointBias.of(own, tokens.known) for own in zip(*(layers[grid] for grid in grids), strict=True)]
        return Told(tokens.values, biases, cell, part, given)

    def forward(self, x: Float[Tensor, "b t numbers"], time: Float[Tensor, " b"], told: Told) -> Tensor:
        """Velocity: (1) embed numbers, part and cell, (2) put the tokens before them, (3) mix, (4) project.

        Parameters
        ----------
        x
            (1 − t) noise + t data.
        time
            t, 0 to 1.
        told
            All else.
        """
        has = x.new_zeros(len(x)) if told.given is None else told.given.to(x.dtype)
        known = torch.zeros_like(x) if told.part is None else told.part * has[:, None, None]
        h = self.into(torch.cat([x, known, has[:, None, None].expand(*x.shape[:2], 1)], -1))
        if told.cell is not None:
            h = h + told.cell
        waves = time[:, None] * torch.exp(torch.linspace(0, math.log(1000), WAVES, device=x.device))
        said = self.time(torch.cat([waves.sin(), waves.cos()], -1))
        h = torch.cat([told.tokens.to(h.dtype), h], 1)
        for block, bias, own in zip(self.blocks, told.biases, self.layer, strict=True):
            change = Modulation(*(said + own).to(h.dtype)[:, None].chunk(4, -1))
            h = block(h, bias, change)
        return self.out(self.norm(h[:, told.tokens.shape[1] :])).float()
