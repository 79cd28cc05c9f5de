"""Painted views read back from a store, row by row, as a PyTorch dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Subset

from xtalcodec.config import unknown
from xtalcodec.datasets import stores
from xtalcodec.datasets.split import held_out
from xtalcodec.datasets.stores import StoreError


class FieldStore(Dataset):
    """The views of a store that `xtalcodec generate` made.

    Parameters
    ----------
    path
        Of the store.
    arrays
        What a row has of density, species_map, positions, numbers, atoms, lattice, offset, rotation,
        material_id, view, properties. All of it by default; what is left out is not read.

    Raises
    ------
    StoreError
        No store, or one that is not finished or damaged; the message names the file.

    Notes
    -----
    `store[i]` is a dictionary of tensors (`material_id` a string): density and species_map of shape
    (n, n, n), positions (atoms, 3) and numbers (atoms) padded with zeros to the same width in every
    row, so that rows stack to batches; `atoms` says how many there are.
    """

    def __init__(self, path: str | Path, arrays: Sequence[str] | None = None) -> None:
        """Check that every shard is whole and load the small arrays."""
        self.path = Path(path)
        about = stores.attributes(self.path)
        self.settings: dict[str, Any] = about["settings"]
        self.layout = stores.layout_of(about)
        self._check()
        columns = self.layout.columns()
        self.arrays = tuple(columns if arrays is None else arrays)
        for name in self.arrays:
            if name not in columns:
                raise ValueError(unknown("array", name, list(columns)))
        self._large = {n: stores.load(self.path, n) for n in self.arrays if columns[n].chunk}
        small = {name for name in self.arrays if not columns[name].chunk} | {"material_id"}
        self._small = {name: np.asarray(stores.load(self.path, name)[:]) for name in sorted(small)}

    def _check(self) -> None:
        """Refuse a store that is not finished or has lost a file."""
        sizes = stores.sizes(self.path, self.layout)
        never = int((~sizes.all(1)).sum())
        if never:
            raise StoreError(
                f"{self.path} is not finished: {never} of {self.layout.shards} shards are not made; "
                "the same `xtalcodec generate` goes on where it stopped"
            )
        for shard, noted in enumerate(sizes):
            wrong = stores.damage(self.path, self.layout, shard, noted)
            if wrong:
                raise StoreError(f"{wrong}; the same `xtalcodec generate` makes that shard again")

    def __len__(self) -> int:
        """Return the number of views."""
        return self.layout.rows

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one view."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.path} has {len(self)} views, not {index}")
        row: dict[str, Any] = {}
        for name in self.arrays:
            if name == "material_id":
                row[name] = str(self._small[name][index])
            elif name in self._small:
                row[name] = torch.as_tensor(self._small[name][index])
            else:
                row[name] = torch.from_numpy(np.array(self._large[name][index]))
        return row

    def split(self, fraction: float, seed: int = 0) -> tuple[Subset, Subset]:
        """Set about this fraction of the crystals aside, with all of their views.

        A crystal's side is decided by a hash of its name and the seed alone: it stays on its side
        when others join the store.

        Returns
        -------
        the views to learn from, and those of the crystals set aside
        """
        names = [str(name) for name in self._small["material_id"]]
        aside = held_out(names, fraction, seed)
        return (
            Subset(self, [row for row, out in enumerate(aside) if not out]),
            Subset(self, [row for row, out in enumerate(aside) if out]),
        )
