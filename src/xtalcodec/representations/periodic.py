"""`periodic`: the crystal's own cell as a torus of voxels that follows the cell.

Each axis of the Niggli-reduced cell is cut into patches of about `pitch` Å and each patch into
`patch` voxels, so a voxel means the same length in every crystal and cost grows with volume.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float

from xtalcodec.config import Count, NotNegative, Positive, settings
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.representations.base import Patches, Representation, RepresentationConfig


@settings
class PeriodicConfig(RepresentationConfig):
    """Settings of the grid on the crystal's own cell."""

    kind: Literal["periodic"] = "periodic"
    pitch: Positive = 2.0
    """Å: the length of a patch, as nearly as a whole number of them fits."""
    patches_per_site: NotNegative = 2.0
    """Dense crystals get at least so many patches for each of their sites: room in the latent for all of them."""
    patch: Count = 4
    """Voxels along a patch."""
    sigma: Positive = 0.9
    """Width of an atom's Gaussian, in voxels."""
    heat_sigma: Positive = 0.7
    """Width of the heat that marks atoms in the decoded field, in voxels."""
    max_patches: Count = 1024
    """A cell with more patches is refused: attention costs their square."""

    def open(self) -> "Periodic":
        """Make the representation."""
        return Periodic(self)


class Periodic(Representation):
    """Paints reduced crystals on their torus and says what a decoder should find there."""

    def __init__(self, config: PeriodicConfig) -> None:
        """Keep the settings."""
        self.config = config
        self.patch, self.sigma, self.heat_sigma = config.patch, config.sigma, config.heat_sigma

    def patches(self, crystal: Crystal) -> Patches:
        """Patches along a, b and c of a reduced crystal, see `grid_of`."""
        return self.grid_of(crystal.lattice, len(crystal))

    def grid_of(self, lattice: Float[np.ndarray, "3 3"], sites: int) -> Patches:
        """Patches along a, b and c of a reduced cell of so many sites.

        max(1, round(length / pitch)) along each axis, then one more along the axis with the longest
        patches until every site has its `patches_per_site`. A code says which grid it is on.

        Raises
        ------
        CrystalError
            More than `max_patches` patches in all.
        """
        length = np.linalg.norm(lattice, axis=1)
        n = np.maximum(1, np.round(length / self.config.pitch)).astype(int)
        while n.prod() < self.config.patches_per_site * sites:
            n[np.argmax(np.round(length / n, 3))] += 1  # rounded: axes of one length are equal in any order
        if n.prod() > self.config.max_patches:
            raise CrystalError(
                f"its cell needs {n.prod()} patches of {self.config.pitch:g} Å; the limit is {self.config.max_patches}"
            )
        return int(n[0]), int(n[1]), int(n[2])
