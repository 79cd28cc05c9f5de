"""`repeating`: a cube of the infinite crystal, at its origin or anywhere, along its axes or rotated."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.representations.density import View, WindowConfig


@dataclass(frozen=True, slots=True)
class RepeatingConfig:
    """How the cube looks onto the crystal."""

    window: WindowConfig = field(default_factory=WindowConfig)
    rotate: bool = False
    """Whether every view is rotated, uniformly over SO(3)."""
    shortest: float = 10.0
    """Å: a crystal whose shortest cell edge is not below it does not fit (the paper's rule)."""


class Repeating:
    """A cube on the infinite crystal."""

    def __init__(self, config: RepeatingConfig) -> None:
        """Keep the settings."""
        self.config = config
        self.window = config.window

    def view(self, crystal: Crystal, rng: np.random.Generator, *, first: bool = False) -> View:
        """Look at the crystal from a random place, or with its origin at the cube's corner where it is the `first`.

        Raises
        ------
        CrystalError
            A crystal whose shortest cell edge is too long: the window is smaller than the cell.
        """
        shortest = float(np.linalg.norm(crystal.lattice, axis=1).min())
        if shortest >= self.config.shortest:
            raise CrystalError(
                f"its cell does not fit: the shortest edge is {shortest:.2f} Å, the limit is {self.config.shortest:g} Å"
            )
        shift = rng.random(3) * (not first)
        rotation = Rotation.random(random_state=rng).as_matrix() if self.config.rotate else np.eye(3)
        lattice = crystal.lattice @ rotation.T
        return seen(crystal, lattice, -shift @ lattice, rotation, self.window)


def seen(
    crystal: Crystal,
    lattice: Float[np.ndarray, "3 3"],
    offset: Float[np.ndarray, "3"],
    rotation: Float[np.ndarray, "3 3"],
    window: WindowConfig,
) -> View:
    """Every atom of the infinite crystal that shows in the cube."""
    frac = crystal.frac_coords - np.floor(crystal.frac_coords)
    half, inverse = window.edge / 2, np.linalg.inv(lattice)
    # Fractional coordinates of the cube's middle, and how far from it the cube grown by a ball goes along each.
    middle = (half - offset) @ inverse
    extent = half * abs(inverse).sum(0) + window.reach * np.sqrt((inverse**2).sum(0))
    low, high = np.floor(middle - extent), np.floor(middle + extent)
    cells = np.indices((high - low + 1).astype(int)).reshape(3, -1) + low[:, None]
    corners = lattice.T @ cells + offset[:, None]
    positions = (corners[:, None] + (frac @ lattice).T[:, :, None]).reshape(3, -1)  # site by site
    x, y, z = np.maximum(abs(positions - half) - half, 0)  # how far outside
    shows = np.flatnonzero(x * x + y * y + z * z <= window.reach**2)
    site = shows // cells.shape[1]
    return View(positions.T.take(shows, axis=0), crystal.numbers[site], site, lattice, offset, rotation)
