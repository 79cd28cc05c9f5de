"""Batches of painted views from a store of `xtalcodec generate`, instead of painting on the fly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from xtalcodec.representations.base import Patches
from xtalcodec.representations.window import CubeConfig


@dataclass(frozen=True, slots=True)
class Painted:
    """Views as a store has them."""

    density: Float[Tensor, "b n n n"]
    """e/Å³."""
    species_map: UInt8[Tensor, "b n n n"]
    """Atomic numbers; 0 where there is no atom."""

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.density)

    def to(self, device: str | torch.device) -> "Painted":
        """Return the batch on another device."""
        return Painted(self.density.to(device), self.species_map.to(device))


class PaintedViews:
    """Views of a store; a step's batch follows from (seed, step, process) alone."""

    def __init__(self, path: Path, config: CubeConfig, held_out: float, batch: int, heaviest: int) -> None:
        """Open the store and set aside the crystals that are not to be learnt from.

        Parameters
        ----------
        held_out: share of the crystals that is set aside, with all of their views.
        batch: views of a step.
        heaviest: views with an atom of a larger Z are passed over.

        Raises
        ------
        ValueError
            A store of another representation or of other points than the codec's.
        """
        from xtalcodec.datasets.field_store import FieldStore

        store = FieldStore(path, ["density", "species_map"])
        kind = store.settings["representation"]["name"]
        if kind != config.kind:
            raise ValueError(f"{path} holds views of {kind!r}; the codec is of {config.kind!r}")
        self.views, _ = store.split(held_out)
        if not len(self.views):
            raise ValueError(f"{path} has no view to learn from")
        self.size, self.heaviest, self.left_out = batch, heaviest, list[tuple[str, str]]()
        points = tuple(self.views[0]["density"].shape)
        if points != (config.window.points,) * 3:
            raise ValueError(f"{path} has fields of {points} points; the codec takes {config.window.points} an axis")

    def __len__(self) -> int:
        """Return the number of views in use."""
        return len(self.views)

    def batch(self, seed: Sequence[int]) -> tuple[Painted, Patches]:
        """Draw views."""
        rng, rows = np.random.default_rng(list(seed)), list[dict]()
        while len(rows) < self.size:
            row = self.views[int(rng.integers(0, len(self.views)))]
            if row["species_map"].max() <= self.heaviest:
                rows.append(row)
        return Painted(*(torch.stack([row[name] for row in rows]) for name in ("density", "species_map"))), (1, 1, 1)
