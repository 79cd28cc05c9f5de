"""Windows as the patch network learns them: the atoms in the cube on a torus a little wider than it.

The gap between opposite faces keeps their atoms apart; the network is not told the lattice, and it
cannot see that what it is given repeats, or does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from xtalcodec.atom_finders.found import Sites
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.window_lattice.folding import fold
from xtalcodec.representations.base import Patches, Voxels, origin
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.density import Atoms, View, WindowConfig, density
from xtalcodec.representations.gaussian import REACH, outer_sum, torus_profiles
from xtalcodec.representations.repeating import seen


@dataclass(frozen=True, slots=True)
class CubeConfig:
    """A window of 10 Å on a torus of 11 Å: 5³ patches of 4³ voxels of 0.55 Å."""

    KINDS: ClassVar[tuple[str, ...]] = ("unit_cell", "repeating")
    kind: str = "unit_cell"
    """"unit_cell": one cell, centred; "repeating": the infinite crystal."""
    window: WindowConfig = field(default_factory=WindowConfig)
    """The paper's field, which scores compare; the network sees narrower Gaussians on its own voxels."""
    patches: int = 5
    """Patches along an axis."""
    patch: int = 4
    """Voxels along a patch."""
    gap: float = 1.0
    """Å between opposite faces of the window, around the torus."""
    skin: float = 0.25
    """Å: atoms that little outside of the window are decoded too, so that its faces are no cliff."""
    reach: float = 0.25
    """Å: atoms that little outside of the window are kept for painting; at least the skin."""
    sigma: float = 0.9
    """Width of an atom's Gaussian, in voxels."""
    heat_sigma: float = 0.7
    """Width of the heat that marks atoms in the decoded field, in voxels."""


SLACK = 0.1
"""Å: how far an atom may be decoded from where it is and still be the window's."""


class Cube(Voxels):
    """What the windows share."""

    wraps = False

    def __init__(self, config: CubeConfig) -> None:
        """Keep the settings."""
        self.config, self.window = config, config.window
        self.patch, self.heat_sigma = config.patch, config.heat_sigma
        self.edge = config.window.edge + config.gap

    def paint(
        self, crystals: CrystalBatch, weights: Float[Tensor, "b atoms channels"], patches: Patches
    ) -> Float[Tensor, "b nx ny nz channels"]:
        """One normalised Gaussian per atom times its weights."""
        profiles = [
            torus_profiles(x, n, self.config.sigma)
            for x, n in zip(crystals.frac_coords.unbind(-1), self.grid(patches), strict=True)
        ]
        return outer_sum((profiles[0], profiles[1], profiles[2]), weights * crystals.mask[..., None])

    def frame(self, lattice: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 3"]:
        """The torus is a cube, whatever the crystal's lattice."""
        return (self.edge * torch.eye(3, device=lattice.device)).expand(len(lattice), 3, 3)

    def shows(self, frac_coords: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
        """In the window or its skin, as exactly as atoms are decoded; the rest is the gap between opposite faces."""
        middle = (frac_coords.remainder(1) - 0.5).abs().amax(-1) * self.edge
        return middle <= self.window.edge / 2 + self.config.skin + SLACK

    def angstrom(self, frac_coords: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """From fractions of the torus to Å from the window's corner."""
        return frac_coords * self.edge - self.config.gap / 2

    def fractions(self, positions: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """From Å from the window's corner to fractions of the torus."""
        return (positions + self.config.gap / 2) / self.edge

    def atoms(self, crystals: CrystalBatch) -> Atoms:
        """Atoms of a batch in Å; for windows that keep every atom that reaches in, what the paper paints."""
        positions = (crystals.frac_coords * self.edge - self.config.gap / 2) * crystals.mask[..., None]
        return Atoms(positions, crystals.numbers, crystals.mask.long() - 1)

    def density(self, crystals: CrystalBatch) -> Float[Tensor, "b n n n"]:
        """The paper's density of the atoms of a batch, in e/Å³."""
        return density(self.atoms(crystals), self.window)

    def batch(self, views: Sequence[View], device: str | torch.device = "cpu") -> CrystalBatch:
        """Atoms of views that are in the window or within reach of it, on the torus."""
        inside = [view.inside(self.window.edge, self.config.reach) for view in views]
        frac = [self.fractions(v.positions[k]) for v, k in zip(views, inside, strict=True)]
        numbers = [v.numbers[k] for v, k in zip(views, inside, strict=True)]
        return CrystalBatch.pad(np.stack([self.edge * np.eye(3)] * len(views)), frac, numbers, device)

    def _patches(self) -> Patches:
        return (self.config.patches, self.config.patches, self.config.patches)


def _one_by_one(batch: CrystalBatch) -> list[Crystal]:
    """Crystals of a batch without its padding."""
    rows = zip(*(x.numpy() for x in (batch.lattice, batch.frac_coords, batch.numbers, batch.mask)), strict=True)
    return [Crystal(lattice, frac[mask], numbers[mask]) for lattice, frac, numbers, mask in rows]


class UnitCellCube(Cube):
    """One cell, in the middle of the window."""

    def patches(self, crystal: Crystal) -> Patches:
        """Refuse a cell that some rotation would take out of the window."""
        radius, half = _radius(crystal), self.window.edge / 2
        if radius > half:
            raise CrystalError(
                f"its cell does not fit: an atom lies {radius:.2f} Å from the centre, the window ends at {half:g} Å"
            )
        return self._patches()

    def whole(self, crystal: Crystal) -> Crystal:
        """Take the images of the sites that lie nearest together: of cells around each site, the smallest."""
        cells = []
        for centre in crystal.frac_coords:
            apart = crystal.frac_coords - centre
            cells.append(replace(crystal, frac_coords=centre + apart - np.round(apart)))
        return min([crystal, *cells], key=_radius)

    def place(self, crystal: Crystal, attempt: int) -> Float[np.ndarray, "3"]:
        """Move the centroid to the middle; on further attempts, up to half a patch beside it, as the cell has room."""
        centred = (crystal.frac_coords - crystal.frac_coords.mean(0)) @ crystal.lattice
        half = self.window.edge / 2
        room = np.clip(half - abs(centred).max(0), 0, self.edge / self.config.patches / 2)
        beside = (2 * origin(attempt) - 1) * room if attempt else np.zeros(3)
        return (half + beside) @ np.linalg.inv(crystal.lattice) - crystal.frac_coords.mean(0)

    def cell(self, sites: Sites, lattice: Float[np.ndarray, "3 3"]) -> Sites:
        """The atoms are the cell's sites."""
        return replace(sites, frac_coords=self.angstrom(sites.frac_coords) @ np.linalg.inv(lattice))

    def collate(self, crystals: Sequence[Crystal], device: str | torch.device = "cpu") -> CrystalBatch:
        """Cells as they are placed."""
        return self.batch([_alone(c, np.eye(3)) for c in crystals], device)

    def views(self, crystals: CrystalBatch, rng: np.random.Generator) -> CrystalBatch:
        """Rotate each cell uniformly over SO(3), then put it into the middle."""
        rotated = [
            replace(c, lattice=c.lattice @ Rotation.random(random_state=rng).as_matrix().T)
            for c in _one_by_one(crystals)
        ]
        return self.collate([c.translated(self.place(c, 0)) for c in rotated])


def _radius(crystal: Crystal) -> float:
    """Å from the centroid to the farthest atom of the cell."""
    return float(np.linalg.norm((crystal.frac_coords - crystal.frac_coords.mean(0)) @ crystal.lattice, axis=1).max())


def _alone(crystal: Crystal, rotation: Float[np.ndarray, "3 3"]) -> View:
    """One copy of every site."""
    sites = np.arange(len(crystal))
    positions = crystal.frac_coords @ crystal.lattice
    return View(positions, crystal.numbers, sites, crystal.lattice, np.zeros(3), rotation)


class RepeatingCube(Cube):
    """The infinite crystal, as far as it shows in the window."""

    def patches(self, crystal: Crystal) -> Patches:
        """Refuse a crystal that the window does not show whole."""
        view = self._look(crystal.translated(self.place(crystal, 0)))
        hidden = len(crystal) - len(np.unique(view.site[view.inside(self.window.edge)]))
        if hidden:
            raise CrystalError(
                f"the window of {self.window.edge:g} Å is smaller than its cell: {hidden} sites stay outside"
            )
        return self._patches()

    def place(self, crystal: Crystal, attempt: int) -> Float[np.ndarray, "3"]:  # noqa: ARG002
        """Another place for each attempt, none on a corner: atoms of high symmetry stay off the faces."""
        return origin(attempt + 1)

    def cell(self, sites: Sites, lattice: Float[np.ndarray, "3 3"]) -> Sites:
        """Copies of a site are averaged, and vote on its species."""
        if not len(sites.numbers):
            return sites
        positions = self.angstrom(sites.frac_coords)
        folded = fold(positions, sites.numbers, lattice, self.window.edge, refine=False)
        return Sites(folded.frac_coords, folded.numbers, folded.agreement, sites.explained)

    def collate(self, crystals: Sequence[Crystal], device: str | torch.device = "cpu") -> CrystalBatch:
        """Crystals as they are placed, along their own axes."""
        return self.batch([self._look(c) for c in crystals], device)

    def views(self, crystals: CrystalBatch, rng: np.random.Generator) -> CrystalBatch:
        """Look at each crystal from anywhere, rotated uniformly over SO(3)."""
        rotated = [
            replace(c, lattice=c.lattice @ Rotation.random(random_state=rng).as_matrix().T)
            for c in _one_by_one(crystals)
        ]
        return self.collate([c.translated(rng.random(3)) for c in rotated])

    def _look(self, crystal: Crystal) -> View:
        """What is in the window or within reach; `seen` goes REACH Gaussians far."""
        near = replace(self.window, sigma=self.config.reach / REACH)
        return seen(crystal, crystal.lattice, np.zeros(3), np.eye(3), near)
