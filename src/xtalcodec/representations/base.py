"""The contract of representations: how a crystal sits on voxels of a torus, and what a decoder should find there.

Every representation puts its crystals on such a grid, cut into patches. All distances here are in voxels
along the axes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Optional

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from xtalcodec.config import Kinds
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.niggli import niggli
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.gaussian import torus_field
from xtalcodec.representations.tori import Grid, Tori

if TYPE_CHECKING:
    from xtalcodec.representations.window import Window

Patches = tuple[int, int, int]
"""Patches along the three axes of a cell."""

REACH = 2
"""Voxels on each side of an atom's own that its heat can touch."""

NEAR = 1.6
"""Voxels: how far from an atom a voxel is asked to point to it."""


class RepresentationConfig(Kinds, ABC):
    """Settings of a representation; `kind` is its name."""

    is_window: ClassVar[bool] = False
    """Whether it shows crystals through a window."""

    @abstractmethod
    def open(self) -> "Representation":
        """Make the representation of these settings."""


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """A crystal as a representation takes it, and the way back to the cell that was given."""

    crystal: Crystal
    """On its Niggli-reduced cell, with the images of its sites that the grid shows best."""
    basis: Int[np.ndarray, "3 3"]
    """Cell vectors that were given = basis @ crystal.lattice."""
    patches: Patches
    """Of the grid that it takes."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Training targets of the decoder at each voxel; `near` voxels are those with an atom within reach."""

    heat: Float[Tensor, "b voxels"]
    """exp(−d²/2s²), d the distance to the nearest atom in voxels; 0 out of reach."""
    near: Int[Tensor, " near"]
    """Flat indices (crystal × voxel) of the voxels within `NEAR` voxels of an atom."""
    offset: Float[Tensor, "near 3"]
    """From the voxel to its nearest atom, in voxels."""


def spread_origin(attempt: int) -> Float[np.ndarray, "3"]:
    """Shift of an attempt, in fractional coordinates: (0, 0, 0) first, then ever more evenly spread ones.

    The additive recurrence of the root of g⁴ = g + 1 (Roberts 2018, R₃ sequence).
    """
    g = 1.2207440846057596
    return attempt * np.array([1 / g, 1 / g**2, 1 / g**3]) % 1


class Representation(ABC):
    """Base of the representations: maps crystals to a grid of voxels and back."""

    config: Any
    """Its settings."""
    patch: int
    """Voxels along a patch."""
    sigma: float
    """Width of an atom's Gaussian, in voxels."""
    heat_sigma: float
    """Width of the heat that marks atoms in the decoded field, in voxels."""
    wraps: bool = True
    """Whether atoms at opposite ends of the grid are neighbours."""
    window: Optional["Window"] = None
    """The representation itself where it shows a crystal through a window, a cube that has the paper's density."""

    @abstractmethod
    def patches(self, crystal: Crystal) -> Patches:
        """Patches along the three axes of the grid that a placed crystal takes.

        Raises
        ------
        CrystalError
            A crystal that the grid cannot show.
        """

    def grid_of(self, lattice: Float[np.ndarray, "3 3"], sites: int) -> Patches:  # noqa: ARG002
        """Patches along the three axes of the grid on a reduced cell of so many sites, wherever they are.

        Raises
        ------
        CrystalError
            No grid for such a cell; a window, whose grid is not the cell's.
        """
        raise CrystalError("a window has a grid of its own, not one on a cell")

    def paint(
        self, crystals: CrystalBatch, weights: Float[Tensor, "b sites channels"], patches: Patches
    ) -> Float[Tensor, "b nx ny nz channels"]:
        """Field that the encoder sees: one normalised Gaussian per atom times its weights.

        Parameters
        ----------
        crystals
            On their grid.
        weights
            Of each site, one number a channel.
        patches
            Patches of the grid along its axes.
        """
        weights = weights * crystals.mask[..., None]
        return torus_field(crystals.frac_coords, weights, self.grid(patches), self.sigma)

    # A crystal on the grid, and back: nothing to do where the grid is the crystal's own cell

    def place(self, crystal: Crystal) -> Placement:
        """Bring a crystal to its Niggli-reduced cell and the images of its sites that the grid shows best.

        Raises
        ------
        CrystalError
            A cell that cannot be reduced, a crystal that the grid cannot show.
        """
        reduced, basis = niggli(crystal)
        chosen = self.choose_images(crystal, reduced, basis)
        return Placement(chosen, basis, self.patches(chosen))

    def choose_images(
        self,
        given: Crystal,  # noqa: ARG002
        reduced: Crystal,
        basis: Int[np.ndarray, "3 3"],  # noqa: ARG002
    ) -> Crystal:
        """Of the periodic images of each site, take those that the grid shows best.

        Parameters
        ----------
        given
            The crystal as it was given.
        reduced
            On its Niggli-reduced cell.
        basis
            Cell vectors given = basis @ reduced.lattice.
        """
        return reduced

    def origin(self, crystal: Crystal, attempt: int) -> Float[np.ndarray, "3"]:  # noqa: ARG002
        """Shift in fractional coordinates that puts a placed crystal on the grid; another for every attempt."""
        return spread_origin(attempt)

    def collate(self, crystals: Sequence[Crystal], device: str | torch.device = "cpu") -> CrystalBatch:
        """Put crystals on their grid, in its own coordinates: those of [0, 1) are voxels."""
        return CrystalBatch.collate(crystals, device)

    def random_views(self, crystals: CrystalBatch, rng: np.random.Generator) -> CrystalBatch:  # noqa: ARG002
        """Put augmented training crystals on their grid, each as it may also be seen."""
        return crystals

    def frame(self, lattice: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 3"]:
        """Cell vectors of the grid on which a crystal of this lattice is, in Å."""
        return lattice

    def shows(self, frac_coords: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
        """Whether an atom may be decoded at a place of the grid."""
        return torch.ones(frac_coords.shape[:-1], dtype=torch.bool, device=frac_coords.device)

    def sites_of_cell(
        self,
        positions: Float[np.ndarray, "atoms 3"],
        numbers: Int[np.ndarray, " atoms"],
        confidence: Float[np.ndarray, " atoms"],
        lattice: Float[np.ndarray, "3 3"],  # noqa: ARG002
    ) -> tuple[Float[np.ndarray, "sites 3"], Int[np.ndarray, " sites"], Float[np.ndarray, " sites"]]:
        """Turn atoms found on the grid into the sites of one cell of the crystal.

        Parameters
        ----------
        positions
            Fractions of the grid's axes.
        numbers, confidence
            Atomic number of each atom, and how sure it is.
        lattice
            Of the crystal, rows in Å.

        Returns
        -------
        fractional coordinates in the crystal's cell, atomic numbers, confidences
        """
        return positions, numbers, confidence

    # Representation

    def grid(self, patches: Patches) -> Grid:
        """Voxels along each axis."""
        a, b, c = (n * self.patch for n in patches)
        return a, b, c

    def tori(self, grids: Sequence[Patches], device: torch.device) -> Tori:
        """Voxels of crystals on grids of so many patches, one crystal after the other."""
        return Tori.of([self.grid(patches) for patches in grids], device)

    def positions(
        self, crystals: CrystalBatch, patches: Patches
    ) -> tuple[Int[Tensor, " sites"], Float[Tensor, "sites 3"]]:
        """The crystal of each site of a batch, and where the site is, in voxels."""
        which, _ = crystals.mask.nonzero(as_tuple=True)
        return which, crystals.frac_coords[crystals.mask] * torch.tensor(self.grid(patches), device=crystals.device)

    def heat(self, square: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Heat at a squared distance from an atom, in voxels²: 1 at the atom."""
        return torch.exp(-square / (2 * self.heat_sigma**2))

    def targets(self, crystals: CrystalBatch, patches: Patches) -> Targets:
        """Heat and offsets from each atom's neighbourhood of 5³ voxels; ties go to the nearest atom."""
        tori = self.tori([patches] * len(crystals), crystals.device)
        index, offset, square, nearest = _around(*self.positions(crystals, patches), tori)
        owns = (square <= nearest[index]) & (square < NEAR**2)
        return Targets(self.heat(nearest).view(len(crystals), -1), index[owns], offset[owns])

    def heat_of(
        self, which: Int[Tensor, " sites"], position: Float[Tensor, "sites 3"], tori: Tori
    ) -> Float[Tensor, " voxels"]:
        """Heat of atoms, as in `targets`, of crystals of any grids.

        Parameters
        ----------
        which
            The crystal of each atom.
        position
            Of the atoms, in voxels.
        tori
            Where the voxels of the crystals stand.
        """
        *_, nearest = _around(which, position, tori)
        return self.heat(nearest)


def _around(
    which: Int[Tensor, " n"], position: Float[Tensor, "n 3"], tori: Tori
) -> tuple[Int[Tensor, "n around"], Float[Tensor, "n around 3"], Float[Tensor, "n around"], Float[Tensor, " voxels"]]:
    """Voxels around atoms: their indices, the way from them to the atom, its square; of every voxel the least square.

    Parameters
    ----------
    which
        The crystal of each atom.
    position
        Of the atoms, in voxels.
    tori
        Where the voxels of the crystals stand.
    """
    along = torch.arange(-REACH, REACH + 1, device=position.device)
    voxel = position.round()[:, None].long() + torch.cartesian_prod(along, along, along)
    offset = position[:, None] - voxel
    index = tori.index(which, voxel)
    nearest = torch.full((int(tori.sizes.sum()),), torch.inf, device=position.device)
    square = offset.square().sum(-1)
    return index, offset, square, nearest.scatter_reduce(0, index.flatten(), square.flatten(), "amin")
