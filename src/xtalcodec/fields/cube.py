"""A window as a network learns it: the paper's field in, voxels of half an Å around every atom out.

The encoder is given the field of `window` and nothing else, sharpened (`sharpen`). The decoder's
voxels are a torus a little wider than the window, so that atoms on opposite faces stay apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.fields import window
from xtalcodec.fields.batch import CrystalBatch
from xtalcodec.fields.repeating import seen
from xtalcodec.fields.sharpen import Sharpen
from xtalcodec.fields.voxels import Patches, Voxels, origin
from xtalcodec.fields.window import View, WindowConfig
from xtalcodec.folding import fold
from xtalcodec.sites.found import Sites


@dataclass(frozen=True, slots=True)
class CubeConfig:
    """A window of 10 Å on 5³ patches of 4³ voxels of 0.55 Å."""

    KINDS: ClassVar[tuple[str, ...]] = ("unit_cell", "repeating")
    kind: str = "unit_cell"
    """"unit_cell": one cell, centred; "repeating": the infinite crystal."""
    window: WindowConfig = field(default_factory=WindowConfig)
    """The field that is painted."""
    patches: int = 5
    """Patches along an axis."""
    patch: int = 4
    """Voxels along a patch."""
    overlap: int = 2
    """Voxels of its neighbours that the encoder sees with each patch, on every side."""
    margin: float = 0.5
    """Å: how far the voxels reach beyond the window on every side."""
    skin: float = 0.25
    """Å: atoms that little outside of the window are decoded too, so that its faces are no cliff."""
    heat_sigma: float = 0.7
    """Width of the heat that marks atoms in the decoded field, in voxels."""
    sharp: float = 1.0
    """Width of the Gaussians of the field that the encoder sees, in voxels."""
    noise: float = 1e-6
    """What is uncertain in the painted field, for sharpening it (float32 rounds at 1e-7)."""


class Cube(Voxels):
    """What windows share."""

    def __init__(self, config: CubeConfig) -> None:
        """Keep the settings and make the sharpening."""
        self.config, self.window = config, config.window
        self.patch, self.heat_sigma = config.patch, config.heat_sigma
        self.edge = config.window.edge + 2 * config.margin
        n = config.patches * config.patch
        inner = torch.arange(-config.overlap, n + config.overlap) / n * self.edge - config.margin
        self.sharpen = Sharpen(config.window, inner, config.sharp * self.edge / n, config.noise)

    def grid_patches(self) -> Patches:
        """The patches of every window."""
        return (self.config.patches,) * 3

    def density(self, crystals: CrystalBatch, weights: Float[Tensor, "b atoms c"]) -> Float[Tensor, "b n n n c"]:
        """Field of the window, as the paper paints it."""
        return window.paint(self.angstrom(crystals.frac_coords), weights * crystals.mask[..., None], self.window)

    def paint(
        self, crystals: CrystalBatch, weights: Float[Tensor, "b atoms c"], patches: Patches
    ) -> Float[Tensor, "b m m m c"]:
        """Sharpen the window's field onto the voxels, and `overlap` more on every side."""
        voxel = self.edge / self.grid(patches)[0]
        return self.sharpen.to(weights.device)(self.density(crystals, weights)) * voxel**3

    def present(self, crystals: CrystalBatch) -> Bool[Tensor, "b atoms"]:
        """Atoms in the window or its skin."""
        skin, position = self.config.skin, self.angstrom(crystals.frac_coords)
        return crystals.mask & ((position >= -skin) & (position <= self.window.edge + skin)).all(-1)

    def frame(self, lattice: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 3"]:
        """The cube's edges: the network is not told the lattice."""
        return (self.edge * torch.eye(3, device=lattice.device)).expand(len(lattice), 3, 3)

    def angstrom(self, frac_coords: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """From coordinates of the voxels to Å from the window's corner."""
        return frac_coords * self.edge - self.config.margin

    def batch(self, views: Sequence[View], device: str | torch.device = "cpu") -> CrystalBatch:
        """Views in the voxels' coordinates; those outside of [0, 1) are painted, not decoded."""
        atoms = window.Atoms.collate(views, device)
        exists = atoms.numbers > 0
        frac = (atoms.positions + self.config.margin) / self.edge * exists[..., None]
        return CrystalBatch(self.frame(atoms.positions.new_zeros(len(views), 3, 3)), frac, atoms.numbers, exists)


def crystals_of(batch: CrystalBatch) -> list[Crystal]:
    """One by one, without the padding."""
    rows = zip(*(x.numpy() for x in (batch.lattice, batch.frac_coords, batch.numbers, batch.mask)), strict=True)
    return [Crystal(lattice, frac[mask], numbers[mask]) for lattice, frac, numbers, mask in rows]


class UnitCellCube(Cube):
    """One cell, its atoms' centroid in the middle."""

    def patches(self, crystal: Crystal) -> Patches:
        """Refuse a cell that some rotation would take out of the window."""
        radius, half = _radius(crystal), self.window.edge / 2
        if radius > half:
            raise CrystalError(
                f"its cell does not fit: an atom lies {radius:.2f} Å from the centre, the window ends at {half:g} Å"
            )
        return self.grid_patches()

    def place(self, crystal: Crystal, attempt: int) -> Float[np.ndarray, "3"]:  # noqa: ARG002
        """Move the centroid to the middle."""
        middle = np.full(3, self.window.edge / 2) @ np.linalg.inv(crystal.lattice)
        return middle - crystal.frac_coords.mean(0)

    def collate(self, crystals: Sequence[Crystal], device: str | torch.device = "cpu") -> CrystalBatch:
        """Cells as they are placed."""
        return self.batch([_view(c, c.frac_coords @ c.lattice, np.eye(3)) for c in crystals], device)

    def cell(self, sites: Sites, lattice: Float[np.ndarray, "3 3"]) -> Sites:
        """The atoms are the cell's sites."""
        positions = sites.frac_coords * self.edge - self.config.margin
        return replace(sites, frac_coords=positions @ np.linalg.inv(lattice))

    def views(self, crystals: CrystalBatch, rng: np.random.Generator) -> CrystalBatch:
        """Centre cells and rotate each, uniformly over SO(3)."""
        views = []
        for crystal in crystals_of(crystals):
            rotation = Rotation.random(random_state=rng).as_matrix()
            centred = (crystal.frac_coords - crystal.frac_coords.mean(0)) @ crystal.lattice
            views.append(_view(crystal, centred @ rotation.T + self.window.edge / 2, rotation))
        return self.batch(views)


def _radius(crystal: Crystal) -> float:
    """Å from the centroid to the farthest atom of the cell."""
    return float(np.linalg.norm((crystal.frac_coords - crystal.frac_coords.mean(0)) @ crystal.lattice, axis=1).max())


def _view(crystal: Crystal, positions: Float[np.ndarray, "sites 3"], rotation: Float[np.ndarray, "3 3"]) -> View:
    """One copy of every site."""
    lattice = crystal.lattice @ rotation.T
    offset = positions[0] - crystal.frac_coords[0] @ lattice
    return View(positions, crystal.numbers, np.arange(len(crystal)), lattice, offset, rotation)


class RepeatingCube(Cube):
    """The infinite crystal, as far as it shows in the window."""

    def patches(self, crystal: Crystal) -> Patches:
        """Refuse a crystal that the window does not show whole."""
        placed = crystal.translated(self.place(crystal, 0))
        view = seen(placed, placed.lattice, np.zeros(3), np.eye(3), self.window)
        hidden = len(crystal) - len(np.unique(view.site[view.inside(self.window.edge)]))
        if hidden:
            raise CrystalError(
                f"the window of {self.window.edge:g} Å is smaller than its cell: {hidden} sites stay outside"
            )
        return self.grid_patches()

    def place(self, crystal: Crystal, attempt: int) -> Float[np.ndarray, "3"]:  # noqa: ARG002
        """Another place for each attempt, none on a corner: atoms of high symmetry stay off the faces."""
        return origin(attempt + 1)

    def cell(self, sites: Sites, lattice: Float[np.ndarray, "3 3"]) -> Sites:
        """Copies of a site are averaged, and vote on its species."""
        if not len(sites.numbers):
            return sites
        positions = sites.frac_coords * self.edge - self.config.margin
        folded = fold(positions, sites.numbers, lattice, self.window.edge, refine=False)
        return Sites(folded.frac_coords, folded.numbers, folded.agreement, sites.explained)

    def collate(self, crystals: Sequence[Crystal], device: str | torch.device = "cpu") -> CrystalBatch:
        """Crystals as they are placed, along their own axes."""
        return self.batch([seen(c, c.lattice, np.zeros(3), np.eye(3), self.window) for c in crystals], device)

    def views(self, crystals: CrystalBatch, rng: np.random.Generator) -> CrystalBatch:
        """Look at each crystal from anywhere, rotated uniformly over SO(3)."""
        views = []
        for crystal in crystals_of(crystals):
            rotation = Rotation.random(random_state=rng).as_matrix()
            lattice = crystal.lattice @ rotation.T
            views.append(seen(crystal, lattice, rng.random(3) @ lattice, rotation, self.window))
        return self.batch(views)
