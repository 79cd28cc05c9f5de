"""What is to be filled: compositions by the autoregressive network, then cells by their flow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float

from xtalcodec.crystal import CrystalError
from xtalcodec.priors.conditions import PriorError
from xtalcodec.priors.flow.cells import cell_of, settled
from xtalcodec.priors.flow.files import About
from xtalcodec.priors.flow.following import Follower
from xtalcodec.priors.flow.network import CELL, ONE
from xtalcodec.priors.plan import Composition, Plan
from xtalcodec.representations.base import Patches

FARTHEST = 5.0
"""Deviations from the mean that a number of a cell's shape may be off: of held-out crystals one in 300 is further."""


@dataclass(frozen=True, slots=True, eq=False)
class Planner:
    """Draws plans, each from the seed and its number alone."""

    about: About
    follower: Follower

    @torch.no_grad()
    def plan(self, n: int, seed: int = 0, temperature: float = 1.0, first: int = 0) -> list[Plan]:
        """Draw compositions and cells.

        Parameters
        ----------
        n
            How many.
        seed
            Another gives other plans.
        temperature
            What the noise is multiplied by that the flow of cells begins with.
        first
            Number of the first one.

        Raises
        ------
        PriorError
            None, or a negative temperature; a cell that the codec cannot hold.
        """
        if n < 1 or not temperature >= 0:
            raise PriorError(f"cannot draw {n} samples at the temperature {temperature:g}")
        numbers = range(first, first + n)
        rngs = [np.random.default_rng([seed, k]) for k in numbers]
        made = self._composed(rngs)
        names = [f"sample-{k + 1}" for k in numbers]
        cells = self._cells(names, made, rngs, temperature)
        return [Plan(names[i], made[i], *cells[i], number=k) for i, k in enumerate(numbers)]

    @torch.no_grad()
    def again(self, plans: Sequence[Plan], seed: int = 0, temperature: float = 1.0) -> list[Plan]:
        """Draw other cells for the compositions of plans: the next attempts at the same samples.

        Parameters
        ----------
        plans
            Of samples that came to nothing.
        seed, temperature
            As of `plan`.
        """
        rngs = [np.random.default_rng([seed, plan.number, 2, plan.attempt + 1]) for plan in plans]
        made = [plan.composition for plan in plans]
        cells = self._cells([plan.name for plan in plans], made, rngs, temperature)
        return [
            replace(plan, lattice=lattice, patches=patches, attempt=plan.attempt + 1)
            for plan, (lattice, patches) in zip(plans, cells, strict=True)
        ]

    @torch.no_grad()
    def plan_in(
        self, lattice: Float[np.ndarray, "3 3"], patches: Patches, n: int, seed: int = 0, first: int = 0
    ) -> list[Plan]:
        """Draw compositions for a cell that is there already.

        Parameters
        ----------
        lattice
            Cell vectors, rows in Å.
        patches
            Of its grid.
        n, seed, first
            As of `plan`.
        """
        numbers = range(first, first + n)
        made = self._composed([np.random.default_rng([seed, k]) for k in numbers])
        return [Plan(f"sample-{k + 1}", one, lattice, patches, k) for k, one in zip(numbers, made, strict=True)]

    def _composed(self, rngs: Sequence[np.random.Generator]) -> list[Composition]:
        """Draw compositions that are as asked."""
        dice = np.stack([rng.random(2 * self.about.config.most_elements + 1) for rng in rngs])
        told, asked = self.follower.told(len(rngs)), self.follower.conditions
        return self.follower.network.compositions.draw(told, asked, self.about.limits, dice)

    def _cells(
        self,
        names: Sequence[str],
        made: Sequence[Composition],
        rngs: Sequence[np.random.Generator],
        temperature: float,
    ) -> list[tuple[Float[np.ndarray, "3 3"], Patches]]:
        """Draw cells for compositions, and lay their grids."""
        follower, network = self.follower, self.follower.network
        facts = follower.told(len(made), made)
        fresh = partial(follower.drawn, rngs, [1] * len(rngs), CELL)
        shapes = follower.follow(network.cells, temperature * fresh(), [ONE], facts, fresh, {})[:, 0]
        shapes = shapes.clamp(-FARTHEST, FARTHEST) * network.cell_deviation + network.cell_mean
        cells = []
        for name, composition, shape in zip(names, made, shapes.double().cpu().numpy(), strict=True):
            lattice = settled(cell_of(shape, composition.sites))
            try:
                cells.append((lattice, self.about.grid.open().grid_of(lattice, composition.sites)))
            except CrystalError as error:
                raise PriorError(f"{name}: {error}") from error
        return cells
