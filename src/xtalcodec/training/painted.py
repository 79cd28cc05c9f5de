"""Batches of painted views from a store of `xtalcodec generate`, instead of painting on the fly."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset

from xtalcodec.representations.base import Patches
from xtalcodec.representations.window import Window
from xtalcodec.representations.window_field import PaintedBatch

RELEASE_0_1 = {"cell": "given", "fits": "shortest_edge", "rotate": False}
"""What stores of release 0.1 do not say of their views."""


class PaintedViews:
    """Views of a store; a step's batch follows from (seed, step, process) alone."""

    def __init__(self, path: Path, window: Window, held_out: float, batch: int, heaviest: int) -> None:
        """Open the store and set aside the crystals that are not to be learnt from.

        Parameters
        ----------
        path
            Of the store.
        window
            The codec's representation, which the views must be of.
        held_out
            Share of the crystals that is set aside, with all of their views.
        batch
            Views of a step.
        heaviest
            Views with an atom of a larger Z are passed over.

        Raises
        ------
        ValueError
            A store whose views the codec would paint otherwise; the message names every setting that differs.
        """
        from xtalcodec.datasets import stores
        from xtalcodec.datasets.field_store import FieldStore

        store = FieldStore(path, ["density", "species_map", "lattice"])
        _check_painted_alike(path, store.settings, window)
        views, _ = store.split(held_out)
        numbers = np.asarray(stores.load(path, "numbers")[:])
        heavy = numbers.max(1) > heaviest
        kept = [row for row in views.indices if not heavy[row]]
        if not kept:
            raise ValueError(f"{path} has no view to learn from, without elements beyond Z = {heaviest}")
        self.views, self.size, self.left_out = Subset(store, kept), batch, list[tuple[str, str]]()
        self.elements = set(np.unique(numbers[kept]).tolist()) - {0}
        """Atomic numbers of the views."""
        if len(kept) < len(views):
            self.left_out.append((f"{len(views) - len(kept)} views", f"hold an element beyond Z = {heaviest}"))

    def __len__(self) -> int:
        """Return the number of views in use."""
        return len(self.views)

    @property
    def drawn(self) -> tuple[int, float]:
        """Views, and how many of them are drawn for a step of one process."""
        return len(self), float(self.size)

    def batch(self, seed: Sequence[int]) -> tuple[PaintedBatch, Patches]:
        """Draw views."""
        chosen = np.random.default_rng(list(seed)).integers(0, len(self.views), self.size)
        rows = [self.views[int(k)] for k in chosen]
        names = "density", "species_map", "lattice"
        density, species_map, lattice = (torch.stack([row[name] for row in rows]) for name in names)
        return PaintedBatch(density, species_map, lattice.float()), (1, 1, 1)


def _check_painted_alike(path: Path, settings: Mapping[str, Any], window: Window) -> None:
    """Refuse views that the codec would paint otherwise: it would encode others than it learnt from."""
    own = window.view_settings() | {"images": "all", "ties": "nearest"}
    there = settings["representation"] | {"images": settings["images"], "ties": settings["ties"]}
    there = RELEASE_0_1 | there if there["name"] == own["name"] else there
    there |= {f"window.{key}": value for key, value in there.pop("window").items()}
    own |= {f"window.{key}": value for key, value in own.pop("window").items()}
    differ = [f"{k} is {there.get(k)!r} there, {own[k]!r} in the codec" for k in own if there.get(k) != own[k]]
    if differ:
        raise ValueError(f"{path} holds views that this codec would paint otherwise: {'; '.join(differ)}")
