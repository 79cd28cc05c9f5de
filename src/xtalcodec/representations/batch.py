"""Many crystals of one grid shape as padded tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from xtalcodec.crystal import HEAVIEST, Crystal


@dataclass(frozen=True, slots=True)
class CrystalBatch:
    """Crystals padded to the one with the most sites; float32 for networks."""

    lattice: Float[Tensor, "b 3 3"]
    """Rows are the cell vectors a, b, c, in Å."""
    frac_coords: Float[Tensor, "b sites 3"]
    """Fractional coordinates; 0 where there is no site."""
    numbers: Int[Tensor, "b sites"]
    """Atomic numbers; 0 where there is no site."""
    mask: Bool[Tensor, "b sites"]
    """True where there is a site."""
    occupancies: Float[Tensor, "b sites columns"] | None = None
    """Share of each element, by its Z, and in column 0 of what is empty; None where every site is one element's."""
    seen: Float[Tensor, "b 3 3"] | None = None
    """Of windows: cell vectors of the crystals that they show, rows in Å; None where `lattice` is the crystal's own."""

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.numbers)

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.numbers.device

    @classmethod
    def collate(cls, crystals: Sequence[Crystal], device: str | torch.device = "cpu") -> "CrystalBatch":
        """Pad crystals to one batch."""
        lattice = np.stack([c.lattice for c in crystals])
        batch = cls.pad(lattice, [c.frac_coords for c in crystals], [c.numbers for c in crystals])
        if all(c.is_ordered for c in crystals):
            return batch.to(device)
        table = torch.zeros(*batch.numbers.shape, HEAVIEST + 1)
        table[batch.mask] = torch.from_numpy(np.concatenate([c.shares() for c in crystals])).float()
        return replace(batch, occupancies=table).to(device)

    @classmethod
    def pad(
        cls,
        lattice: Float[np.ndarray, "b 3 3"],
        frac_coords: Sequence[Float[np.ndarray, "_ 3"]],
        numbers: Sequence[Int[np.ndarray, " _"]],
        device: str | torch.device = "cpu",
    ) -> "CrystalBatch":
        """Pad lists of sites, of which some may be empty, to one batch.

        Parameters
        ----------
        lattice
            Cell vectors, rows in Å.
        frac_coords, numbers
            Sites of each crystal.
        device
            Where the tensors live.
        """
        sites = max(1, *map(len, numbers))
        frac = np.zeros((len(numbers), sites, 3), dtype=np.float32)
        z = np.zeros((len(numbers), sites), dtype=np.int64)
        for k, (where, what) in enumerate(zip(frac_coords, numbers, strict=True)):
            frac[k, : len(what)], z[k, : len(what)] = where, what
        tensors = torch.from_numpy(lattice.astype(np.float32)), torch.from_numpy(frac), torch.from_numpy(z)
        return cls(*tensors, tensors[2] > 0).to(device)

    def unpadded(self) -> list[Crystal]:
        """Return the crystals one by one."""
        rows = zip(*(x.cpu().numpy() for x in (self.lattice, self.frac_coords, self.numbers, self.mask)), strict=True)
        shares = [None] * len(self) if self.occupancies is None else self.occupancies.double().cpu().numpy()
        return [
            Crystal(lattice, frac[mask], numbers[mask], occupancies=None if own is None else own[mask])
            for (lattice, frac, numbers, mask), own in zip(rows, shares, strict=True)
        ]

    def shares(self, columns: int) -> Float[Tensor, "b sites {columns}"]:
        """Occupancies of elements below Z = `columns`, of ordered crystals too; 0 where there is no site."""
        if self.occupancies is not None:
            return self.occupancies[..., :columns]
        return F.one_hot(self.numbers, columns).float() * self.mask[..., None]

    def to(self, device: str | torch.device) -> "CrystalBatch":
        """Return the batch on another device."""
        lattice, frac, numbers, mask = (x.to(device) for x in (self.lattice, self.frac_coords, self.numbers, self.mask))
        shares = self.occupancies if self.occupancies is None else self.occupancies.to(device)
        seen = self.seen if self.seen is None else self.seen.to(device)
        return CrystalBatch(lattice, frac, numbers, mask, shares, seen)
