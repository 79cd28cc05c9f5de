"""Logits of species by row and column of the periodic table."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from xtalcodec.networks.hoffmann.config import HoffmannConfig

NOBLE = (0, 2, 10, 18, 36, 54, 86, 118)
"""Atomic numbers at which rows end."""

COLUMNS = 32
"""Of the periodic table in its long form, the lanthanides in line."""

HIDDEN = 96
"""Width of the layer between a point's features and its logits."""


def places(species: int) -> Int[Tensor, "species 2"]:
    """Row and column, from 0, of the elements 1…species in the long form of the periodic table.

    >>> places(118)[[0, 10, 18, 56, 88]].tolist()  # H, Na, K, La and Ac
    [[0, 0], [2, 0], [3, 0], [5, 2], [6, 2]]
    """
    result = []
    for z in range(1, species + 1):
        row = next(k for k, last in enumerate(NOBLE[1:]) if z <= last)
        start, end = NOBLE[row], NOBLE[row + 1]
        left = z - start - 1
        result.append((row, left if left < min(2, end - start - 1) else COLUMNS - 1 - (end - z)))
    return torch.tensor(result)


class SpeciesLogits(nn.Module):
    """Features of points → logits of species: of their own, and with `periodic_table` of their row and column."""

    def __init__(self, width: int, config: HoffmannConfig) -> None:
        super().__init__()
        self.hidden, self.own = nn.Linear(width, HIDDEN), nn.Linear(HIDDEN, config.species)
        nn.init.constant_(self.own.bias, config.start_logit)
        self.shared = nn.Linear(HIDDEN, len(NOBLE) - 1 + COLUMNS) if config.compact.periodic_table else None
        row, column = places(config.species).unbind(1)
        table = torch.zeros(len(NOBLE) - 1 + COLUMNS, config.species)
        table[row, torch.arange(config.species)] = table[len(NOBLE) - 1 + column, torch.arange(config.species)] = 1
        self.register_buffer("table", table, persistent=False)

    def forward(self, features: Float[Tensor, "*points width"]) -> Float[Tensor, "*points species"]:
        """Sum the logits of each species."""
        x = torch.relu(self.hidden(features))
        logits = self.own(x)
        return logits if self.shared is None else logits + self.shared(x) @ self.table
