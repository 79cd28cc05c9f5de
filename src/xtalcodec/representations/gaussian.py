"""The one voxeliser: sums of Gaussians on a grid as products of three one-dimensional profiles.

A Gaussian is separable, exp(−|r|²/2σ²) = exp(−x²/2σ²) exp(−y²/2σ²) exp(−z²/2σ²), so a
grid of G³ voxels costs a matrix product of two small profiles, not a loop over voxels and atoms.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

REACH = 5.7
"""In units of σ: beyond it a Gaussian is under 1e-7 of its peak, the rounding of float32."""


def torus_points(n: int, device: torch.device | None = None) -> Float[Tensor, " n"]:
    """Sample i sits at i/n; the point at 1 is the next cell's first."""
    return torch.arange(n, device=device) / n


def torus_profiles(x: Float[Tensor, "*atoms"], n: int, sigma: float) -> Float[Tensor, "*atoms {n}"]:
    """One axis of the Gaussians of atoms on a torus, all periodic images summed.

    Parameters
    ----------
    x
        Fractional coordinates along the axis, any real number.
    n
        Samples along the axis.
    sigma
        Width in samples.

    Returns
    -------
    Profiles that sum to 1 over the samples, to 1e-6 for sigma ≥ 0.86 (Poisson summation:
    the error is 2 exp(−2π²σ²)).
    """
    distance = x[..., None] - torus_points(n, x.device)
    distance = (distance - distance.round()) * n
    images = math.ceil(max(0.0, REACH * sigma - n / 2) / n)
    total = torch.zeros_like(distance)
    for k in range(-images, images + 1):
        total = total + torch.exp(-0.5 * ((distance + k * n) / sigma) ** 2)
    return total / (math.sqrt(2 * math.pi) * sigma)


def torus_field(
    frac_coords: Float[Tensor, "b atoms 3"],
    weights: Float[Tensor, "b atoms channels"],
    grid: tuple[int, int, int],
    sigma: float,
) -> Float[Tensor, "b nx ny nz channels"]:
    """Density on a torus: one normalised Gaussian per atom times its weights; its sum over voxels is theirs.

    Parameters
    ----------
    frac_coords
        Fractions of the axes, any real numbers; moving every atom by one voxel rolls the field.
    weights
        0 where there is no atom.
    grid
        Voxels along the axes.
    sigma
        Width in voxels.
    """
    x, y, z = (torus_profiles(x, n, sigma) for x, n in zip(frac_coords.unbind(-1), grid, strict=True))
    return outer_sum((x, y, z), weights)


def open_profiles(
    x: Float[Tensor, "*b atoms"], points: Float[Tensor, " n"], sigma: float
) -> Float[Tensor, "*b n atoms"]:
    """One axis of the Gaussians of atoms in open space, 1 at their centres: exp(−(points − x)²/2σ²).

    Parameters
    ----------
    x
        Coordinates of the atoms along the axis, Å.
    points
        Samples along the axis, Å.
    sigma
        Width, Å.
    """
    exponent = (points[:, None] - x[..., None, :]).square() * (-0.5 / sigma**2)
    return torch.exp(exponent.clamp_min(-40))  # 4e-18: what is smaller multiplies to denormal numbers, which are slow


def outer_sum(
    profiles: tuple[Float[Tensor, "b atoms nx"], Float[Tensor, "b atoms ny"], Float[Tensor, "b atoms nz"]],
    weights: Float[Tensor, "b atoms channels"],
) -> Float[Tensor, "b nx ny nz channels"]:
    """Σ over atoms of weight × profile_x ⊗ profile_y ⊗ profile_z, as one batched matrix product."""
    px, py, pz = profiles
    b, atoms, nx = px.shape
    ny, nz, channels = py.shape[2], pz.shape[2], weights.shape[2]
    plane = (px[..., :, None] * py[..., None, :]).view(b, atoms, nx * ny)
    column = (pz[..., :, None] * weights[..., None, :]).view(b, atoms, nz * channels)
    return torch.bmm(plane.transpose(1, 2), column).view(b, nx, ny, nz, channels)
