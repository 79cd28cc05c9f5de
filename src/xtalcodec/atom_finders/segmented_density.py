"""Atoms from a density and its segmentation together: where they are and what, by both.

A network's segmentation knows chemistry, so it tells which atoms there are; least squares know the Gaussians of the
density exactly, so they tell where, and how heavy. The search in the density begins with the atoms of the
segmentation and adds what these leave; where a search from nothing explains the density clearly better, its atoms
stand. Fitted weights are then held against the species that the network sees there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.atomic_numbers import HEAVIEST
from xtalcodec.atom_finders.blas import one_blas_thread
from xtalcodec.atom_finders.density import DensityConfig, read_modes, visible
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.segmentation import SegmentationConfig, read_segmentation
from xtalcodec.atom_finders.superposition import Atomic
from xtalcodec.representations.window_field import WindowConfig

DOUBT = 1e-3
"""Share of the probability that is spread over all species: a network may be wrong where it is sure."""


CLEARLY = 0.9
"""A search from nothing stands where it leaves less than this share of what the other leaves."""


@dataclass(frozen=True, eq=False)
class SegmentedSpecies:
    """What a segmentation says of the species at any place."""

    probability: Float[np.ndarray, "species n n n"]
    """That each point is of an atom of Z = row + 1."""
    window: WindowConfig
    """Where the points are."""

    def __call__(self, positions: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 118"]:
        """Logarithms of the probabilities of all species, given that there is an atom; the mean over points near it."""
        points = self.window.places
        near = [np.abs(points - x[:, None]) <= self.window.spacing for x in positions.T]
        total = np.einsum("zijk,ai,aj,ak->az", self.probability, *(k.astype(float) for k in near), optimize=True)
        species = np.zeros((len(positions), HEAVIEST))
        species[:, : total.shape[1]] = total / np.maximum(total.sum(1, keepdims=True), 1e-30)
        return np.log((1 - DOUBT) * species + DOUBT / HEAVIEST)


def segmented_species(logits: Float[Tensor, "b species n n n"], window: WindowConfig) -> list[SegmentedSpecies]:
    """What segmentations say of the species at any place, see `read_both`."""
    with torch.no_grad():
        return [SegmentedSpecies(p, window) for p in logits.double().sigmoid().cpu().numpy()]


@one_blas_thread()
def read_both(
    density: Float[Tensor, "b n n n"],
    logits: Float[Tensor, "b species n n n"],
    window: WindowConfig,
    fit: DensityConfig,
    balls: SegmentationConfig,
) -> list[FoundAtoms]:
    """Read the atoms of every window of a batch.

    Parameters
    ----------
    density
        e/Å³ on the window's points, as a network decoded it.
    logits
        Channel k says whether a point is near an atom of atomic number k + 1.
    window
        The cube, its points and the width of an atom's Gaussian.
    fit
        Noise of the density and how atoms are searched in it.
    balls
        How atoms are read off the segmentation.
    """
    basis = visible(window, fit)
    parts = segmented_species(logits, window), read_segmentation(logits, window, balls)
    found = []
    for n, species, seen in zip(density.detach().double().cpu().numpy(), *parts, strict=True):
        start = Atomic(seen.positions, seen.numbers.astype(np.float64))
        field = basis.project(n)
        begun, afresh = (read_modes(field, basis, fit, atoms, species) for atoms in (start, None))
        found.append(afresh if _better(afresh, begun) else begun)
    return found


def _better(afresh: FoundAtoms, begun: FoundAtoms) -> bool:
    """Whether a search from nothing leaves clearly less, or as little with fewer atoms."""
    if len(afresh) < len(begun):
        return afresh.residual * CLEARLY < begun.residual
    return afresh.residual < CLEARLY * begun.residual
