"""Windows: a crystal seen through a cube, painted as the paper does, and on a torus as the patch network learns it.

The torus is a little wider than the cube: the gap between opposite faces keeps their atoms apart. The network is
not told the lattice, and it cannot see that what it is given repeats, or does not.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import field, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation
from torch import Tensor

from xtalcodec.config import Count, NotNegative, Positive, settings
from xtalcodec.crystal import Crystal
from xtalcodec.representations.base import Patches, Representation, RepresentationConfig
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.window_field import View, ViewBatch, WindowConfig, density

Array = TypeVar("Array", np.ndarray, Tensor)

SLACK = 0.1
"""Å: how far an atom may be decoded from where it is and still be the window's."""


@settings
class WindowTorusConfig(RepresentationConfig):
    """A window of 10 Å on a torus of 11 Å: 5³ patches of 4³ voxels of 0.55 Å."""

    is_window: ClassVar[bool] = True
    window: WindowConfig = field(default_factory=WindowConfig)
    """The paper's field, which data sets and scores show; the patch network sees narrower Gaussians on the torus."""
    patches: Count = 5
    """Patches along an axis."""
    patch: Count = 4
    """Voxels along a patch."""
    gap: NotNegative = 1.0
    """Å between opposite faces of the window, around the torus."""
    skin: NotNegative = 0.25
    """Å: atoms that little outside of the window are decoded too, so that its faces are no cliff."""
    reach: NotNegative = 0.25
    """Å: atoms that little outside of the window are kept for painting; at least the skin."""
    sigma: Positive = 0.9
    """Width of an atom's Gaussian, in voxels."""
    heat_sigma: Positive = 0.7
    """Width of the heat that marks atoms in the decoded field, in voxels."""

    @abstractmethod
    def open(self) -> "Window":
        """Make the window."""


class Window(Representation):
    """Base of the representations that show a crystal in a cube."""

    wraps = False
    config: Any
    closed: bool
    """Whether all atoms that show in the window lie in it."""
    title: str
    """What figures call its views, in the plural."""

    def __init__(self, config: WindowTorusConfig) -> None:
        """Keep the settings."""
        self.config, self.field = config, config.window
        self.patch, self.sigma, self.heat_sigma = config.patch, config.sigma, config.heat_sigma
        self.edge = config.window.edge + config.gap
        self.window = self

    # Looking at crystals

    @abstractmethod
    def view(self, crystal: Crystal, rng: np.random.Generator, *, first: bool = False) -> View:
        """Look at a crystal as it was given, from a random place or in a random orientation.

        Parameters
        ----------
        crystal
            In any cell; the view's lattice is this cell, turned.
        rng
            Random numbers.
        first
            Of the views of a crystal in a data set.

        Raises
        ------
        CrystalError
            A crystal that the window cannot show.
        """

    @abstractmethod
    def shown(self, placed: Crystal, reach: float) -> View:
        """Look at a crystal where it lies: Cartesian coordinates are the window's.

        Parameters
        ----------
        placed
            A placed crystal, moved to its origin.
        reach
            Å: how far outside of the window atoms are still seen.
        """

    @abstractmethod
    def view_settings(self) -> dict[str, Any]:
        """Everything in the settings that shapes a painted view: what a store of views is compared by."""

    def collate(self, crystals: Sequence[Crystal], device: str | torch.device = "cpu") -> CrystalBatch:
        """Crystals as they are placed, along their own axes, on the torus."""
        return self.batch([self.shown(c, self.config.reach) for c in crystals], device)

    def batch(self, views: Sequence[View], device: str | torch.device = "cpu") -> CrystalBatch:
        """Atoms of views that are in the window or within reach of it, on the torus."""
        inside = [view.inside(self.field.edge, self.config.reach) for view in views]
        frac = [self.fractions(v.positions[k]) for v, k in zip(views, inside, strict=True)]
        numbers = [v.numbers[k] for v, k in zip(views, inside, strict=True)]
        batch = CrystalBatch.pad(np.stack([self.edge * np.eye(3)] * len(views)), frac, numbers, device)
        cells = torch.from_numpy(np.stack([v.lattice for v in views])).float().to(device)
        return replace(batch, seen=cells)

    def random_views(self, crystals: CrystalBatch, rng: np.random.Generator) -> CrystalBatch:
        """Turn each crystal uniformly over SO(3) and move it to a random origin."""
        turned = [
            replace(c, lattice=c.lattice @ Rotation.random(random_state=rng).as_matrix().T) for c in crystals.unpadded()
        ]
        return self.collate([c.translated(self.random_origin(c, rng)) for c in turned])

    @abstractmethod
    def random_origin(self, crystal: Crystal, rng: np.random.Generator) -> Float[np.ndarray, "3"]:
        """A shift in fractional coordinates that training may see a placed crystal at."""

    # The paper's field

    def atoms(self, crystals: CrystalBatch) -> ViewBatch:
        """Atoms of a batch in Å; for windows that keep every atom that reaches in, what the paper paints."""
        positions = self.angstrom(crystals.frac_coords) * crystals.mask[..., None]
        return ViewBatch(positions, crystals.numbers, crystals.mask.long() - 1)

    def density(self, crystals: CrystalBatch) -> Float[Tensor, "b n n n"]:
        """The paper's density of the atoms of a batch, in e/Å³."""
        return density(self.atoms(crystals), self.field)

    def true_density(self, placed: Crystal) -> Float[np.ndarray, "n n n"]:
        """The paper's density, e/Å³, of a crystal where it lies, with what reaches in from outside."""
        view = self.shown(placed, self.field.reach)
        return self.density_of(view.positions, view.numbers)

    def density_of(
        self, positions: Float[np.ndarray, "atoms 3"], numbers: Int[np.ndarray, " atoms"]
    ) -> Float[np.ndarray, "n n n"]:
        """The paper's density, e/Å³, of atoms in Å from the window's corner, each once."""
        sites, nowhere = np.arange(len(numbers)), (np.eye(3), np.zeros(3), np.eye(3))
        with torch.no_grad():
            return density(ViewBatch.collate([View(positions, numbers, sites, *nowhere)]), self.field)[0].numpy()

    # The torus

    def frame(self, lattice: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 3"]:
        """The torus is a cube, whatever the crystal's lattice."""
        return (self.edge * torch.eye(3, device=lattice.device)).expand(len(lattice), 3, 3)

    def shows(self, frac_coords: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
        """In the window or its skin, as exactly as atoms are decoded; the rest is the gap between opposite faces."""
        middle = (frac_coords.remainder(1) - 0.5).abs().amax(-1) * self.edge
        return middle <= self.field.edge / 2 + self.config.skin + SLACK

    def angstrom(self, frac_coords: Float[Array, "*n 3"]) -> Float[Array, "*n 3"]:
        """From fractions of the torus to Å from the window's corner."""
        return frac_coords * self.edge - self.config.gap / 2

    def fractions(self, positions: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """From Å from the window's corner to fractions of the torus."""
        return (positions + self.config.gap / 2) / self.edge

    def _all_patches(self) -> Patches:
        return (self.config.patches, self.config.patches, self.config.patches)
