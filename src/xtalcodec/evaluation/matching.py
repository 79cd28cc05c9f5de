"""Atoms that came back against atoms that were: pairs, counts, species, distances both ways."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

PARTNER = 0.5
"""Å: an atom farther from any true one is none of them; less than the shortest bond (H–H, 0.74)."""

PERCENTILES = (5, 20, 50, 80, 90, 95, 99)
"""Those of the paper's figures, and the tail."""


@dataclass(frozen=True, slots=True)
class AtomScore:
    """One window's atoms compared."""

    error: Float[np.ndarray, " true"]
    """Å, from each true atom to its partner, one to one; infinite where it has none."""
    species: Bool[np.ndarray, " true"]
    """Whether the partner of each true atom is of its species."""
    extra: int
    """Decoded atoms without a partner."""
    to_true: Float[np.ndarray, " decoded"]
    """Å, from each decoded atom to the nearest true one, whatever the distance."""
    to_decoded: Float[np.ndarray, " true"]
    """Å, from each true atom to the nearest decoded one."""

    @property
    def same_count(self) -> bool:
        """Every true atom found, and nothing else."""
        return self.extra == 0 and bool(np.isfinite(self.error).all())

    @property
    def same_species(self) -> bool:
        """Every true atom found as what it is, and nothing else."""
        return self.same_count and bool(self.species.all())

    def perfect(self, tolerance: float) -> bool:
        """Every true atom found as what it is within `tolerance` Å, and nothing else."""
        return self.same_species and bool((self.error <= tolerance).all())


def compare_atoms(
    positions: Float[np.ndarray, "decoded 3"],
    numbers: Int[np.ndarray, " decoded"],
    true_positions: Float[np.ndarray, "true 3"],
    true_numbers: Int[np.ndarray, " true"],
    edge: float | None = None,
    skin: float = 0.1,
) -> AtomScore:
    """Match decoded to true atoms by optimal assignment: most pairs within `PARTNER` first, then least total distance.

    Parameters
    ----------
    positions, numbers
        Decoded atoms: Cartesian coordinates in Å and atomic numbers.
    true_positions, true_numbers
        True atoms, in the same frame.
    edge
        Å; only atoms in the cube [0, edge]³ count. None counts all.
    skin
        Å; an atom this near to a face, on either side, can be another's partner, but is neither missing nor extra.
    """
    distance = np.linalg.norm(positions[:, None] - true_positions, axis=-1)
    decoded_counts, true_counts = (_inside(x, edge, -skin) for x in (positions, true_positions))
    decoded_may, true_may = (_inside(x, edge, skin) for x in (positions, true_positions))
    allowed = (distance <= PARTNER) & decoded_may[:, None] & true_may
    # One that must be paired goes before any that may; a pair of any kind goes before closeness.
    worth = 10.0 * (1 + decoded_counts[:, None] + true_counts)
    row, column = linear_sum_assignment(np.where(allowed, distance - worth, 0.0))
    paired = allowed[row, column]
    row, column = row[paired], column[paired]
    error, species = np.full(len(true_numbers), np.inf), np.zeros(len(true_numbers), dtype=bool)
    error[column], species[column] = distance[row, column], numbers[row] == true_numbers[column]
    alone = decoded_counts.copy()
    alone[row] = False
    return AtomScore(
        error[true_counts],
        species[true_counts],
        int(alone.sum()),
        distance[decoded_counts].min(1, initial=np.inf),
        distance[:, true_counts].min(0, initial=np.inf),
    )


def _inside(positions: Float[np.ndarray, "n 3"], edge: float | None, margin: float) -> Bool[np.ndarray, " n"]:
    """Atoms in a cube widened by `margin` Å on every side; all where there is no cube."""
    if edge is None:
        return np.ones(len(positions), dtype=bool)
    inside: Bool[np.ndarray, " n"] = np.all((positions >= -margin) & (positions <= edge + margin), axis=1)
    return inside


def summarise_atoms(scores: Sequence[AtomScore], tolerance: float) -> dict[str, Any]:
    """Rates over windows and over atoms; distances in Å at `PERCENTILES`, infinite where no atom is that near."""
    if not scores:
        return {"n": 0}
    to_true, to_decoded, error, species = (
        np.concatenate([getattr(s, name) for s in scores]) for name in ("to_true", "to_decoded", "error", "species")
    )
    return {
        "n": len(scores),
        "count_per_window": float(np.mean([s.same_count for s in scores])),
        "species_per_window": float(np.mean([s.same_species for s in scores])),
        "tolerance": tolerance,
        "perfect_rate": float(np.mean([s.perfect(tolerance) for s in scores])),
        "atoms": len(error),
        "found_per_atom": float(np.isfinite(error).mean()) if len(error) else None,
        "species_per_atom": float(species.mean()) if len(error) else None,
        "decoded_to_true": percentiles(to_true),
        "true_to_decoded": percentiles(to_decoded),
        "worst_of_window": percentiles(np.array([s.error.max(initial=0) for s in scores])),
    }


def percentiles(values: Sequence[float] | np.ndarray, which: Sequence[int] = PERCENTILES) -> dict[str, float]:
    """Percentiles, each the least value that occurs and is not below it, which may be infinite; none of nothing."""
    if not len(values):
        return {}
    return {str(q): float(x) for q, x in zip(which, np.percentile(values, which, method="higher"), strict=True)}
