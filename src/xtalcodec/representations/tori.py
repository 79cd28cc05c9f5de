"""Voxels of several crystals in one row, those of each on a torus of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

Grid = tuple[int, int, int]
"""Voxels along the three axes of a cell."""


@dataclass(frozen=True, slots=True)
class Tori:
    """Where the voxels of each crystal stand: one crystal after the other, in C order of its grid."""

    grid: Int[Tensor, "crystals 3"]
    """Voxels along the axes of each."""
    first: Int[Tensor, " crystals"]
    """Index of the first voxel of each."""

    @classmethod
    def of(cls, grids: Sequence[Grid], device: str | torch.device = "cpu") -> "Tori":
        """Put crystals of these grids one after the other."""
        grid = torch.tensor(grids, dtype=torch.long).view(-1, 3)
        size = grid.prod(1)
        return cls(grid.to(device), (size.cumsum(0) - size).to(device))

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.grid)

    @property
    def sizes(self) -> Int[Tensor, " crystals"]:
        """How many voxels each has."""
        return self.grid.prod(1)

    def index(self, which: Int[Tensor, " n"], voxel: Int[Tensor, "n *m 3"]) -> Int[Tensor, "n *m"]:
        """Index of voxels, wrapped around their torus.

        Parameters
        ----------
        which
            Their crystal.
        voxel
            Whole numbers along the axes, one or several rows of them.
        """
        rows = len(which), *[1] * (voxel.ndim - 2)
        a, b, c = (n.view(rows) for n in self.grid[which].unbind(-1))
        x, y, z = voxel.unbind(-1)
        return self.first[which].view(rows) + ((x % a) * b + y % b) * c + z % c

    def voxel(self, index: Int[Tensor, " n"]) -> tuple[Int[Tensor, " n"], Int[Tensor, "n 3"]]:
        """The crystal of voxels, and where they are along its axes."""
        which = torch.searchsorted(self.first, index, right=True) - 1
        within = index - self.first[which]
        _, b, c = self.grid[which].unbind(-1)
        return which, torch.stack([within // (b * c), within // c % b, within % c], -1)

    def fractions(self, which: Int[Tensor, " n"], position: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """From voxels to fractions of the axes."""
        return position / self.grid[which]
