"""Training crystals in memory, by grid, and the batch of every step."""

from collections.abc import Sequence
from math import prod

import numpy as np
import torch

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.representations.base import Patches, Representation
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.training.augment import AugmentConfig, augment
from xtalcodec.training.derived import derive


class TrainingCrystals:
    """Placed crystals grouped by grid; a step's batch follows from (seed, step, process) alone."""

    def __init__(
        self,
        crystals: Sequence[Crystal],
        representation: Representation,
        config: AugmentConfig,
        largest: int,
        batch_patches: int,
        seed: int = 0,
    ) -> None:
        """Place and group; `left_out` says which crystals cannot be used, and why.

        Parameters
        ----------
        crystals
            To learn from.
        representation
            Whose grids they are put on.
        config
            How they are altered.
        largest
            Crystals of more patches are left out.
        batch_patches
            Patches of a step, about.
        seed
            Of the crystals that are derived from others.

        Raises
        ------
        CrystalError
            None of them can be used.
        """
        self.representation, self.config, self.batch_patches = representation, config, batch_patches
        self.groups: dict[Patches, list[Crystal]] = {}
        self.left_out: list[tuple[str, str]] = []
        for crystal in crystals:
            if reason := self._add(crystal, largest):
                self.left_out.append((crystal.name, reason))
        self.given = sum(len(group) for group in self.groups.values())
        for crystal in derive(crystals, config.derived, seed):
            self._add(crystal, largest)  # one that is too large is not missed
        if not self.groups:
            raise CrystalError("no crystal to train on")
        self.shapes = sorted(self.groups)
        weight = np.array([len(self.groups[s]) / self._size(s) for s in self.shapes])
        self.odds = weight / weight.sum()

    def _add(self, crystal: Crystal, largest: int) -> str:
        """Place a crystal and keep it; return why it cannot be used, "" where it can."""
        try:
            placed = self.representation.place(crystal)
        except CrystalError as error:
            return str(error)
        if prod(placed.patches) > largest:
            return f"{prod(placed.patches)} patches, more than {largest}"
        self.groups.setdefault(placed.patches, []).append(placed.crystal)
        return ""

    def _size(self, shape: Patches) -> int:
        """Crystals in a batch: as many as fit, but of a small group each not often."""
        return min(max(4, self.batch_patches // prod(shape)), 4 * len(self.groups[shape]))

    def __len__(self) -> int:
        """Return the number of crystals in use, without those that are derived from them."""
        return self.given

    def draw(self, seed: Sequence[int]) -> tuple[list[Crystal], Patches]:
        """Draw crystals of one grid, about `batch_patches` patches in all.

        Grids are drawn such that every crystal is seen equally often.
        """
        rng = np.random.default_rng(list(seed))
        shape = self.shapes[rng.choice(len(self.shapes), p=self.odds)]
        group = self.groups[shape]
        return [group[k] for k in rng.integers(0, len(group), self._size(shape))], shape

    def batch(self, seed: Sequence[int]) -> tuple[CrystalBatch, Patches]:
        """Draw crystals of a step, alter them and put them on their grid."""
        chosen, patches = self.draw(seed)
        dice = torch.Generator().manual_seed(torch_seed([*seed, 0]))
        altered = augment(CrystalBatch.collate(chosen), self.config, dice)
        return self.representation.random_views(altered, np.random.default_rng([*seed, 1])), patches


def torch_seed(seed: Sequence[int]) -> int:
    """Mix whole numbers to one seed for PyTorch, the same on every machine and Python."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0] >> 2)
