"""The density of a lattice in a window as plane waves: its structure factors, the longest waves first.

What repeats holds the waves of its reciprocal lattice and no others: n(r) = Σ F(G) exp(iG·r), with
F(G) = exp(−σ²G²/2) / V · Σ Z exp(−iG·r_j) over the sites of a cell (International Tables for Crystallography B,
1.2.3 and 1.2.5). Gaussians leave so little of short waves that a few hundred numbers tell a window on most cells
exactly, of however many atoms. Coefficients here are structure factors over their typical size, √(V/2 · ⟨ΣZ²/V⟩), so
that all have a variance near 1; those of a density come by least squares, for a window need not hold whole cells.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from xtalcodec.representations.window_field import WindowConfig

SHORTEST = 3.9
"""1/σ: of larger G a Gaussian leaves less than 1/2000."""

TYPICAL = 6.0
"""Electrons/Å^1.5: root of the mean of Σ Z² per Å³ in crystals."""

NOISE = 1e-4
"""e/Å³: what least squares take the error of a density for."""

SAME = 1e-4
"""1/Å: what differs less is equal where waves are ordered."""


@dataclass(frozen=True, slots=True)
class Waves:
    """Plane waves of the reciprocal lattices of some crystals, at the points of a window; of ±G one.

    The first has G = 0. What a crystal lacks in waves, its cell being small, has a size of 0.
    """

    real: Float[Tensor, "b 3 n k"]
    """cos(G x) at the points of each axis."""
    imaginary: Float[Tensor, "b 3 n k"]
    """sin(G x)."""
    size: Float[Tensor, "b k"]
    """Typical size of F(G), in e/Å³."""
    indices: Int[np.ndarray, "b k 3"]
    """Miller indices hkl."""
    cells: Float[np.ndarray, "b 3 3"]
    """Cell vectors, rows in Å."""

    @classmethod
    def of(cls, cells: Float[Tensor, "b 3 3"], window: WindowConfig, numbers: int) -> "Waves":
        """Choose the longest waves of each lattice, as many as so many numbers tell.

        Parameters
        ----------
        cells
            Cell vectors in the window's frame, rows in Å.
        window
            Its points, and the width of an atom's Gaussian.
        numbers
            Of a code: one for G = 0, two for each further wave.
        """
        most, exact = (numbers + 1) // 2, cells.detach().double().cpu().numpy()
        chosen = [_longest(cell, window.sigma, most) for cell in exact]
        indices = np.stack([np.pad(own, ((0, most - len(own)), (0, 0))) for own in chosen])
        there = np.arange(most) < np.array([[len(own)] for own in chosen])
        g = 2 * math.pi * indices @ np.linalg.inv(exact).mT
        phase = g.mT[:, :, None] * window.places[:, None]  # b 3 n k
        volume = np.abs(np.linalg.det(exact))[:, None]
        size = there * TYPICAL * np.exp(-0.5 * ((window.sigma * g) ** 2).sum(-1)) / np.sqrt(2 * volume)
        real, imaginary, sizes = (
            torch.from_numpy(x).float().to(cells.device) for x in (np.cos(phase), np.sin(phase), size)
        )
        return cls(real, imaginary, sizes, indices, exact)

    def restore(self, z: Float[Tensor, "b numbers"]) -> Float[Tensor, "b n n n"]:
        """Density in e/Å³ of coefficients; differentiable in them."""
        a, b = self.parts(z)
        (cx, cy, cz), (sx, sy, sz) = self.real.unbind(1), self.imaginary.unbind(1)  # b n k
        a, b = (2 * self.size * a)[:, None], (2 * self.size * b)[:, None]
        along = torch.cat([a * cx - b * sx, -(a * sx + b * cx)], -1)  # b n 2k
        real, imaginary = _plane(cy, sy, cz, sz)
        n = cx.shape[1]
        return (along @ torch.cat([real, imaginary], -1).mT).view(-1, n, n, n)

    @torch.no_grad()
    def project(self, density: Float[Tensor, "b n n n"], numbers: int) -> Float[Tensor, "b numbers"]:
        """Coefficients of densities in e/Å³: least squares, each weighed against a variance of 1."""
        (cx, cy, cz), (sx, sy, sz) = self.real.unbind(1), self.imaginary.unbind(1)
        n, most = cx.shape[1:]
        real, imaginary = _plane(cy, sy, cz, sz)
        flat = density.view(-1, n, n * n)
        real, imaginary = flat @ real, flat @ imaginary  # b n k
        cosine, sine = (cx * real - sx * imaginary).sum(1), (sx * real + cx * imaginary).sum(1)
        z = density.new_zeros(len(density), numbers)
        for row, k in enumerate((self.size > 0).sum(1).tolist()):  # a small cell has few
            seen = 2 * self.size[row, :k] * torch.stack([cosine[row, :k], -sine[row, :k]])
            overlap = self._overlap(row, k)
            overlap.diagonal().add_(NOISE**2)
            found = torch.cholesky_solve(seen.double().view(-1, 1), torch.linalg.cholesky(overlap)).view(2, k).float()
            z[row, :k], z[row, most : most + k - 1] = found[0], found[1, 1:]
        return z

    def parts(self, z: Float[Tensor, "b numbers"]) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k"]]:
        """Real and imaginary parts; that of G = 0 is real, and has half the size since it has no other of −G."""
        k = self.size.shape[1]
        return z[:, :k], torch.cat([torch.zeros_like(z[:, :1]), z[:, k : 2 * k - 1]], -1)

    def _overlap(self, row: int, k: int) -> Float[Tensor, "k2 k2"]:
        """Sums over the window's points of products of the first k waves of a crystal: axes multiply."""
        waves = torch.complex(self.real[row, ..., :k].double(), self.imaginary[row, ..., :k].double())
        apart, together = (waves.mH @ waves).prod(0), (waves.mT @ waves).prod(0)  # of G' − G, of G' + G
        cosines, sines = (together + apart).real, (apart - together).real
        mixed = -(together + apart).imag  # of cos(G r) and −sin(G' r)
        rows = torch.cat([torch.cat([cosines, mixed], 1), torch.cat([mixed.mT, sines], 1)])
        size = self.size[row, :k].double().repeat(2)
        return 2 * size[:, None] * size * rows


def _plane(
    cy: Float[Tensor, "b n k"], sy: Float[Tensor, "b n k"], cz: Float[Tensor, "b n k"], sz: Float[Tensor, "b n k"]
) -> tuple[Float[Tensor, "b nn k"], Float[Tensor, "b nn k"]]:
    """Real and imaginary part of waves on a plane, from those along its axes."""
    cy, sy, cz, sz = cy[:, :, None], sy[:, :, None], cz[:, None], sz[:, None]
    return (cy * cz - sy * sz).flatten(1, 2), (cy * sz + sy * cz).flatten(1, 2)


def _longest(cell: Float[np.ndarray, "3 3"], sigma: float, most: int) -> Int[np.ndarray, "k 3"]:
    """Indices of G = 0 and of the shortest other G, of ±G the one whose first component that is not 0 is positive.

    Of equal lengths, as symmetry makes them, that with the smallest components comes first: the order is one of the
    lattice in its window, whichever cell it is told by.

    Parameters
    ----------
    cell
        Cell vectors, rows in Å.
    sigma
        Å: width of an atom's Gaussian.
    most
        At most so many.
    """
    reciprocal, longest = 2 * math.pi * np.linalg.inv(cell).T, SHORTEST / sigma
    reach = np.ceil(longest * np.linalg.norm(cell, axis=1) / (2 * math.pi)).astype(int)
    indices = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1).reshape(-1, 3)
    g = indices @ reciprocal
    length = np.linalg.norm(g, axis=1)
    sign = np.where(np.abs(g) > SAME, np.sign(g), 0)
    ahead = sign @ (4, 2, 1) >= 0  # the first sign that is not 0 decides
    inside = ahead & (length <= longest)
    g, length, indices = g[inside], length[inside], indices[inside]
    order = np.lexsort([*(_ranks(x) for x in g.T[::-1]), _ranks(length)])
    return indices[order[:most]]


def _ranks(values: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Ranks, the same for those that differ by rounding."""
    order = np.argsort(values)
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.cumsum(np.diff(values[order], prepend=values[order[0]]) > SAME)
    return ranks
