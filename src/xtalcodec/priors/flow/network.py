"""The networks of a flow prior: compositions, then cells, then latents, each told what came before."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from xtalcodec.networks.base import Network
from xtalcodec.priors.flow.compositions import Compositions
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.settings import FlowConfig
from xtalcodec.priors.flow.velocity import Velocity
from xtalcodec.representations.base import Patches

CELL = 6
"""Numbers of the shape of a cell."""
ONE: Patches = (1, 1, 1)


@dataclass(frozen=True, slots=True)
class CellBatch:
    """Cells of any grid, and what is known of them: what a step of training learns compositions and cells from."""

    cells: Float[Tensor, "n 6"]
    """Shapes, as `cell_numbers` gives them."""
    facts: Facts

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.cells)


@dataclass(frozen=True, slots=True)
class FlowBatch:
    """What a step of training learns latents from: crystals of one grid."""

    latent: Float[Tensor, "b patches latent"]
    lattice: Float[Tensor, "b 3 3"]
    patches: Patches
    facts: Facts
    part: Float[Tensor, "b patches latent"]
    """Latent of what is given of each crystal."""
    given: Bool[Tensor, " b"]
    """Of which crystals a part is given."""

    def __len__(self) -> int:
        """Return the number of crystals of the grid."""
        return len(self.latent)


class FlowNetwork(Network):
    """Losses and velocities; numbers are standardised inside, so that all are about 1."""

    hidden = ("latents.blocks", "cells.blocks", "compositions.layers")
    latent_mean: Tensor
    latent_deviation: Tensor
    cell_mean: Tensor
    cell_deviation: Tensor
    property_mean: Tensor
    property_deviation: Tensor

    def __init__(self, config: FlowConfig, latent: int) -> None:
        """Make the layers.

        Parameters
        ----------
        config
            Sizes.
        latent
            Latent numbers per patch of the codec.
        """
        super().__init__()
        self.config = c = config
        self.compositions = Compositions(c)
        self.cells = Velocity(c, CELL, c.cell_width, c.cell_layers, 4, c.dropout, in_cell=False)
        self.latents = Velocity(c, latent, c.width, c.layers, c.heads)
        for name, size in (("latent", latent), ("cell", CELL), ("property", len(c.properties))):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_deviation", torch.ones(size))

    @property
    def small(self) -> tuple[nn.Module, nn.Module]:
        """The networks that learn from cells alone."""
        return self.compositions, self.cells

    @torch.no_grad()
    def standardise(
        self, latents: Float[Tensor, "n latent"], cells: Float[Tensor, "m 6"], properties: Float[Tensor, "m p"]
    ) -> None:
        """Take the scales from a sample of the training crystals.

        Parameters
        ----------
        latents
            Of patches.
        cells
            Shapes of cells.
        properties
            NaN where not known.
        """
        self.latent_mean.copy_(latents.mean(0))
        self.latent_deviation.copy_(latents.std(0).clamp_min(1e-3))
        self.cell_mean.copy_(cells.mean(0))
        self.cell_deviation.copy_(cells.std(0).clamp_min(1e-3))
        known = properties.isfinite()
        count = known.sum(0).clamp_min(1)
        mean = properties.nan_to_num(0).sum(0) / count
        square = (properties - mean).square().nan_to_num(0).sum(0) / count
        self.property_mean.copy_(mean)
        self.property_deviation.copy_(torch.where(count > 1, square.sqrt().clamp_min(1e-3), 1.0))

    def scaled(self, facts: Facts) -> Facts:
        """Facts with standardised properties: what the networks are told."""
        return replace(facts, properties=(facts.properties - self.property_mean) / self.property_deviation)

    def standard(self, latent: Float[Tensor, "*rows latent"]) -> Float[Tensor, "*rows latent"]:
        """Latents as the flow has them, of mean 0 and variance 1."""
        return (latent - self.latent_mean) / self.latent_deviation

    def plain(self, latent: Float[Tensor, "*rows latent"]) -> Float[Tensor, "*rows latent"]:
        """Latents as the codec has them: the inverse of `standard`."""
        return latent * self.latent_deviation + self.latent_mean

    def loss(self, batch: FlowBatch, dice: torch.Generator) -> Tensor:
        """Flow matching of latents.

        x(t) = (1 − t) noise + t data, and the velocity is to be data − noise (Lipman et al. 2023, arXiv 2210.02747,
        eq. 23 with σ = 0); t is logistic normal (Esser et al. 2024, arXiv 2403.03206, eq. 19).

        Parameters
        ----------
        batch
            Of one grid.
        dice
            What is told, noise and times.
        """
        told = self.scaled(batch.facts.hidden(dice, self.config.unknown))
        z, part = self.standard(batch.latent), self.standard(batch.part)
        x, time, target = _on_the_way(z, dice)
        way = self.latents(x, time, self.latents.told([batch.patches], told, batch.lattice, part, batch.given))
        return F.mse_loss(way, target)

    def cell_losses(self, batch: CellBatch, dice: torch.Generator) -> dict[str, Tensor]:
        """Flow matching of cells, and the cross-entropy of compositions.

        Parameters
        ----------
        batch
            Of any grids.
        dice
            What is told, noise and times.
        """
        cells = (batch.cells - self.cell_mean) / self.cell_deviation
        told = self.scaled(batch.facts.hidden(dice, self.config.unknown))
        x, time, target = _on_the_way(cells[:, None], dice)
        way = self.cells(x, time, self.cells.told([ONE], told))
        return {
            "cells": 0.2 * F.mse_loss(way, target),
            "compositions": 0.1 * self.compositions.loss(batch.facts, told),
        }


def _on_the_way(
    data: Float[Tensor, "b t numbers"], dice: torch.Generator
) -> tuple[Float[Tensor, "b t numbers"], Float[Tensor, " b"], Float[Tensor, "b t numbers"]]:
    """Numbers somewhere between noise and data, when that is, and the velocity there."""
    noise = torch.randn(data.shape, generator=dice).to(data)
    time = torch.randn(len(data), generator=dice).sigmoid().to(data)
    share = time[:, None, None]
    return (1 - share) * noise + share * data, time, data - noise
