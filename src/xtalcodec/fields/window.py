"""What `unit_cell` and `repeating` share: atoms in a cube, painted on points that include both faces.

The setting of Hoffmann et al. 2019 (arXiv 1909.00949): a cube of 10 Å, 30 points along an edge at
linspace(0, 10, 30), a Gaussian of width 1 Å per atom weighted by Z, and a map of the species
within a label radius of an atom.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from xtalcodec.fields.gaussian import REACH, open_profiles, outer_sum


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """A cube of points."""

    edge: float = 10.0
    """Å: length of the cube's edges."""
    points: int = 30
    """Points along an edge; the first and the last lie on faces."""
    sigma: float = 1.0
    """Å: width of an atom's Gaussian."""
    label_radius: float = 0.65
    """Å: points this near to an atom carry its species."""

    @property
    def spacing(self) -> float:
        """Å between two points."""
        return self.edge / (self.points - 1)

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
        return ((self.positions >= -margin) & (self.positions <= edge + margin)).all(1)


@dataclass(frozen=True, slots=True)
class Atoms:
    """Many views padded to the one with the most atoms, float32."""

    positions: Float[Tensor, "b atoms 3"]
    """Å, from the cube's corner; 0 where there is no atom."""
    numbers: Int[Tensor, "b atoms"]
    """Atomic numbers; 0 where there is no atom."""
    site: Int[Tensor, "b atoms"]
    """The site each atom is a copy of; −1 where there is no atom."""

    @classmethod
    def collate(cls, views: Sequence[View], device: str | torch.device = "cpu") -> "Atoms":
        """Pad views to one batch."""
        atoms = max(1, *(len(v.numbers) for v in views))
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


def axis(config: WindowConfig, device: torch.device | None = None) -> Float[Tensor, " points"]:
    """Where the points are along an edge, in Å: both faces included."""
    return torch.linspace(0, config.edge, config.points, device=device)


def paint(
    positions: Float[Tensor, "b atoms 3"], weights: Float[Tensor, "b atoms channels"], config: WindowConfig
) -> Float[Tensor, "b n n n channels"]:
    """Density n(r) = Σ w (2πσ²)^(−3/2) exp(−|r − r_i|²/2σ²), in e/Å³ for w = Z (arXiv 1909.00949, eq. 1).

    Differentiable in positions and weights, in their precision, on their device. Padding atoms weigh 0.
    """
    points = axis(config, positions.device).to(positions.dtype)
    x, y, z = (open_profiles(p, points, config.sigma) for p in positions.unbind(-1))
    return outer_sum((x, y, z), weights)


def density(atoms: Atoms, config: WindowConfig) -> Float[Tensor, "b n n n"]:
    """Density of views weighted by Z, all images summed."""
    return paint(atoms.positions, atoms.numbers[..., None].to(atoms.positions.dtype), config)[..., 0]


def density_nearest(atoms: Atoms, config: WindowConfig) -> Float[Tensor, "b n n n"]:
    """Density with only the nearest image of every site at each point, as the paper's code has it.

    It loses 1 to 17 % at the peaks of dense crystals; for parity only.
    """
    points = axis(config, atoms.positions.device).to(atoms.positions.dtype)
    result = atoms.positions.new_zeros(len(atoms), config.points, config.points, config.points)
    for k in range(len(atoms)):
        for s in range(int(atoms.site[k].max()) + 1):
            images = atoms.site[k] == s
            x, y, z = (open_profiles(p, points, config.sigma) for p in atoms.positions[k, images].unbind(-1))
            largest = (x[:, :, None, None] * y[:, None, :, None] * z[:, None, None, :]).amax(0)
            result[k] += atoms.numbers[k, images][0] * largest
    return result


def species_map(atoms: Atoms, config: WindowConfig, coin: torch.Generator | None = None) -> UInt8[Tensor, "b n n n"]:
    """Atomic number of the nearest atom within the label radius of each point, 0 where there is none.

    Parameters
    ----------
    coin: with it, a point within reach of several atoms takes any of them, as the paper's code does.
    """
    n, b = config.points, len(atoms)
    half = int(np.ceil(config.label_radius / config.spacing))
    around = torch.cartesian_prod(*[torch.arange(-half, half + 1, device=atoms.numbers.device)] * 3)
    which, atom = (atoms.numbers > 0).nonzero(as_tuple=True)
    position = atoms.positions[which, atom] / config.spacing
    point = position.round()[:, None].long() + around  # atoms m 3
    square = (position[:, None] - point).square().sum(-1) * config.spacing**2
    counts = (square <= config.label_radius**2) & ((point >= 0) & (point < n)).all(-1)
    flat = (((which[:, None] * n + point[..., 0]) * n + point[..., 1]) * n + point[..., 2])[counts]
    rank = square[counts] if coin is None else torch.rand(len(flat), generator=coin).to(flat.device)
    species = atoms.numbers[which, atom][:, None].expand(counts.shape)[counts]
    best = torch.full((b * n**3,), torch.inf, device=flat.device).to(rank.dtype).scatter_reduce(0, flat, rank, "amin")
    result = torch.zeros(b * n**3, dtype=torch.int64, device=flat.device)
    wins = rank <= best[flat]
    result = result.scatter_reduce(0, flat[wins], species[wins], "amax")  # two atoms just as near: the heavier
    return result.to(torch.uint8).view(b, n, n, n)
