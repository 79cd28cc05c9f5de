"""Things on grids, drawn grid by grid."""

from collections.abc import Iterable
from math import prod
from typing import Generic, TypeVar

import numpy as np

from xtalcodec.representations.base import Patches

T = TypeVar("T")


class GridGroups(Generic[T]):
    """Things grouped by grid. Grids are drawn such that every thing is seen equally often."""

    def __init__(self, things: Iterable[tuple[Patches, T]], batch_patches: int) -> None:
        """Group them.

        Parameters
        ----------
        things
            Grid and thing.
        batch_patches
            Patches of a draw, about.
        """
        self.batch_patches = batch_patches
        self.groups: dict[Patches, list[T]] = {}
        for patches, thing in things:
            self.groups.setdefault(patches, []).append(thing)
        self.shapes = sorted(self.groups)
        size = np.array([self._size(s) for s in self.shapes])
        weight = np.array([len(self.groups[s]) for s in self.shapes]) / size
        self.odds = weight / weight.sum()
        self.drawn = float(self.odds @ size)
        """Mean number of things in a draw."""

    def __len__(self) -> int:
        """Return the number of things."""
        return sum(map(len, self.groups.values()))

    def _size(self, shape: Patches) -> int:
        """Things in a draw: as many as fit, but of a small group each not often."""
        return min(max(4, self.batch_patches // prod(shape)), 4 * len(self.groups[shape]))

    def draw(self, rng: np.random.Generator) -> tuple[list[T], Patches]:
        """Draw things of one grid, about `batch_patches` patches in all."""
        shape = self.shapes[rng.choice(len(self.shapes), p=self.odds)]
        group = self.groups[shape]
        return [group[k] for k in rng.integers(0, len(group), self._size(shape))], shape
