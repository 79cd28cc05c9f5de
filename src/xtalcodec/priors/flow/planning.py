"""What is to be filled: compositions by the autoregressive network, space groups, then cells by their flow."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np
import torch
from jaxtyping import Float

from xtalcodec.crystal import CrystalError
from xtalcodec.geometry.group_on_cell import lay
from xtalcodec.geometry.symmetry import crystal_system
from xtalcodec.networks.precision import reduced
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.flow.cells import cell_of, settled
from xtalcodec.priors.flow.files import About
from xtalcodec.priors.flow.following import Follower
from xtalcodec.priors.flow.network import CELL, ONE
from xtalcodec.priors.plan import Composition, Plan
from xtalcodec.representations.base import Patches

NO_CELL = np.zeros((3, 3))
"""Of a plan that has none yet."""

TOGETHER = 8
"""Compositions whose likelihoods are computed together, for all space groups: more do not fit the caches."""

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
            None, or a temperature that is negative or no finite number; a cell that the codec cannot hold.
        """
        if n < 1 or not 0 <= temperature < inf:
            raise PriorError(f"cannot draw {n} samples at the temperature {temperature:g}")
        numbers = range(first, first + n)
        rngs = [np.random.default_rng([seed, k]) for k in numbers]
        made = self._composed(rngs)
        plans = [Plan(f"sample-{k + 1}", one, NO_CELL, ONE, k) for k, one in zip(numbers, made, strict=True)]
        return self._shaped(plans, rngs, seed, temperature)

    @torch.no_grad()
    def again(
        self, plans: Sequence[Plan], seed: int = 0, temperature: float = 1.0, hopeless: Collection[int] = ()
    ) -> list[Plan]:
        """Draw other groups and cells for the compositions of plans: the next attempts at the same samples.

        Parameters
        ----------
        plans
            Of samples that came to nothing.
        seed, temperature
            As of `plan`.
        hopeless
            Numbers of samples whose compositions are given up: they get others too.
        """
        plans = [replace(plan, attempt=plan.attempt + 1) for plan in plans]
        rows = [k for k, plan in enumerate(plans) if plan.number in hopeless]
        dice = [np.random.default_rng([seed, plans[k].number, 6, plans[k].attempt]) for k in rows]
        for k, composition in zip(rows, self._composed(dice) if rows else (), strict=True):
            plans[k] = replace(plans[k], composition=composition)
        rngs = [np.random.default_rng([seed, plan.number, 2, plan.attempt]) for plan in plans]
        return self._shaped(plans, rngs, seed, temperature)

    @torch.no_grad()
    def plan_in(self, lattice: Float[np.ndarray, "3 3"], patches: Patches, n: int, seed: int = 0) -> list[Plan]:
        """Draw compositions for a cell that is there already.

        Parameters
        ----------
        lattice
            Cell vectors, rows in Å.
        patches
            Of its grid.
        n, seed
            As of `plan`.
        """
        made = self._composed([np.random.default_rng([seed, k]) for k in range(n)])
        return [Plan(f"sample-{k + 1}", one, lattice, patches, k) for k, one in enumerate(made)]

    def _composed(self, rngs: Sequence[np.random.Generator]) -> list[Composition]:
        """Draw compositions that are as asked."""
        told, asked = self.follower.told(len(rngs)), self.follower.conditions
        return self.follower.network.compositions.draw(told, asked, self.about.limits, rngs)

    def _shaped(
        self, plans: Sequence[Plan], rngs: Sequence[np.random.Generator], seed: int, temperature: float
    ) -> list[Plan]:
        """Draw space groups, where samples have them, and cells for plans of compositions, and lay the grids."""
        follower, network = self.follower, self.follower.network
        made, numbers = [plan.composition for plan in plans], self._groups(plans, seed)
        facts = follower.told(len(made), made, numbers)
        fresh = partial(follower.drawn, rngs, [1] * len(rngs), CELL)
        begin = temperature * follower.sampler.cells * fresh()
        shapes = follower.follow(network.cells, begin, [ONE], facts, fresh, {})[:, 0]
        shapes = shapes.clamp(-FARTHEST, FARTHEST) * network.cell_deviation + network.cell_mean
        shaped = []
        for plan, number, shape in zip(plans, numbers, shapes.double().cpu().numpy(), strict=True):
            lattice = settled(cell_of(shape, plan.composition.sites))
            group = lay(lattice, number) if number else None
            lattice = group.lattice if group else lattice
            try:
                patches = self.about.grid.open().grid_of(lattice, plan.composition.sites)
            except CrystalError as error:
                raise PriorError(f"{plan.name}: {error}") from error
            shaped.append(replace(plan, lattice=lattice, patches=patches, group=group))
        return shaped

    def _groups(self, plans: Sequence[Plan], seed: int) -> list[int]:
        """Draw a space group for each composition; 0, for any, where samples have none.

        By Bayes' rule, a group is as likely as it is frequent among the training crystals times how likely it makes the
        composition.
        """
        asked, frequent = self.follower.conditions, dict(self.about.groups)
        if not self.follower.settles:
            return [0] * len(plans)
        if asked.space_group:
            return [asked.space_group] * len(plans)
        groups = [number for number in frequent if asked.system in ("", crystal_system(number))]
        if not groups and frequent:
            there = ", ".join(sorted({crystal_system(number) for number in frequent}))
            raise PriorError(f"the prior never saw a {asked.system} crystal in training, but {there} ones")
        if not groups:
            return [0] * len(plans)
        often = torch.tensor([float(frequent[number]) for number in groups]).log()
        portions = [plans[k : k + TOGETHER] for k in range(0, len(plans), TOGETHER)]
        with reduced(self.follower.device):
            logits = torch.cat([self._likely(part, groups) for part in portions]).cpu() + often
        dice = [np.random.default_rng([seed, plan.number, 4, plan.attempt]).random() for plan in plans]
        share = logits.double().softmax(-1).cumsum(-1)
        drawn = torch.searchsorted(share, torch.tensor(dice)[:, None] * share[:, -1:], right=True)[:, 0]
        return [groups[k] for k in drawn.clamp_max(len(groups) - 1).tolist()]

    def _likely(self, plans: Sequence[Plan], groups: Sequence[int]) -> Float[torch.Tensor, "plans groups"]:
        """Logarithm of how likely each group makes each composition."""
        made = [plan.composition for plan in plans for _ in groups]
        told = self.follower.told(len(made), groups=list(groups) * len(plans))
        facts = self.follower.told(len(made), made)
        likely: Float[torch.Tensor, " rows"] = self.follower.network.compositions.log_likelihood(facts, told)
        return likely.reshape(len(plans), len(groups))
