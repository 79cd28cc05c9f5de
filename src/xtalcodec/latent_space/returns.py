"""Rough samples settled on their space groups, brought back to noise in part, and made anew from there, a few times.

What a flow makes is rough: few of its crystals have the symmetry that they were to have. What comes out here is a
crystal of that group which the flow would have made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.decoding import DecodedCrystal
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.latent_space.settled import Settled, settle
from xtalcodec.parallel import HERE, Pool, map_in_order
from xtalcodec.priors.flow.filling import Begun
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.plan import Plan
from xtalcodec.representations.base import Placement


@dataclass(frozen=True, slots=True)
class Returns:
    """Settles what a flow has made, and has it made anew."""

    codec: Codec
    flow: FlowPrior
    seed: int
    temperature: float = 1.0
    """What the noise is multiplied by."""
    pool: Pool = HERE
    """Workers that settle."""

    def settled(self, plans: Sequence[Plan], made: Mapping[int, DecodedCrystal | None]) -> dict[int, Settled]:
        """Return what samples are settled on at last, by their numbers; nothing of those that cannot be settled.

        Parameters
        ----------
        plans
            Cells, each with a group, or not.
        made
            What was made in them, by numbers.
        """
        found = self._settled(plans, made)
        sampler = self.flow.sampler
        for number, noise in enumerate(sampler.returns, start=1):
            plans = [p for p in plans if p.number in found and (number == 1 or found[p.number].far >= sampler.near)]
            if not plans:
                break
            made = self._anew(plans, Begun([*self.codes(plans, found, refine=False)], noise, number))
            found |= self._settled(plans, made)
        return found

    def codes(self, plans: Sequence[Plan], settled: Mapping[int, Settled], *, refine: bool = True) -> LatentSet:
        """Encode settled crystals on the grids of their plans, each with one of its atoms at the origin.

        Parameters
        ----------
        plans
            Cells.
        settled
            What they hold, by numbers.
        refine
            Until they decode to their crystals.
        """
        placed = []
        for plan in plans:
            crystal = settled[plan.number].crystal
            atom = np.random.default_rng([self.seed, plan.number, 5, plan.attempt]).integers(len(crystal))
            moved = replace(crystal.translated(-crystal.frac_coords[atom]), name=plan.name)
            placed.append(Placement(moved, np.eye(3, dtype=np.int64), plan.patches))
        return self.codec.encode_placed(placed, refine=refine)

    def surprise(self, plans: Sequence[Plan], settled: Mapping[int, Settled]) -> dict[int, float]:
        """Return how much settled crystals surprise the flow, by numbers: not at all where it is not asked.

        Parameters
        ----------
        plans, settled
            As of `codes`.
        """
        if self.flow.sampler.surprise is None:
            return dict.fromkeys(settled, 0.0)
        codes = [*self.codes(plans, settled, refine=False)]
        return dict(zip((plan.number for plan in plans), self.flow.surprise(plans, codes, self.seed), strict=True))

    def _anew(self, plans: Sequence[Plan], begun: Begun) -> dict[int, DecodedCrystal | None]:
        """Make crystals from codes and noise."""
        codes = self.flow.filled(plans, self.seed, self.temperature, begun=begun)
        found = self.codec.decode_crystals(codes, holding=[plan.composition.holding for plan in plans])
        return dict(zip((plan.number for plan in plans), found, strict=True))

    def _settled(self, plans: Sequence[Plan], made: Mapping[int, DecodedCrystal | None]) -> dict[int, Settled]:
        """Settle what can be settled."""
        rows = {
            plan.number: (decoded.crystal, plan.group, plan.composition.holding)
            for plan in plans
            if plan.group and (decoded := made[plan.number])
        }
        found = map_in_order(settle, [*rows.values()], self.pool, chunk=4)
        return {number: one for number, one in zip(rows, found, strict=True) if one}
