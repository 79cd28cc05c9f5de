"""What a flow learns by: the losses of its networks, of training crystals and of held-out ones."""

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from xtalcodec.priors.flow.crystals import FlowCrystals
from xtalcodec.priors.flow.network import CellBatch, FlowBatch, FlowNetwork
from xtalcodec.training.prior_recipe import PriorRecipe

LOOKS = 30
"""Batches of held-out crystals that are looked at."""


class FlowLoss(nn.Module):
    """Batches → losses, whose sum is to fall: what several processes can wrap."""

    def __init__(self, network: FlowNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: FlowBatch | None, cells: CellBatch | None, dice: torch.Generator) -> dict[str, Tensor]:
        """Return the losses.

        Parameters
        ----------
        batch
            Crystals of one grid; without them, compositions and cells alone learn.
        cells
            Of any grids; without them, latents alone learn.
        dice
            What is told, noise and times.
        """
        own = {} if batch is None else {"latents": self.network.loss(batch, dice)}
        return own if cells is None else own | self.network.cell_losses(cells, dice)


def shown_of(
    source: FlowCrystals, recipe: PriorRecipe, seed: Sequence[int]
) -> tuple[FlowBatch | None, CellBatch | None]:
    """Draw what a step learns from: crystals of one grid, and cells of any; None of what does not learn.

    Parameters
    ----------
    source
        Crystals.
    recipe
        What learns.
    seed
        Of the step.
    """
    return source.batch(seed) if recipe.latents else None, source.cell_batch(seed) if recipe.cells else None


class HeldOut:
    """Losses of crystals that are not learnt from, with the same noise each time, and weights that had the least."""

    def __init__(self, source: FlowCrystals, recipe: PriorRecipe, network: FlowNetwork) -> None:
        """Keep the crystals, and what training does with its own.

        Parameters
        ----------
        source
            Held-out crystals.
        recipe
            How they are shown, and what is learnt.
        network
            As it begins.
        """
        self.source, self.recipe, self.kept = source, recipe, deepcopy(network)
        self.least: dict[str, float] = {}
        """Losses of the weights that are kept, by network."""

    @torch.no_grad()
    def look(self, network: FlowNetwork, accelerator: Any) -> dict[str, float]:
        """Return the means of what training minimises, of the networks that learn; keep what was never as good.

        Parameters
        ----------
        network
            As it stands.
        accelerator
            Whose precision is used.
        """
        model = FlowLoss(network.eval())
        found: dict[str, list[float]] = defaultdict(list)
        with accelerator.autocast():
            for k in range(LOOKS):
                losses = model(*shown_of(self.source, self.recipe, [k]), torch.Generator().manual_seed(k))
                for name, value in losses.items():
                    found[name].append(value.item())
        means = {name: sum(values) / len(values) for name, values in found.items()}
        for name, loss in means.items():
            if loss < self.least.get(name, float("inf")):
                self.least[name] = loss
                self.kept.get_submodule(name).load_state_dict(network.get_submodule(name).state_dict())
        return means
