"""The density of a crystal on a grid of its own cell, for pictures."""

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import HEAVIEST, Crystal

WIDTH = 0.5
"""Å: σ of the Gaussian that an atom's electrons are spread by; wider ones melt atoms into each other."""
SPACING, MOST = 0.25, 40
"""Å between points, and most points along an axis."""


def cell_density(crystal: Crystal) -> Float[np.ndarray, "nx ny nz"]:
    """Electrons per Å³ of atoms that are Gaussians of Z electrons, all images included; point i sits at i/n.

    A Gaussian's Fourier coefficients are known: n(G) = Σ Z exp(−2πi h·x − σ²G²/2) / V, with G = 2π h L⁻ᵀ.
    """
    lengths = np.linalg.norm(crystal.lattice, axis=1)
    size = [int(n) for n in np.clip(np.ceil(lengths / SPACING), 8, MOST)]
    h = [np.fft.fftfreq(n, 1 / n) for n in size]
    waves = [np.exp(-2j * np.pi * np.outer(crystal.frac_coords[:, k], h[k])) for k in range(3)]
    electrons = crystal.shares() @ np.arange(HEAVIEST + 1)
    structure = np.einsum("s,sx,sy,sz->xyz", electrons, *waves, optimize=True)
    reciprocal = 2 * np.pi * np.linalg.inv(crystal.lattice).T
    vectors = np.stack(np.meshgrid(*h, indexing="ij"), -1) @ reciprocal
    structure *= np.exp(-0.5 * WIDTH**2 * (vectors**2).sum(-1)) / crystal.volume
    return np.fft.ifftn(structure).real * structure.size
