"""Many crystals of one grid shape as padded tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from xtalcodec.crystal import Crystal


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
        sites = max(len(c) for c in crystals)
        frac_coords = np.zeros((len(crystals), sites, 3), dtype=np.float32)
        numbers = np.zeros((len(crystals), sites), dtype=np.int64)
        for k, crystal in enumerate(crystals):
            frac_coords[k, : len(crystal)] = crystal.frac_coords
            numbers[k, : len(crystal)] = crystal.numbers
        lattice = np.stack([c.lattice for c in crystals]).astype(np.float32)
        z = torch.from_numpy(numbers)
        batch = cls(torch.from_numpy(lattice), torch.from_numpy(frac_coords), z, z > 0)
        return batch.to(device)

    def to(self, device: str | torch.device) -> "CrystalBatch":
        """Return the batch on another device."""
        return CrystalBatch(*(getattr(self, name).to(device) for name in ("lattice", "frac_coords", "numbers", "mask")))
