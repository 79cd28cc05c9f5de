"""Densities of a window on other points, or of narrower atoms, as what is known of them allows.

A sum of Gaussians is smooth, so its values at a few points tell it everywhere: in the mean over atoms that may
be anywhere, the best linear guess of one field from the points of another is their covariance over that of the
points (Wiener's filter; for a field at other points, kriging). Covariances of Gaussians are products over the
axes, and so one small matrix acts along each axis. The window does not repeat, and nothing here takes it to.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.representations.window_field import WindowConfig

ROUNDING = 1e-9
"""Of a field's variance along one axis: what float32 makes of a painted one."""

DECODED = 1e-5
"""Of a field's variance along one axis, for one that a network decodes: its errors are no sums of Gaussians, and what
the finest details of such sums would tell between the points is not to be made of them."""


@lru_cache(maxsize=32)
def resampling(window: WindowConfig, points: int, noise: float = ROUNDING) -> Float[np.ndarray, "{points} n"]:
    """Matrix from a density on the window's points to the same density on others, along one axis.

    Parameters
    ----------
    window
        Its points and the width of an atom's Gaussian.
    points
        Along an edge; both faces are included.
    noise
        Variance of the given field's errors, over its own.
    """
    return _guess(window, replace(window, points=points).places, window.sigma, noise)


@lru_cache(maxsize=32)
def sharpening(window: WindowConfig, sigma: float, noise: float = 1e-3) -> Float[np.ndarray, "n n"]:
    """Matrix from a density to that of atoms whose Gaussians have another width, along one axis.

    Parameters
    ----------
    window
        Its points and the width of the given field.
    sigma
        Å: width of the Gaussians asked for.
    noise
        Variance of the given field's errors, over its own: they are not to be blown up.
    """
    return _guess(window, window.places, sigma, noise)


def _guess(
    window: WindowConfig, where: Float[np.ndarray, " m"], sigma: float, noise: float
) -> Float[np.ndarray, "m n"]:
    """Covariance of the wanted field with the given one, over that of the given one with itself."""
    points = window.places
    given = covariance(points, points, 2 * window.sigma**2)
    given[np.diag_indices(len(given))] += noise * given[0, 0]
    return np.linalg.solve(given, covariance(points, where, window.sigma**2 + sigma**2)).T


def covariance(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " m"], variance: float) -> Float[np.ndarray, "n m"]:
    """Covariance along one axis of two fields of the same atoms: the Gaussians of both, folded with each other.

    Parameters
    ----------
    x, y
        Å: points of the one field and of the other.
    variance
        Å²: of the Gaussians of the one, and of the other, added.
    """
    return np.exp(-((x[:, None] - y) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def exact(x: Tensor) -> torch.autocast:
    """Leave reduced precision, on the device of a tensor, for what is done in this context."""
    return torch.autocast(x.device.type, enabled=False)


def along_axes(matrix: Float[Tensor, "m n"], fields: Float[Tensor, "b n n n"]) -> Float[Tensor, "b m m m"]:
    """One matrix along every axis of fields, in full precision."""
    (m, n), b = matrix.shape, len(fields)
    with exact(fields):
        x = fields @ matrix.mT  # b n n m
        x = (matrix @ x.reshape(b * n, n, m)).reshape(b, n, m * m)
        return (matrix @ x).view(b, m, m, m)


def resampled(
    fields: Float[Tensor, "b n n n"], window: WindowConfig, points: int, noise: float = ROUNDING
) -> Float[Tensor, "b m m m"]:
    """Densities on the window's points → the same densities on `points` points along an edge, in double precision.

    Parameters
    ----------
    fields
        On the points of `window`.
    window
        Where the given points are.
    points
        Along an edge; both faces are included.
    noise
        Variance of the given fields' errors along one axis, over their own.
    """
    if points == window.points:
        return fields
    matrix = torch.from_numpy(resampling(window, points, noise)).to(fields.device)
    return along_axes(matrix, fields.double()).to(fields.dtype)
