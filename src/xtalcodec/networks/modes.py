"""`linear`: no network at all. The largest modes of the density, and the atoms that must have made them.

The paper's density is a linear image of its atoms, so a few hundred of its Karhunen-Loève modes
(`representations/modes.py`) hold it almost entirely, and some dozen atoms have fewer unknowns than that: least
squares find them exactly. What a network compresses a window to has this to beat.
"""

from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.config import Count, Positive, settings
from xtalcodec.crystal import HEAVIEST
from xtalcodec.networks.base import Network, NetworkConfig
from xtalcodec.representations.modes import modes
from xtalcodec.representations.window_field import WindowConfig


@settings
class LinearConfig(NetworkConfig):
    """Which modes are kept."""

    species: ClassVar[int] = HEAVIEST  # type: ignore[misc] # the same for all
    kind: Literal["linear"] = "linear"
    latent: Count = 276
    """Latent numbers per crystal; with the 24 of lattice, origin, basis and grid they are the paper's 300."""
    spread: Positive = 2.5
    """Å: standard deviation along each axis of the atoms about the window's middle; infinite for a window on more."""


class Linear(Network):
    """Densities to the coefficients of modes and back; it has no weights."""

    def __init__(self, config: LinearConfig, window: WindowConfig) -> None:
        """Choose the modes."""
        super().__init__()
        self.config = config
        self.modes = modes(window, count=config.latent, spread=config.spread)
        self.scale = np.sqrt(self.modes.eigenvalue.ravel()[self.modes.order])

    def encode(self, density: Float[Tensor, "b n n n"]) -> Float[Tensor, "b latent"]:
        """Coefficients over the deviation that they would have for one atom of weight 1 per Å³, the largest first."""
        cubes = [self.modes.project(n) for n in density.double().cpu().numpy()]
        z = np.stack([cube.ravel()[self.modes.order] for cube in cubes]) / self.scale
        return torch.from_numpy(z).float().to(density.device)

    def coefficients(self, z: Float[Tensor, "b latent"]) -> Float[np.ndarray, "b k k k"]:
        """Latents → coefficients, as cubes of modes."""
        cubes = np.zeros((len(z), *self.modes.kept.shape))
        cubes.reshape(len(z), -1)[:, self.modes.order] = z.double().cpu().numpy() * self.scale
        return cubes

    def decode(self, z: Float[Tensor, "b latent"]) -> Float[Tensor, "b n n n"]:
        """Latents → densities, in the units of what was encoded."""
        fields = np.stack([self.modes.restore(cube) for cube in self.coefficients(z)])
        return torch.from_numpy(fields).float().to(z.device)
