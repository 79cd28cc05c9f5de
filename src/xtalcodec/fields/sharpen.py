"""The field of a cube as it would be with narrower Gaussians: a linear map, one small matrix an axis.

The samples of Σ w·g(σ) determine Σ w·g(s), s < σ, as far as rounding lets them. With atoms anywhere
as the prior, it is a Gaussian process (Rasmussen & Williams 2006, eq. 2.25): along an axis, samples at
distance x covary as a Gaussian of variance 2σ², samples and the sharp field as one of variance σ² + s².
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xtalcodec.fields.window import WindowConfig, axis


class Sharpen(nn.Module):
    """Estimate the field with Gaussians of width `sharp` at other points of the cube's frame."""

    modes: Float[Tensor, "points modes"]
    spread: Float[Tensor, "modes out"]
    gain: Float[Tensor, "modes modes modes"]

    def __init__(self, window: WindowConfig, to: Float[Tensor, " out"], sharp: float, noise: float) -> None:
        """Make the matrices.

        Parameters
        ----------
        to: Å along an axis, where the sharp field is wanted.
        sharp: Å, its Gaussians' width.
        noise: standard deviation of what is uncertain in the samples, relative to the largest mode's.
        """
        super().__init__()
        x = axis(window).double()
        value, modes = torch.linalg.eigh(_gaussian(x[:, None] - x, 2 * window.sigma**2))
        value, modes = value.clamp_min(0), modes.flip(1)
        value = value.flip(0)
        keep = value > noise**2 * value[0]
        value, modes = value[keep], modes[:, keep]
        product = value[:, None, None] * value[:, None] * value
        across = _gaussian(x[:, None] - to.double(), window.sigma**2 + sharp**2)
        self.register_buffer("modes", (modes * value.rsqrt()).float(), persistent=False)
        self.register_buffer("spread", (modes * value.rsqrt()).T.mul(1).matmul(across).float(), persistent=False)
        # In modes of unit variance the estimate keeps v/(v + noise²) of each: 1 where it is known.
        self.register_buffer("gain", (product / (product + noise**2 * product[0, 0, 0])).float(), persistent=False)

    def forward(self, field: Float[Tensor, "b n n n c"]) -> Float[Tensor, "b out out out c"]:
        """Samples → modes of unit variance → what is known of them → the sharp field."""
        x = torch.einsum("bxyzc,xi,yj,zk->bijkc", field, self.modes, self.modes, self.modes)
        return torch.einsum("bijkc,ix,jy,kz->bxyzc", x * self.gain[..., None], self.spread, self.spread, self.spread)


def _gaussian(distance: Float[Tensor, "*n"], variance: float) -> Float[Tensor, "*n"]:
    """A normalised Gaussian."""
    return torch.exp(-0.5 * distance**2 / variance) / math.sqrt(2 * math.pi * variance)
