"""What the documentation's pictures share: the crystal, and how cells, slices and arrows are drawn."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.image import AxesImage
from matplotlib.patches import Circle, FancyArrowPatch, Polygon
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.niggli import niggli
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.periodic import Periodic, PeriodicConfig

INK, SOFT, BLUE, ORANGE, GREEN = "#1b2530", "#66717f", "#3c5fb0", "#d9622b", "#2a8f83"
COLORS = {20: GREEN, 22: BLUE, 8: ORANGE}
SYMBOLS = {20: "Ca", 22: "Ti", 8: "O"}
RADII = {20: 0.72, 22: 0.58, 8: 0.38}  # Å on paper: large enough to see, small enough to see past
HEAT = LinearSegmentedColormap.from_list("heat", ["#ffffff", "#fff0d0", "#fdc98a", "#f2904f", "#c9502f"])


@dataclass(frozen=True, slots=True)
class Example:
    """The crystal and what the representation makes of it."""

    given: Crystal
    reduced: Crystal
    basis: np.ndarray
    patches: tuple[int, int, int]
    density: np.ndarray
    """nx ny nz species: electrons per voxel over Z, one channel per element of `COLORS`."""
    heat: np.ndarray
    offset: np.ndarray
    """nx ny nz 3, in voxels; NaN where no atom is near."""


def example() -> Example:
    """Orthorhombic perovskite in the standard setting Pnma, b the longest."""
    lattice = Lattice.orthorhombic(5.4224, 7.6510, 5.4043)
    sites = [[0.4877, 0.25, 0.9916], [0, 0, 0], [0.0313, 0.25, 0.0586], [0.288, 0.537, 0.213]]
    given = Crystal.from_pymatgen(Structure.from_spacegroup("Pnma", lattice, ["Ca", "Ti", "O", "O"], sites))
    reduced, basis = niggli(given)
    space = Periodic(PeriodicConfig())
    patches = space.patches(reduced)
    grid = space.grid(patches)
    batch = CrystalBatch.collate([reduced])
    weights = torch.stack([batch.numbers == z for z in COLORS], -1).float()
    targets = space.targets(batch, patches)
    offset = np.full((math.prod(grid), 3), np.nan)
    offset[targets.near.numpy()] = targets.offset.numpy()
    density = space.paint(batch, weights, patches)[0].numpy()
    return Example(
        given, reduced, basis, patches, density, targets.heat[0].numpy().reshape(grid), offset.reshape(*grid, 3)
    )


def read_back(shown: Example) -> tuple[Crystal, float]:
    """Atoms from the targets alone, in the cell that was given, and the worst distance in Å to a true one."""
    grid = np.array(shown.heat.shape)
    voxel = np.argwhere(np.abs(shown.offset).max(-1) <= 0.5)  # NaN is not
    found = voxel + shown.offset[tuple(voxel.T)]
    numbers = np.array(list(COLORS))[shown.density[tuple(voxel.T)].argmax(-1)]
    crystal = Crystal(shown.reduced.lattice, found / grid, numbers).in_basis(shown.basis)
    apart = crystal.frac_coords[:, None] - shown.given.frac_coords
    distance = np.linalg.norm((apart - np.round(apart)) @ shown.given.lattice, axis=-1)
    distance[crystal.numbers[:, None] != shown.given.numbers] = np.inf
    return crystal, float(max(distance.min(0).max(), distance.min(1).max()))


def upright(lattice: np.ndarray) -> np.ndarray:
    """Turn a lattice so that c points up and a lies in the plane of x and z."""
    up = lattice[2] / np.linalg.norm(lattice[2])
    flat = lattice[0] - lattice[0] @ up * up
    front = flat / np.linalg.norm(flat)
    return lattice @ np.array([front, np.cross(up, front), up]).T


class View:
    """Orthographic projection of a cell, seen from azimuth and elevation in degrees, onto axes."""

    def __init__(self, ax: Axes, lattice: np.ndarray, azimuth: float = 28, elevation: float = 17) -> None:
        """Look at the middle of the cell."""
        self.ax, self.lattice = ax, upright(lattice)
        p, t = math.radians(azimuth), math.radians(elevation)
        self.screen = np.array(
            [
                [-math.sin(p), math.cos(p), 0],
                [-math.sin(t) * math.cos(p), -math.sin(t) * math.sin(p), math.cos(t)],
                [math.cos(t) * math.cos(p), math.cos(t) * math.sin(p), math.sin(t)],
            ]
        )
        ax.set_aspect("equal")
        ax.axis("off")
        ax.set(xlim=(-5.75, 6.05), ylim=(-5.7, 5.7))

    def place(self, frac: np.ndarray) -> np.ndarray:
        """Fractional coordinates → right, up and towards the viewer, in Å."""
        return (np.asarray(frac) - 0.5) @ self.lattice @ self.screen.T

    def line(self, start: np.ndarray, end: np.ndarray, **style: object) -> None:
        """Draw a line in short pieces, so that atoms hide what is behind them."""
        points = self.place(np.linspace(start, end, 25))
        for p, q in pairwise(points):
            self.ax.plot([p[0], q[0]], [p[1], q[1]], zorder=10 + (p[2] + q[2]) / 2, solid_capstyle="round", **style)

    def cell(self, **style: object) -> None:
        """Draw the twelve edges and name the three vectors."""
        for axis in range(3):
            u, v = (k for k in range(3) if k != axis)
            for corner in np.ndindex(2, 2):
                start = np.zeros(3)
                start[[u, v]] = corner
                end = start.copy()
                end[axis] = 1
                self.line(start, end, **style)
            x, y, _ = self.place(np.eye(3)[axis] * (1 + 1.35 / np.linalg.norm(self.lattice[axis])))
            self.ax.text(
                x, y, "abc"[axis], style="italic", ha="center", va="center", color=SOFT, fontsize=11.5, zorder=40
            )

    def atoms(self, crystal: Crystal, scale: float = 1.0) -> None:
        """Draw balls for the sites in the cell and for their images on its faces."""
        for z, site in zip(crystal.numbers, np.mod(np.round(crystal.frac_coords, 6), 1), strict=True):
            for image in np.ndindex(*(2 if x < 0.01 else 1 for x in site)):
                self.ball(self.place(site + image), RADII[int(z)] * scale, COLORS[int(z)])

    def ball(self, at: np.ndarray, radius: float, color: str) -> None:
        """Draw a lit ball as circles that shrink towards the light."""
        base = np.array(to_rgb(color))
        for k, t in enumerate(np.linspace(0, 1, 14)):
            shade = base * (0.7 + 0.3 * min(1, 1.8 * t)) + (1 - base) * 0.7 * max(0, t - 0.3) ** 1.4
            centre = at[:2] + radius * t * np.array([-0.28, 0.32])
            self.ax.add_patch(
                Circle(
                    centre,
                    radius * (1 - 0.93 * t),
                    color=np.clip(shade, 0, 1),
                    lw=0,
                    zorder=10 + at[2] + radius + k / 1e3,
                )
            )

    def faces(self, patches: tuple[int, int, int], patch: int) -> None:
        """Rule the three faces that look at the viewer into patches and voxels; mark one patch."""
        for axis in range(3):
            for along, across in ((axis - 1, axis - 2), (axis - 2, axis - 1)):
                n = patches[along] * patch
                for k in range(n + 1):
                    start = np.zeros(3)
                    start[axis], start[along] = 1, k / n
                    end = start.copy()
                    end[across] = 1
                    whole = k % patch == 0
                    p, q = self.place(start), self.place(end)
                    style = {
                        "color": INK if whole else SOFT,
                        "lw": 1.1 if whole else 0.35,
                        "alpha": 0.75 if whole else 0.55,
                    }
                    self.ax.plot([p[0], q[0]], [p[1], q[1]], zorder=30, **style)
        low, high = 1 - 1 / np.array(patches), np.ones(3)
        for axis in range(3):
            u, v = (k for k in range(3) if k != axis)
            corners = np.tile(high, (4, 1))
            corners[[1, 2], u], corners[[2, 3], v] = low[u], low[v]
            self.ax.add_patch(
                Polygon(self.place(corners)[:, :2], color="#f2b705", alpha=(0.62, 0.5, 0.4)[axis], lw=0, zorder=29)
            )


def mix(density: np.ndarray) -> np.ndarray:
    """Colour of each voxel: every element takes its colour's complement out of white."""
    share = np.clip(density / density.max((0, 1, 2) if density.ndim == 4 else (0, 1)), 0, 1)
    return 1 - np.clip(
        sum(share[..., k, None] * (1 - np.array(to_rgb(c))) for k, c in enumerate(COLORS.values())), 0, 1
    )


def ruled(ax: Axes, image: np.ndarray, patch: int, label: str, **style: object) -> AxesImage:
    """Show a slice, first axis to the right, with the borders of patches and the cell."""
    nx, ny = image.shape[:2]
    shown = ax.imshow(image.swapaxes(0, 1), origin="lower", interpolation="nearest", **style)
    for k in range(patch, max(nx, ny), patch):
        if k < nx:
            ax.axvline(k - 0.5, color=SOFT, lw=0.7, alpha=0.7)
        if k < ny:
            ax.axhline(k - 0.5, color=SOFT, lw=0.7, alpha=0.7)
    ax.set(xticks=[], yticks=[], xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))
    ax.set_ylabel(label, color=SOFT, fontsize=10.5)
    return shown


def pins(ax: Axes, shown: Example, layer: int) -> None:
    """Draw the offsets of a slice: from each voxel near an atom to that atom, seen along c."""
    for start in np.argwhere(np.isfinite(shown.offset[:, :, layer, 0])):
        end = start + shown.offset[start[0], start[1], layer, :2]
        ax.plot(*zip(start, end, strict=True), color=INK, lw=0.8, alpha=0.75)
        ax.plot(*start, marker="o", ms=1.6, mew=0, color=INK, alpha=0.75)
        ax.plot(*end, marker="o", ms=3, mew=0, color=INK)


def arrow_patch(start: tuple[float, float], end: tuple[float, float], color: str, **style: object) -> FancyArrowPatch:
    """Make an arrow."""
    look = {"arrowstyle": "-|>", "mutation_scale": 15, "lw": 1.7, "shrinkA": 0, "shrinkB": 0, "color": color}
    return FancyArrowPatch(start, end, **(look | style))
