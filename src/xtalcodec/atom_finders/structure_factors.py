"""Structure factors of a cell, and the point atoms that scatter so.

S(hkl) = Σ Z exp(−2πi (hx + ky + lz)) over the sites of a cell.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int
from torch import Tensor

from xtalcodec.representations.waves import TYPICAL, Waves


@dataclass(frozen=True, slots=True, eq=False)
class StructureFactors:
    """Some of a cell's, of ±(hkl) one; the first is that of 000."""

    cell: Float[np.ndarray, "3 3"]
    """Cell vectors, rows in Å."""
    indices: Int[np.ndarray, "k 3"]
    values: Complex[np.ndarray, " k"]
    """In electrons."""
    spread: Float[np.ndarray, " k"]
    """Standard deviation of the errors of their real and imaginary parts."""

    @classmethod
    def of(cls, waves: Waves, z: Float[Tensor, "b numbers"], noise: float) -> "list[StructureFactors]":
        """Structure factors of the densities that coefficients of waves stand for.

        Parameters
        ----------
        waves
            Of each crystal.
        z
            Coefficients.
        noise
            e/Å³: standard deviation of the density's error at a point.
        """
        a, b = (x.double().cpu().numpy() for x in waves.parts(z))
        points, size = waves.real.shape[2] ** 3, waves.size.double().cpu().numpy()
        result = []
        for row, cell in enumerate(waves.cells):
            k = int((size[row] > 0).sum())
            typical = TYPICAL * math.sqrt(abs(np.linalg.det(cell)) / 2)  # of the real part, and the imaginary one
            values = typical * (a[row, :k] + 1j * b[row, :k])
            values[0] *= 2  # the whole of what ±G share
            spread = typical * noise / (size[row, :k] * math.sqrt(2 * points))
            result.append(cls(cell, waves.indices[row, :k], values, spread))
        return result

    @property
    def volume(self) -> float:
        """Å³."""
        return abs(float(np.linalg.det(self.cell)))

    def metric(self, missing: float) -> Float[np.ndarray, " k"]:
        """1/variance of each, of sites not yet found and of errors."""
        return 1 / (missing * self.volume + self.spread**2)

    def left_by(self, sites: "Sites") -> Complex[np.ndarray, " k"]:
        """What sites do not explain."""
        return self.values - sites.waves(self.indices) @ sites.weights

    def misfit(self, sites: "Sites", metric: Float[np.ndarray, " k"]) -> float:
        """Mean of metric × |what is left|²."""
        return float((metric * np.abs(self.left_by(sites)) ** 2).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Point atoms in a cell."""

    places: Float[np.ndarray, "sites 3"]
    """Fractional coordinates."""
    weights: Float[np.ndarray, " sites"]
    """Electrons: the atomic number before it is rounded."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.weights)

    def waves(self, indices: Int[np.ndarray, "k 3"]) -> Complex[np.ndarray, "k sites"]:
        """What each scatters, for a weight of 1."""
        return np.exp(-2j * math.pi * (indices @ self.places.T))

    def join(self, other: "Sites") -> "Sites":
        """Return these sites and others."""
        return Sites(np.vstack([self.places, other.places]), np.concatenate([self.weights, other.weights]))


NOWHERE = Sites(np.zeros((0, 3)), np.zeros(0))
"""No site at all."""
