"""Atoms of a window that repeats, whose lattice is told: the sites of one cell, and their copies in the window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from xtalcodec.atom_finders.atomic_numbers import HEAVIEST
from xtalcodec.atom_finders.blas import one_blas_thread
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.site_search import read_structure_factors
from xtalcodec.atom_finders.structure_factors import StructureFactors
from xtalcodec.crystal import Crystal
from xtalcodec.representations.repeating import seen
from xtalcodec.representations.waves import Waves
from xtalcodec.representations.window_field import WindowConfig

WindowPrior = Callable[[Float[np.ndarray, "atoms 3"]], Float[np.ndarray, "atoms 118"]]
"""Places in a window, in Å → logarithms of the probabilities of Z = 1…118 there."""


def read_waves(
    waves: Waves,
    z: Float[Tensor, "b numbers"],
    window: WindowConfig,
    noise: float,
    species: Sequence[WindowPrior] | None = None,
) -> list[FoundAtoms]:
    """Find the sites of every crystal, and the atoms that a window shows of them, in Å from its corner.

    Parameters
    ----------
    waves
        Of the crystals.
    z
        Their coefficients.
    window
        Where the waves are.
    noise
        e/Å³: standard deviation of the density's error at a point.
    species
        Of each window, what else is known of the species at places in Å.
    """
    found = []
    with one_blas_thread():
        for k, factors in enumerate(StructureFactors.of(waves, z, noise)):
            sites = read_structure_factors(factors, _Copies(factors.cell, window, species[k]) if species else None)
            position, site = _shown(factors.cell, sites.positions, window)
            shown = replace(sites, positions=position, numbers=sites.numbers[site], confidence=sites.confidence[site])
            found.append(shown)
    return found


def _shown(
    cell: Float[np.ndarray, "3 3"], places: Float[np.ndarray, "sites 3"], window: WindowConfig
) -> tuple[Float[np.ndarray, "atoms 3"], Int[np.ndarray, " atoms"]]:
    """Positions in Å of all copies of places that a window shows, and of which place each is."""
    if not len(places):
        return np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
    crystal = Crystal(cell, places, np.ones(len(places), dtype=np.int64))
    view = seen(crystal, cell, np.zeros(3), np.eye(3), window.edge, 0.0)
    return view.positions, view.site


@dataclass(frozen=True, slots=True, eq=False)
class _Copies:
    """What is known of the species at places in a cell, by their copies in a window."""

    cell: Float[np.ndarray, "3 3"]
    window: WindowConfig
    known: WindowPrior

    def __call__(self, places: Float[np.ndarray, "sites 3"]) -> Float[np.ndarray, "sites 118"]:
        """Mean of the logarithms over the copies of each; 0 where there is none."""
        position, site = _shown(self.cell, places, self.window)
        total = np.zeros((len(places), HEAVIEST))
        np.add.at(total, site, self.known(position))
        return total / np.maximum(np.bincount(site, minlength=len(places)), 1)[:, None]
