"""Cells that are to be filled, and how a flow is followed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from xtalcodec.config import Count, NotNegative, Share, settings
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.group_on_cell import LaidGroup
from xtalcodec.representations.base import Patches


@settings
class SamplerConfig:
    """How the flow is followed."""

    steps: Count = 32
    """Evaluations of the velocity from noise to latents, without guidance."""
    guidance: NotNegative = 1.0
    """How far the velocity of latents goes from what nothing is said of to what is asked (Ho & Salimans 2022): 0 does
    not ask, 1 asks, more asks louder and costs a second evaluation. Cells are always asked plainly."""
    churn: NotNegative = 0.0
    """Noise that is put back at every step, in steps: 0 follows the flow, more is a stochastic sampler."""
    cells: NotNegative = 1.0
    """What the noise is multiplied by that cells begin with: below 1, they are nearer to the likeliest one."""
    noise: NotNegative = 0.2
    """What the decoder is told of the errors of the latents, in their standard deviations."""
    tries: Count = 4
    """Cells that are drawn and filled for a composition, at most, until one holds all of its atoms, apart, and, settled
    on a space group, does not surprise the flow; of several that do, the least surprising is taken."""
    symmetric: Literal["always", "asked", "never"] = "asked"
    """Which samples are given a space group before their cell, and settled on it: all; those of which a space group or
    a crystal system is asked; none."""
    returns: tuple[Share, ...] = (0.8, 0.7, 0.6)
    """Shares of noise that a settled sample is brought back to, one after the other, to be made and settled anew."""
    near: NotNegative = 0.0
    """Å: what is made of a settled sample and is nearer to it than that is not brought back again; 0 leaves no return
    out."""
    surprise: NotNegative | None = 0.4
    """What a settled sample may surprise the flow, see `flow.surprise`; else it is tried again. None: the flow is not
    asked."""


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
