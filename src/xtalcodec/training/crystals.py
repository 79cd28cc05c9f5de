"""Training crystals in memory, by grid, and the batch of every step."""

from collections.abc import Sequence
from math import prod

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.fields.periodic import Patches, Periodic, niggli


class TrainingCrystals:
    """Niggli-reduced crystals grouped by grid; a step's batch follows from (seed, step, process) alone."""

    def __init__(self, crystals: Sequence[Crystal], space: Periodic, largest: int) -> None:
        """Reduce and group; `left_out` says which crystals cannot be used, and why."""
        self.groups: dict[Patches, list[Crystal]] = {}
        self.left_out: list[tuple[str, str]] = []
        for crystal in crystals:
            try:
                reduced, _ = niggli(crystal)
                patches = space.patches(reduced.lattice)
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
        weight = np.array([len(self.groups[s]) * prod(s) for s in self.shapes], dtype=float)
        self.odds = weight / weight.sum()

    def __len__(self) -> int:
        """Return the number of crystals in use."""
        return sum(len(group) for group in self.groups.values())

    def batch(self, patches: int, seed: Sequence[int]) -> tuple[list[Crystal], Patches]:
        """Draw crystals of one grid, about `patches` patches in all.

        Grids are drawn in proportion to their patches, so every crystal is seen equally often.
        """
        rng = np.random.default_rng(list(seed))
        shape = self.shapes[rng.choice(len(self.shapes), p=self.odds)]
        group = self.groups[shape]
        size = min(max(4, patches // prod(shape)), 4 * len(group))
        return [group[k] for k in rng.integers(0, len(group), size)], shape
