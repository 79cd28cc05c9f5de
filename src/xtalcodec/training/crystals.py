"""Training crystals in memory, by grid, and the batch of every step."""

from collections.abc import Sequence
from math import prod

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.niggli import niggli
from xtalcodec.representations.base import Patches, Voxels


class TrainingCrystals:
    """Niggli-reduced crystals grouped by grid; a step's batch follows from (seed, step, process) alone."""

    def __init__(self, crystals: Sequence[Crystal], space: Voxels, largest: int, batch_patches: int) -> None:
        """Reduce and group; `left_out` says which crystals cannot be used, and why."""
        self.batch_patches = batch_patches
        self.groups: dict[Patches, list[Crystal]] = {}
        self.left_out: list[tuple[str, str]] = []
        for crystal in crystals:
            try:
                reduced = space.whole(niggli(crystal)[0])
                patches = space.patches(reduced)
            except CrystalError as error:
                self.left_out.append((crystal.name, str(error)))
                continue
            if prod(patches) > largest:
                self.left_out.append((crystal.name, f"{prod(patches)} patches, more than {largest}"))
            else:
                self.groups.setdefault(patches, []).append(reduced)
        if not self.groups:
            raise CrystalError("no crystal to train on")
        self.shapes = sorted(self.groups)
        weight = np.array([len(self.groups[s]) / self._size(s) for s in self.shapes])
        self.odds = weight / weight.sum()

    def _size(self, shape: Patches) -> int:
        """Crystals in a batch: as many as fit, but of a small group each not often."""
        return min(max(4, self.batch_patches // prod(shape)), 4 * len(self.groups[shape]))

    def __len__(self) -> int:
        """Return the number of crystals in use."""
        return sum(len(group) for group in self.groups.values())

    def batch(self, seed: Sequence[int]) -> tuple[list[Crystal], Patches]:
        """Draw crystals of one grid, about `batch_patches` patches in all.

        Grids are drawn such that every crystal is seen equally often.
        """
        rng = np.random.default_rng(list(seed))
        shape = self.shapes[rng.choice(len(self.shapes), p=self.odds)]
        group = self.groups[shape]
        return [group[k] for k in rng.integers(0, len(group), self._size(shape))], shape
