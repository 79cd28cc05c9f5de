"""Cells that are to be filled."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.group_on_cell import LaidGroup
from xtalcodec.representations.base import Patches


@dataclass(frozen=True, slots=True)
class Composition:
    """Atoms of a cell."""

    elements: tuple[int, ...]
    """Atomic numbers, ascending."""
    counts: tuple[int, ...]
    """Sites of each."""

    @classmethod
    def of(cls, crystal: Crystal) -> "Composition":
        """Return what an ordered crystal holds."""
        held = crystal.holding
        return cls(tuple(held), tuple(held.values()))

    @property
    def sites(self) -> int:
        """All of them."""
        return sum(self.counts)

    @property
    def holding(self) -> dict[int, int]:
        """Sites by atomic number."""
        return dict(zip(self.elements, self.counts, strict=True))


@dataclass(frozen=True, slots=True)
class Plan:
    """A cell that is to be filled."""

    name: str
    composition: Composition
    lattice: Float[np.ndarray, "3 3"]
    patches: Patches
    number: int
    """Which sample it is: with the seed and the attempt, all that its random numbers follow from."""
    attempt: int = 0
    """How often it was drawn before, with other cells."""
    group: LaidGroup | None = None
    """Space group that it is to have, on its lattice; None for any."""

    @property
    def space_group(self) -> int:
        """Number of the group; 0 for any."""
        return self.group.number if self.group else 0
