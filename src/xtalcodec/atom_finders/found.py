"""Atoms that a finder read off one field."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import alone


@dataclass(frozen=True, slots=True, eq=False)
class FoundAtoms:
    """Atoms read off one field: on a torus of voxels, in a window, or as the sites of a cell."""

    positions: Float[np.ndarray, "atoms 3"]
    """On a torus and in a cell, fractions of the axes; in a window, Å from its corner."""
    numbers: Int[np.ndarray, " atoms"]
    """Atomic numbers Z."""
    confidence: Float[np.ndarray, " atoms"]
    """0 to 1 of each atom: how sure it is, and its species."""
    explained: float = 1.0
    """0 to 1: how far the atoms account for the field, where the finder says."""
    residual: float = float("nan")
    """Of atoms fitted to a density: what they leave of it, e/Å³, root mean square over the points; of sites fitted to
    structure factors: over the errors of those."""
    occupancies: Float[np.ndarray, "atoms 119"] | None = None
    """Where sites may be shared: share of each element by its Z, in column 0 of what is empty."""

    def __len__(self) -> int:
        """Return the number of atoms."""
        return len(self.numbers)

    @property
    def certainty(self) -> float:
        """0 to 1: of the least sure atom, times how far all of them account for the field; 0 where there is none."""
        return float(np.clip(self.confidence.min() * self.explained, 0, 1)) if len(self) else 0.0

    def shares(self) -> Float[np.ndarray, "atoms 119"]:
        """Occupancies, of atoms that have their sites to themselves too."""
        return alone(self.numbers) if self.occupancies is None else self.occupancies

    @classmethod
    def known(cls, positions: Float[np.ndarray, "atoms 3"], numbers: Int[np.ndarray, " atoms"]) -> "FoundAtoms":
        """Atoms that are certain."""
        return cls(positions, numbers, np.ones(len(numbers)))

    @classmethod
    def none(cls, explained: float = 0.0) -> "FoundAtoms":
        """No atom at all."""
        return cls(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), np.zeros(0), explained)

    def within(self, edge: float, margin: float = 0.0) -> "FoundAtoms":
        """Return the atoms in a window of `edge` Å, or in one wider by `margin` Å on every side."""
        k = ((self.positions >= -margin) & (self.positions <= edge + margin)).all(1)
        shares = None if self.occupancies is None else self.occupancies[k]
        return replace(
            self,
            positions=self.positions[k],
            numbers=self.numbers[k],
            confidence=self.confidence[k],
            occupancies=shares,
        )
