"""Training crystals in memory, by grid, and the batch of every step."""

from collections.abc import Sequence
from math import prod

import numpy as np
import torch

from xtalcodec.codecs.base import Codec
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.limits import first_reasons
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.grid_groups import GridGroups
from xtalcodec.training.augment import AugmentConfig, augment
from xtalcodec.training.derived import derive


class TrainingCrystals:
    """Placed crystals grouped by grid; a step's batch follows from (seed, step, process) alone."""

    def __init__(
        self,
        crystals: Sequence[Crystal],
        codec: Codec,
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
        codec
            Whose grids they are put on: it learns from what it can encode.
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
            None of them can be used; the message says of the first ones why.
        """
        self.codec, self.config = codec, config
        self.left_out: list[tuple[str, str]] = []
        kept: list[tuple[Patches, Crystal]] = []
        for crystal in crystals:
            placed = self._placed(crystal, largest)
            if isinstance(placed, str):
                self.left_out.append((crystal.name, placed))
            else:
                kept.append(placed)
        self.given = len(kept)
        for crystal in derive(crystals, config.derived, seed):
            placed = self._placed(crystal, largest)
            if not isinstance(placed, str):  # one that cannot be used is not missed
                kept.append(placed)
        if not kept:
            raise CrystalError(f"no crystal to train on, of {len(self.left_out)}{first_reasons(self.left_out)}")
        self.grids = GridGroups(kept, batch_patches)

    def _placed(self, crystal: Crystal, largest: int) -> tuple[Patches, Crystal] | str:
        """Place a crystal; where it cannot be used, return why."""
        heaviest, last = crystal.elements[-1], self.codec.config.network.species
        if heaviest > last:
            return f"holds Z = {heaviest}; codec.network.species ends at {last}"
        try:
            placed = self.codec.place_any(crystal)
        except CrystalError as error:
            return str(error)
        if prod(placed.patches) > largest:
            return f"{prod(placed.patches)} patches, more than {largest}"
        return placed.patches, placed.crystal

    def __len__(self) -> int:
        """Return the number of crystals in use, without those that are derived from them."""
        return self.given

    @property
    def elements(self) -> set[int]:
        """Atomic numbers of the crystals, derived ones too, before any is altered."""
        return {z for group in self.grids.groups.values() for crystal in group for z in crystal.elements}

    @property
    def drawn(self) -> tuple[int, float]:
        """Crystals, derived ones too, and how many of them are drawn for a step of one process in the mean."""
        return len(self.grids), self.grids.drawn

    def draw(self, seed: Sequence[int]) -> tuple[list[Crystal], Patches]:
        """Draw crystals of one grid, about as many patches in all as a step has."""
        return self.grids.draw(np.random.default_rng(list(seed)))

    def batch(self, seed: Sequence[int]) -> tuple[CrystalBatch, Patches]:
        """Draw crystals of a step, alter them and put them on their grid."""
        chosen, patches = self.draw(seed)
        dice = torch.Generator().manual_seed(torch_seed([*seed, 0]))
        altered = augment(CrystalBatch.collate(chosen), self.config, dice)
        return self.codec.representation.random_views(altered, np.random.default_rng([*seed, 1])), patches


def torch_seed(seed: Sequence[int]) -> int:
    """Mix whole numbers to one seed for PyTorch, the same on every machine and Python."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0] >> 2)
