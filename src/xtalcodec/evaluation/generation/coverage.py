"""CDVAE's coverage and distances of distributions (Xie et al. 2022, section 5.2, and Ganea et al. 2021 before it).

COV-R is the share of reference crystals with a sample near by, COV-P the share of samples with a reference crystal
near by. Near means: the nearest structure fingerprint of all within one threshold, and the nearest composition
fingerprint of all within another; the two need not be one crystal's (`compute_cov`, github.com/txie-93/cdvae).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.distance import cdist

from xtalcodec.config import unknown
from xtalcodec.evaluation.generation.description import Description

ROWS = 1000
"""Samples whose distances to all reference crystals are in memory at a time."""

DRAWN = 1000
"""Valid samples, at most, whose densities and numbers of elements CDVAE compares."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Euclidean distances of fingerprints below which two crystals are near."""

    structure: float
    composition: float


PROTOCOLS = {
    "perov-5": Thresholds(0.2, 4.0),
    "carbon-24": Thresholds(0.2, 4.0),
    "mp-20": Thresholds(0.4, 10.0),
}
"""CDVAE's three data sets and its thresholds for them."""


def thresholds(protocol: str) -> Thresholds:
    """Thresholds of one of CDVAE's data sets.

    Raises
    ------
    ValueError
        Another name.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(unknown("protocol", protocol, list(PROTOCOLS)))
    return PROTOCOLS[protocol]


@dataclass(frozen=True, slots=True)
class Nearest:
    """Distance of every crystal of one set to the nearest fingerprint of another; infinite where it has none itself."""

    structure: Float[np.ndarray, " crystals"]
    composition: Float[np.ndarray, " crystals"]

    def covered(self, limits: Thresholds) -> Bool[np.ndarray, " crystals"]:
        """Which crystals have both within the thresholds."""
        return (self.structure <= limits.structure) & (self.composition <= limits.composition)


def nearest(samples: Sequence[Description | None], reference: Sequence[Description | None]) -> tuple[Nearest, Nearest]:
    """Distances from each sample to the reference, and from each reference crystal to the samples.

    A crystal that could not be read (None), or of which CrystalNN finds no fingerprint, is nobody's neighbour and has
    none, but keeps its place.
    """
    rows = [k for k, d in enumerate(samples) if d is not None and d.structure_fingerprint is not None]
    columns = [k for k, d in enumerate(reference) if d is not None and d.structure_fingerprint is not None]
    there = Nearest(np.full(len(samples), np.inf), np.full(len(samples), np.inf))
    back = Nearest(np.full(len(reference), np.inf), np.full(len(reference), np.inf))
    if not rows or not columns:
        return there, back
    for name in ("structure", "composition"):
        mine, others = (
            np.stack([getattr(part[k], f"{name}_fingerprint") for k in which])
            for part, which in ((samples, rows), (reference, columns))
        )
        forth, least = getattr(there, name), np.full(len(columns), np.inf)
        for start in range(0, len(rows), ROWS):
            distance = cdist(mine[start : start + ROWS], others)
            forth[rows[start : start + ROWS]] = distance.min(1)
            least = np.minimum(least, distance.min(0))
        getattr(back, name)[columns] = least
    return there, back


def distribution_distances(
    samples: Sequence[Description | None], reference: Sequence[Description | None], seed: int
) -> dict[str, float | None]:
    """Wasserstein distances of density (g/cm³) and number of elements between valid samples and all of the reference.

    Parameters
    ----------
    samples
        Of which the valid ones are taken; `DRAWN` at random where there are more, as CDVAE does.
    reference
        Real crystals.
    seed
        Of the draw.

    Returns
    -------
    `density_distance`, `elements_distance`; None where no sample is valid.
    """
    from scipy.stats import wasserstein_distance

    valid = [d for d in samples if d is not None and d.valid]
    if len(valid) > DRAWN:
        chosen = np.random.default_rng(seed).choice(len(valid), DRAWN, replace=False)
        valid = [valid[k] for k in chosen]
    real = [d for d in reference if d is not None]
    if not valid or not real:
        return {"density_distance": None, "elements_distance": None}
    return {
        "density_distance": float(wasserstein_distance([d.density for d in valid], [d.density for d in real])),
        "elements_distance": float(wasserstein_distance([d.elements for d in valid], [d.elements for d in real])),
    }
