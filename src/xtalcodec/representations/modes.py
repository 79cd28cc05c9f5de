"""The modes of a window: what its points can say of atoms anywhere, best said first.

The covariance between the densities at two points, over single Gaussian atoms spread evenly over space,
is a Gaussian of variance 2σ² in their distance, a product over the axes. Its eigenvectors, products of
those of one axis, are the Karhunen-Loève modes of the field (Loève, Probability Theory, 1978, §37): the
best linear code of any length, and their eigenvalues say how strongly atoms show in each. Where atoms
gather around the middle, as those of one cell do, a Gaussian in the middle of the two points comes to it.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from xtalcodec.representations.interpolation import covariance
from xtalcodec.representations.window_field import WindowConfig


@dataclass(frozen=True, eq=False)
class Modes:
    """Some of the modes of a window; coefficients are cubes with one index per axis, 0 where a mode is not kept."""

    config: WindowConfig
    vectors: Float[np.ndarray, "points k"]
    """Orthonormal eigenvectors along one axis."""
    eigenvalue: Float[np.ndarray, "k k k"]
    """Variance of each coefficient, in Å⁻³: for one atom of weight 1 per Å³ (in the middle), at random."""
    kept: Bool[np.ndarray, "k k k"]
    """The modes in use."""

    @cached_property
    def order(self) -> Int[np.ndarray, " modes"]:
        """Flat indices of the modes in use, the largest eigenvalue first; equal ones in C order."""
        flat = np.flatnonzero(self.kept)
        return flat[np.argsort(-_rounded_log(self.eigenvalue.ravel()[flat]), kind="stable")]

    def __len__(self) -> int:
        """Return the number of modes in use."""
        return int(self.kept.sum())

    def project(self, density: Float[np.ndarray, "points points points"]) -> Float[np.ndarray, "k k k"]:
        """Coefficients of a density."""
        return apply(self.vectors.T, density) * self.kept

    def restore(self, coefficients: Float[np.ndarray, "k k k"]) -> Float[np.ndarray, "points points points"]:
        """Return the density that has these coefficients."""
        return apply(self.vectors, coefficients * self.kept)

    def profiles(self, x: Float[np.ndarray, " atoms"]) -> tuple[Float[np.ndarray, "atoms k"], ...]:
        """One axis of Gaussian atoms at x (Å) in modes, and its derivative with x, in Å⁻¹ and Å⁻²."""
        sigma = self.config.sigma
        distance = self.config.places - x[:, None]
        value = np.exp(-0.5 * (distance / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma)
        return value @ self.vectors, (value * distance / sigma**2) @ self.vectors


def apply(matrix: Float[np.ndarray, "n m"], cube: Float[np.ndarray, "m m m"]) -> Float[np.ndarray, "n n n"]:
    """One matrix along every axis of a cube."""
    n, m = matrix.shape
    first = (matrix @ cube.reshape(m, -1)).reshape(n, m, m)
    return np.matmul(matrix, first) @ matrix.T


@lru_cache(maxsize=32)
def modes(
    config: WindowConfig,
    *,
    above: float = 1e-13,
    count: int | None = None,
    per_axis: int | None = None,
    spread: float = np.inf,
) -> Modes:
    """Modes of a window: the `count` largest, or the `per_axis`³ of the largest along each axis, or all `above`.

    Parameters
    ----------
    config
        The cube, its points and the width of an atom's Gaussian.
    above
        Least eigenvalue in Å⁻³, where neither `count` nor `per_axis` is given; what float32 rounds a density to lies
        around 1e-13 (e/Å³)².
    count
        Number of modes to keep, those of the largest eigenvalues; not used where `per_axis` is given.
    per_axis
        Keep the products of this many modes of each axis, those of the largest eigenvalues.
    spread
        Å; atoms lie around the window's middle with this standard deviation along each axis. Then the product of two
        Gaussians of points x and x', averaged over atoms, is that of atoms everywhere times a Gaussian of variance
        spread² + σ²/2 in (x + x')/2.
    """
    x = config.places
    width = 2 * config.sigma**2
    matrix = covariance(x, x, width)
    matrix *= np.exp(-(((x[:, None] + x - config.edge) / 2) ** 2) / (2 * (spread**2 + width / 4)))
    value, vector = np.linalg.eigh(matrix)
    value, vector = np.maximum(value[::-1], 1e-30), vector[:, ::-1]
    product = value[:, None, None] * value[:, None] * value
    kept = np.zeros(product.shape, dtype=bool)
    if per_axis is not None:
        kept[:per_axis, :per_axis, :per_axis] = True
    elif count is not None:
        kept.ravel()[np.argsort(-_rounded_log(product.ravel()), kind="stable")[:count]] = True
    else:
        kept = product > above
    k = int(np.argwhere(kept).max()) + 1
    return Modes(config, np.ascontiguousarray(vector[:, :k]), product[:k, :k, :k].copy(), kept[:k, :k, :k].copy())


def _rounded_log(value: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Logarithms in which modes that differ by the order of their axes alone are equal, whatever the rounding."""
    return np.round(np.log(value), 6)
