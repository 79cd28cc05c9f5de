"""What stands beside the convolutions on both sides of the latent: linear codes, which have no weights."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from xtalcodec.networks.hoffmann.config import HoffmannConfig
from xtalcodec.networks.waves import Periodic
from xtalcodec.representations.interpolation import along_axes
from xtalcodec.representations.modes import modes
from xtalcodec.representations.waves import TYPICAL
from xtalcodec.representations.window_field import WindowConfig


def open_shortcut(config: HoffmannConfig, window: WindowConfig) -> "Modal | Periodic | None":
    """Make the linear code that the settings name, on the points of the window; None for none."""
    if config.compact.shortcut == "none":
        return None
    return Modal(config, window) if config.compact.shortcut == "modes" else Periodic(config.latent, window)


class Modal(nn.Module):
    """Densities to the coefficients of the window's modes and back."""

    vectors: Tensor
    scale: Tensor
    order: Tensor

    def __init__(self, config: HoffmannConfig, window: WindowConfig) -> None:
        super().__init__()
        basis = modes(window, count=config.latent, spread=config.compact.spread or math.inf)
        k = len(basis.kept)
        vectors, scale = np.zeros((window.points, k)), TYPICAL * np.sqrt(basis.eigenvalue.ravel()[basis.order])
        vectors[:, : basis.vectors.shape[1]] = basis.vectors
        self.shape = (k, k, k)
        self.register_buffer("vectors", torch.from_numpy(vectors).float(), persistent=False)
        self.register_buffer("scale", torch.from_numpy(scale).float(), persistent=False)
        self.register_buffer("order", torch.from_numpy(basis.order.copy()), persistent=False)

    def encode(
        self,
        density: Float[Tensor, "b n n n"],
        cell: Float[Tensor, "b 3 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "b latent"]:
        """Coefficients, over their typical size."""
        return along_axes(self.vectors.mT, density).flatten(1)[:, self.order] / self.scale

    def decode(
        self,
        z: Float[Tensor, "b latent"],
        cell: Float[Tensor, "b 3 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "b n n n"]:
        """Sum of the modes."""
        cube = z.new_zeros(len(z), math.prod(self.shape)).index_copy(1, self.order, z * self.scale)
        return along_axes(self.vectors, cube.view(len(z), *self.shape))
