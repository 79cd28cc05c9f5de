"""What `unit_cell` and `repeating` share: atoms in a cube, painted on points that include both faces.

The setting of Hoffmann et al. 2019 (arXiv 1909.00949): a cube of 10 Å, 30 points along an edge at
linspace(0, 10, 30), a Gaussian of width 1 Å per atom weighted by Z, and a map of the species
within a label radius of an atom.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field
from torch import Tensor

from xtalcodec.config import NotNegative, Positive, settings
from xtalcodec.representations.gaussian import REACH, open_profiles, outer_sum


@settings
class WindowConfig:
    """A cube of points."""

    edge: Positive = 10.0
    """Å: length of the cube's edges."""
    points: Annotated[int, Field(ge=2)] = 30
    """Points along an edge; the first and the last lie on faces."""
    sigma: Positive = 1.0
    """Å: width of an atom's Gaussian."""
    label_radius: NotNegative = 0.65
    """Å: points this near to an atom carry its species."""

    @property
    def spacing(self) -> float:
        """Å between two points."""
        return self.edge / (self.points - 1)

    @property
    def places(self) -> Float[np.ndarray, " points"]:
        """Where the points are along an edge, in Å, in double precision: both faces included (`axis` for tensors)."""
        return np.linspace(0, self.edge, self.points)

    @property
    def peak(self) -> float:
        """Å⁻³: the height of a Gaussian whose integral is 1."""
        return (2 * math.pi * self.sigma**2) ** -1.5

    @property
    def reach(self) -> float:
        """Å: how far outside of the cube an atom still shows in it."""
        return REACH * self.sigma


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A crystal as a cube sees it: the atoms whose Gaussians reach in."""

    positions: Float[np.ndarray, "atoms 3"]
    """Å, from the cube's corner. An atom of site s is at (frac_coords[s] + n) @ lattice + offset, n whole."""
    numbers: Int[np.ndarray, " atoms"]
    """Atomic numbers Z."""
    site: Int[np.ndarray, " atoms"]
    """The site of the crystal that each atom is a copy of."""
    lattice: Float[np.ndarray, "3 3"]
    """Rows are the crystal's cell vectors in the cube's frame, in Å."""
    offset: Float[np.ndarray, "3"]
    """Å: where the crystal's origin is in the cube."""
    rotation: Float[np.ndarray, "3 3"]
    """From the crystal's frame to the cube's: column vectors x' = R x, so lattice = given @ R.T."""

    def inside(self, edge: float, margin: float = 0.0) -> Bool[np.ndarray, " atoms"]:
        """Atoms within the cube, or within one that is wider by `margin` Å on every side."""
        return np.all((self.positions >= -margin) & (self.positions <= edge + margin), axis=1)


@dataclass(frozen=True, slots=True)
class ViewBatch:
    """Many views padded to the one with the most atoms, float32."""

    positions: Float[Tensor, "b atoms 3"]
    """Å, from the cube's corner; 0 where there is no atom."""
    numbers: Int[Tensor, "b atoms"]
    """Atomic numbers; 0 where there is no atom."""
    site: Int[Tensor, "b atoms"]
    """The site each atom is a copy of; −1 where there is no atom."""

    @classmethod
    def collate(cls, views: Sequence[View], device: str | torch.device = "cpu") -> "ViewBatch":
        """Pad views to one batch."""
        atoms = max([1, *(len(v.numbers) for v in views)])
        positions = np.zeros((len(views), atoms, 3), dtype=np.float32)
        numbers = np.zeros((len(views), atoms), dtype=np.int64)
        site = np.full((len(views), atoms), -1, dtype=np.int64)
        for k, view in enumerate(views):
            n = len(view.numbers)
            positions[k, :n], numbers[k, :n], site[k, :n] = view.positions, view.numbers, view.site
        return cls(*(torch.from_numpy(x).to(device) for x in (positions, numbers, site)))

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class PaintedBatch:
    """Views as they are painted."""

    density: Float[Tensor, "b n n n"]
    """e/Å³."""
    species_map: UInt8[Tensor, "b n n n"]
    """Atomic numbers; 0 where there is no atom."""
    cell: Float[Tensor, "b 3 3"]
    """Cell vectors of the crystals in the window, rows in Å."""

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.density)

    def to(self, device: str | torch.device) -> "PaintedBatch":
        """Return the batch on another device."""
        return PaintedBatch(self.density.to(device), self.species_map.to(device), self.cell.to(device))


def axis(
    config: WindowConfig, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Float[Tensor, " points"]:
    """Where the points are along an edge, in Å: both faces included.

    Parameters
    ----------
    config
        The cube of points.
    device, dtype
        Of the tensor.
    """
    return torch.linspace(0, config.edge, config.points, device=device, dtype=dtype)


def paint(
    positions: Float[Tensor, "b atoms 3"], weights: Float[Tensor, "b atoms channels"], config: WindowConfig
) -> Float[Tensor, "b n n n channels"]:
    """Density n(r) = Σ w (2πσ²)^(−3/2) exp(−|r − r_i|²/2σ²), in e/Å³ for w = Z (arXiv 1909.00949, eq. 1).

    Differentiable in positions and weights, in their precision, on their device. Padding atoms weigh 0.

    Parameters
    ----------
    positions
        Å from the cube's corner.
    weights
        Of each atom, one number a channel; 0 where there is no atom.
    config
        The cube of points.
    """
    if _by_columns(positions):
        return torch.stack([_paint_columns(p, w, config) for p, w in zip(positions, weights, strict=True)])
    return _paint_whole(positions, weights, config)


def _by_columns(positions: Float[Tensor, "b atoms 3"]) -> bool:
    """Whether `_paint_columns` can do it: it reads the bits of single precision, and has no gradient."""
    return positions.device.type == "cpu" and positions.dtype == torch.float32 and not positions.requires_grad


def _paint_whole(
    positions: Float[Tensor, "b atoms 3"], weights: Float[Tensor, "b atoms channels"], config: WindowConfig
) -> Float[Tensor, "b n n n channels"]:
    """Paint all views at once."""
    points = axis(config, positions.device, positions.dtype)
    x, y, z = open_profiles(positions.mT, points, config.sigma).mT.unbind(1)  # b atoms n
    return outer_sum((x, y, z), weights * config.peak)


def _paint_columns(
    positions: Float[Tensor, "atoms 3"], weights: Float[Tensor, "atoms channels"], config: WindowConfig
) -> Float[Tensor, "n n n channels"]:
    """Paint one view, the atoms above one another together: cells are written with c along z, so there are many.

    Atoms are one column if their x and y are the same to the last bit; both are read as one whole number.
    """
    n, channels = config.points, weights.shape[1]
    pairs = positions[:, :2].clone(memory_format=torch.contiguous_format).view(torch.int64)[:, 0]
    pairs, column = pairs.unique(return_inverse=True)
    x_and_y = pairs[:, None].view(torch.float32).mT.contiguous()
    points = axis(config)
    x, y = open_profiles(x_and_y, points, config.sigma)  # n columns
    z = open_profiles(positions[:, 2].contiguous(), points, config.sigma).mT  # atoms n
    atoms = (z[:, :, None] * (weights * config.peak)[:, None]).flatten(1)  # atoms n·channels
    columns = atoms.new_zeros(len(pairs), n * channels).index_add(0, column, atoms)
    plane = (x[:, None] * y).flatten(0, 1)  # n² columns
    return (columns.mT.contiguous() @ plane.mT).mT.view(n, n, n, channels)


def density(atoms: ViewBatch, config: WindowConfig) -> Float[Tensor, "b n n n"]:
    """Density of views weighted by Z, all images summed.

    On a CPU each view by itself and without padding, so that it is the same to the last bit in every batch.
    """
    weights = atoms.numbers[..., None].to(atoms.positions.dtype)
    if atoms.numbers.device.type != "cpu":
        return paint(atoms.positions, weights, config)[..., 0]
    fields = atoms.positions.new_empty(len(atoms), *[config.points] * 3)
    by_columns = _by_columns(atoms.positions)
    for field, p, w, m in zip(fields, atoms.positions, weights, (atoms.numbers > 0).sum(1).tolist(), strict=True):
        if by_columns:
            field.copy_(_paint_columns(p[:m], w[:m], config)[..., 0])
        else:
            field.copy_(_paint_whole(p[None, :m], w[None, :m], config)[0, ..., 0])
    return fields


def density_nearest(atoms: ViewBatch, config: WindowConfig) -> Float[Tensor, "b n n n"]:
    """Density with only the nearest image of every site at each point, as the paper's code has it.

    It loses 1 to 17 % at the peaks of dense crystals; for parity only.
    """
    points = axis(config, atoms.positions.device, atoms.positions.dtype)
    result = atoms.positions.new_zeros(len(atoms), config.points, config.points, config.points)
    for k in range(len(atoms)):
        for s in atoms.site[k].unique().tolist():
            images = (atoms.site[k] == s) & (atoms.numbers[k] > 0)
            x, y, z = open_profiles(atoms.positions[k, images].mT.contiguous(), points, config.sigma)
            if x.numel():
                plane = y[:, None] * z
                weight = atoms.numbers[k, images][0] * config.peak
                result[k] += weight * torch.stack([(plane * across).amax(-1) for across in x])
    return result


def species_map(
    atoms: ViewBatch, config: WindowConfig, coin: torch.Generator | None = None
) -> UInt8[Tensor, "b n n n"]:
    """Atomic number of the nearest atom within the label radius of each point, 0 where there is none.

    Of two atoms just as near the heavier one counts.

    Parameters
    ----------
    atoms
        Views, positions in Å from the cube's corner.
    config
        The cube's points and the label radius in Å.
    coin
        With it, a point within reach of several atoms takes any of them, as the paper's code does.
    """
    n, b, radius = config.points, len(atoms), config.label_radius
    points = axis(config, atoms.positions.device, atoms.positions.dtype)
    shows = ((atoms.positions >= -radius) & (atoms.positions <= config.edge + radius)).all(-1) & (atoms.numbers > 0)
    which, atom = shows.nonzero(as_tuple=True)
    position = atoms.positions[which, atom]
    half = int(radius / config.spacing + 0.5)
    step = (position / config.spacing).round().long()[..., None] + torch.arange(-half, half + 1, device=points.device)
    off = (position[..., None] - points[step.clamp(0, n - 1)]).square()  # atoms 3 m
    x, y, z = off.masked_fill((step < 0) | (step >= n), torch.inf).unbind(1)
    square = x[:, :, None, None] + y[:, None, :, None] + z[:, None, None, :]
    near, i, j, k = (square <= radius**2).nonzero(as_tuple=True)
    flat = ((which[near] * n + step[near, 0, i]) * n + step[near, 1, j]) * n + step[near, 2, k]
    rank = square[near, i, j, k] if coin is None else torch.rand(len(flat), generator=coin).to(flat.device)
    best = rank.new_full((b * n**3,), torch.inf).scatter_reduce(0, flat, rank, "amin")
    wins = rank <= best[flat]
    species = atoms.numbers[which, atom][near[wins]].to(torch.uint8)
    result = torch.zeros(b * n**3, dtype=torch.uint8, device=flat.device)
    return result.scatter_reduce(0, flat[wins], species, "amax").view(b, n, n, n)
