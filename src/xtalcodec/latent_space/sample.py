"""Crystals that nobody has seen: codes of a prior, decoded, and settled on their space groups.

What a flow makes is rough: few of its crystals have the symmetry that they were to have. So each is settled on its
group, encoded, brought back to noise in part, and made anew from there, a few times: what comes out is a crystal of
that group which the flow would have made.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from xtalcodec.codecs.base import Codec, DecodedCrystal
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.orbits import onto_symmetry
from xtalcodec.geometry.room import room
from xtalcodec.geometry.symmetry import operations
from xtalcodec.latent_space.settled import Settled, settle
from xtalcodec.priors.base import Prior
from xtalcodec.priors.flow.prior import Begun, FlowPrior
from xtalcodec.priors.plan import Composition, Plan
from xtalcodec.representations.base import Placement

TOGETHER, MOST = 64, 512
"""Samples at a time: at first, and at last. Of many, more have one grid, and are made half as fast again."""

TIDIED = 0.1
"""Å: settled samples are decoded a hundredth of an ångström off their symmetry, and moved onto it."""


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """A sample of a prior."""

    composition: Composition | None
    """What its cell was to hold; None of a prior that plans no cells."""
    code: CrystalCode
    decoded: DecodedCrystal | None
    """None where its field holds no atom."""

    @property
    def as_planned(self) -> bool | None:
        """Whether the crystal holds just the atoms that its cell was to hold; None where nothing was planned."""
        if self.composition is None:
            return None
        return self.decoded is not None and self.decoded.crystal.holding == self.composition.holding

    @property
    def came_out(self) -> bool:
        """Whether it holds just the atoms that it was to hold, apart and with room."""
        return bool(self.as_planned) and self.decoded is not None and not room(self.decoded.crystal).reasons


@runtime_checkable
class KeptCodes(Protocol):
    """Codes of samples that were drawn before, by their numbers."""

    def known(self, numbers: Sequence[int]) -> dict[int, CrystalCode]:
        """Return those that are kept."""
        ...

    def keep(self, codes: Mapping[int, CrystalCode]) -> None:
        """Keep codes."""
        ...


def draw(
    codec: Codec,
    prior: Prior,
    n: int,
    seed: int = 0,
    temperature: float = 1.0,
    progress: Callable[[int], None] | None = None,
    together: int = TOGETHER,
    kept: KeptCodes | None = None,
) -> Iterator[Sampled]:
    """Yield samples as they come; one follows from the seed and its number alone.

    Parameters
    ----------
    codec
        That decodes them.
    prior
        Perhaps with conditions.
    n
        How many.
    seed
        Another gives other samples.
    temperature
        What the noise is multiplied by that the flows begin with.
    progress
        Called with the number of samples done since the last call.
    together
        Samples at a time, at first: the fewer, the sooner the first ones come; then ever more, up to `MOST`.
    kept
        Codes that were drawn before are taken from it, others are kept in it, of priors that plan cells.

    Raises
    ------
    LatentsError
        A prior of another codec.
    """
    codec.check_owns(prior.codec)
    if not prior.plans:
        yield from _unplanned(codec, prior.sample(n, seed, temperature), progress)
        return
    number = 0
    done: dict[int, Sampled] = {}
    for made in _drawn(codec, prior.flow, n, seed, temperature, together, kept):
        done |= made
        before = number
        while number in done:
            yield done.pop(number)
            number += 1
        if progress:
            progress(number - before)


def _portions(n: int, size: int) -> Iterator[tuple[int, int]]:
    """First number and count of ever larger portions of so many."""
    first = 0
    while first < n:
        yield first, min(size, n - first)
        first, size = first + size, max(size, min(2 * size, MOST))


def _drawn(
    codec: Codec, flow: FlowPrior, n: int, seed: int, temperature: float, together: int, kept: KeptCodes | None
) -> Iterator[dict[int, Sampled]]:
    """Yield samples by their numbers, when nothing more is done to them; what was kept is as it was.

    What does not come out is tried again, with another cell, beside the next portion: few at a time would be slow. Of
    all tries the one is kept that fits its group best.
    """
    again: list[Plan] = []
    best: dict[int, _Try] = {}
    portions = list(_portions(n, together))
    while portions or again:
        trying = flow.planner.again(again, seed, temperature) if again else []
        done: dict[int, Sampled] = {}
        if portions:
            first, count = portions.pop(0)
            plans = flow.planner.plan(count, seed, temperature, first)
            codes = {} if kept is None else kept.known([plan.number for plan in plans])
            done = _decoded(codec, flow, [plan for plan in plans if plan.number in codes], codes)
            trying += [plan for plan in plans if plan.number not in codes]
        fresh = dict(zip((plan.number for plan in trying), flow.filled(trying, seed, temperature), strict=True))
        made = _decoded(codec, flow, trying, fresh)
        tried = _settled(codec, flow, trying, made, seed) if flow.follower.settles else _as_they_are(made)
        best |= {k: one for k, one in tried.items() if k not in best or one.far <= best[k].far}
        again = [p for p in trying if p.attempt + 1 < flow.sampler.tries and best[p.number].far > flow.sampler.off]
        last = {number: best.pop(number).sample for number in tried.keys() - {plan.number for plan in again}}
        if kept is not None:
            kept.keep({number: one.code for number, one in last.items()})
        yield done | last


class _Try(NamedTuple):
    """A sample, and how far it is from what its flow makes of it."""

    sample: Sampled
    far: float
    """Å, root mean square over sites; infinite where it did not come out, or could not be settled."""


def _as_they_are(made: Mapping[int, Sampled]) -> dict[int, _Try]:
    """Samples that have no group: they come out, or not."""
    return {number: _Try(one, 0.0 if one.came_out else math.inf) for number, one in made.items()}


def _decoded(
    codec: Codec, flow: FlowPrior, plans: Sequence[Plan], codes: Mapping[int, CrystalCode]
) -> dict[int, Sampled]:
    """Decode the codes of plans, by their numbers."""
    own = LatentSet(tuple(codes[plan.number] for plan in plans), flow.codec)
    found = codec.decode_crystals(own, holding=[plan.composition.holding for plan in plans])
    tidy = _tidied if flow.follower.settles else lambda decoded: decoded
    return {
        plan.number: Sampled(plan.composition, code, decoded and tidy(decoded))
        for plan, code, decoded in zip(plans, own, found, strict=True)
    }


def _tidied(decoded: DecodedCrystal) -> DecodedCrystal:
    """Move sites onto the symmetry that they have but for the codec's error."""
    crystal = decoded.crystal
    group = operations(crystal, TIDIED)
    if len(group.rotations) == 1:
        return decoded
    places, _ = onto_symmetry(crystal.frac_coords, crystal.numbers, group, crystal.lattice, 2 * TIDIED)
    return replace(decoded, crystal=replace(crystal, frac_coords=places))


def _settled(
    codec: Codec, flow: FlowPrior, plans: Sequence[Plan], made: Mapping[int, Sampled], seed: int
) -> dict[int, _Try]:
    """Settle what can be settled, and make it anew from there, by the numbers of the samples."""
    tried = {number: _Try(one, math.inf) for number, one in made.items()}
    now: dict[int, Settled] = {}
    for number, noise in enumerate((*flow.sampler.returns, 0.0), start=1):
        for plan in plans:
            decoded = made[plan.number].decoded
            found = settle(decoded.crystal, plan.group, plan.composition.holding) if decoded and plan.group else None
            if found:
                now[plan.number] = found
        plans = [plan for plan in plans if plan.number in now]
        if not plans:
            break
        codes = _encoded(codec, plans, [now[plan.number].crystal for plan in plans], seed)
        if noise:
            codes = [*flow.filled(plans, seed, begun=Begun(codes, noise, number))]
        made = _decoded(codec, flow, plans, {plan.number: code for plan, code in zip(plans, codes, strict=True)})
    came_out = {plan.number for plan in plans if made[plan.number].came_out}
    return tried | {number: _Try(made[number], now[number].far) for number in came_out}


def _encoded(codec: Codec, plans: Sequence[Plan], crystals: Sequence[Crystal], seed: int) -> list[CrystalCode]:
    """Encode crystals on the grids of their plans, each with one of its atoms at the origin."""
    placed = []
    for plan, crystal in zip(plans, crystals, strict=True):
        atom = np.random.default_rng([seed, plan.number, 5, plan.attempt]).integers(len(crystal))
        moved = replace(crystal.translated(-crystal.frac_coords[atom]), name=plan.name)
        placed.append(Placement(moved, np.eye(3, dtype=np.int64), plan.patches))
    return [*codec.encode_placed(placed, refine=False)]


def _unplanned(codec: Codec, codes: LatentSet, progress: Callable[[int], None] | None) -> Iterator[Sampled]:
    """Decode what a prior that plans no cells has drawn."""
    for first in range(0, len(codes), TOGETHER):
        part = codes[first : first + TOGETHER]
        for code, decoded in zip(part, codec.decode_crystals(part, progress=progress), strict=True):
            yield Sampled(None, code, decoded)
