"""Crystals that nobody has seen: codes of a prior, decoded, and settled on their space groups."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.decoding import DecodedCrystal
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.geometry.orbits import onto_symmetry
from xtalcodec.geometry.room import room
from xtalcodec.geometry.symmetry import operations
from xtalcodec.latent_space.returns import Returns
from xtalcodec.latent_space.settled import Settled
from xtalcodec.parallel import HERE, Pool
from xtalcodec.priors.base import Prior
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.plan import Composition, Plan

TOGETHER, MOST = 64, 512
"""Samples at a time: at first, and at last. Of many, more have one grid, and are made half as fast again."""

OTHERWISE = 10.0
"""What a sample is doubted more that has not the group that was asked for: more than any is for anything else."""

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


class Kept(NamedTuple):
    """What is kept of a sample: another try may have given it other atoms than it was planned with at first."""

    composition: Composition
    code: CrystalCode


@runtime_checkable
class KeptCodes(Protocol):
    """Codes of samples that were drawn before, by their numbers."""

    def known(self, numbers: Sequence[int]) -> dict[int, Kept]:
        """Return those that are kept."""
        ...

    def keep(self, samples: Mapping[int, Kept]) -> None:
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
    pool: Pool = HERE,
) -> Iterator[Sampled]:
    """Yield samples as they come; one follows from the seed and its number, and from nothing else but rounding.

    Networks that multiply bfloat16 round a little otherwise where more samples are made at a time, and a rough crystal
    that is settled may then become another one; the same call gives the same samples.

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
        Samples at a time, at first: the fewer, the sooner the first ones come; then ever more, up to `MOST`, of priors
        that plan cells.
    kept
        Codes that were drawn before are taken from it, others are kept in it, of priors that plan cells.
    pool
        Workers that settle samples on their space groups.

    Raises
    ------
    LatentsError
        A prior of another codec.
    """
    codec.check_owns(prior.codec, "this prior belongs")
    if not prior.plans:
        yield from _unplanned(codec, prior.sample(n, seed, temperature), progress, together)
        return
    number = 0
    done: dict[int, Sampled] = {}
    run = _Run(codec, prior.flow, seed, temperature, Returns(codec, prior.flow, seed, temperature, pool))
    for made in run.drawn(n, together, kept):
        done |= made
        if progress:
            progress(len(made))
        while number in done:
            yield done.pop(number)
            number += 1


def _portions(n: int, size: int) -> Iterator[tuple[int, int]]:
    """First number and count of ever larger portions of so many."""
    first = 0
    while first < n:
        yield first, min(size, n - first)
        first, size = first + size, max(size, min(2 * size, MOST))


class _Try(NamedTuple):
    """What was made in a cell."""

    plan: Plan
    drawn: Sampled
    settled: Settled | None
    """What it was settled on; None where it could not be, or has no group."""
    doubt: float
    """How much what it was settled on surprises the flow, and `OTHERWISE` more where that has not the group that was
    asked for; infinite where it did not come out."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Draws samples of a flow."""

    codec: Codec
    flow: FlowPrior
    seed: int
    temperature: float
    returns: Returns

    @property
    def group_asked(self) -> bool:
        """Whether a space group is asked for."""
        return bool(self.flow.conditions.space_group)

    def drawn(self, n: int, together: int, kept: KeptCodes | None) -> Iterator[dict[int, Sampled]]:
        """Yield samples by their numbers, when nothing more is done to them; what was kept is as it was.

        What does not come out is tried again, with another cell, beside the next portion: few at a time would be slow;
        with other atoms too where that is hopeless with the first ones. Of all tries the one is kept that surprises the
        flow least.
        """
        planner, sampler = self.flow.planner, self.flow.sampler
        again: list[Plan] = []
        best: dict[int, _Try] = {}
        portions = list(_portions(n, together))
        while portions or again:
            hopeless = {plan.number for plan in again if self._hopeless(plan, best[plan.number])}
            trying = planner.again(again, self.seed, self.temperature, hopeless) if again else []
            done: dict[int, Sampled] = {}
            if portions:
                first, count = portions.pop(0)
                plans = planner.plan(count, self.seed, self.temperature, first)
                known = {} if kept is None else kept.known([plan.number for plan in plans])
                held = [replace(p, composition=known[p.number].composition) for p in plans if p.number in known]
                done = self._decoded(held, {number: one.code for number, one in known.items()})
                trying += [plan for plan in plans if plan.number not in known]
            tried = self._tried(trying)
            best |= {k: one for k, one in tried.items() if k not in best or one.doubt <= best[k].doubt}
            doubtful = [plan for plan in trying if best[plan.number].doubt > (sampler.surprise or 0.0)]
            again = [plan for plan in doubtful if plan.attempt + 1 < sampler.tries]
            ended = [best.pop(number) for number in tried.keys() - {plan.number for plan in again}]
            last = self._ended(ended)
            if kept is not None:
                kept.keep({t.plan.number: Kept(t.plan.composition, last[t.plan.number].code) for t in ended})
            made = done | last
            yield {number: _tidied(one) for number, one in made.items()} if self.flow.follower.settles else made

    def _hopeless(self, plan: Plan, best: _Try) -> bool:
        """Whether a composition is given up: it does not fill the group that is asked for, or was tried enough."""
        patience = self.flow.sampler.patience
        weary = patience is not None and (plan.attempt + 1) % patience == 0
        return weary or (self.group_asked and best.doubt > OTHERWISE)

    def _tried(self, plans: Sequence[Plan]) -> dict[int, _Try]:
        """Fill cells, by the numbers of the samples."""
        codes = self.flow.filled(plans, self.seed, self.temperature)
        made = self._decoded(plans, dict(zip((plan.number for plan in plans), codes, strict=True)))
        if not self.flow.follower.settles:
            return {p.number: _Try(p, one := made[p.number], None, 0.0 if one.came_out else math.inf) for p in plans}
        found = self.returns.settled(plans, {number: one.decoded for number, one in made.items()})
        doubt = self.returns.surprise([plan for plan in plans if plan.number in found], found)
        doubt = {k: one + OTHERWISE * (self.group_asked and not found[k].as_asked) for k, one in doubt.items()}
        return {p.number: _Try(p, made[p.number], found.get(p.number), doubt.get(p.number, math.inf)) for p in plans}

    def _ended(self, tries: Sequence[_Try]) -> dict[int, Sampled]:
        """Decode what was settled, once it is encoded so that it comes back, by the numbers of the samples."""
        settled = {one.plan.number: one.settled for one in tries if one.settled}
        plans = [one.plan for one in tries if one.settled]
        codes = dict(zip(settled, self.returns.codes(plans, settled), strict=True))
        own = self._decoded(plans, codes)
        return {one.plan.number: own.get(one.plan.number, one.drawn) for one in tries}

    def _decoded(self, plans: Sequence[Plan], codes: Mapping[int, CrystalCode]) -> dict[int, Sampled]:
        """Decode the codes of plans, by their numbers."""
        own = LatentSet(tuple(codes[plan.number] for plan in plans), self.flow.codec)
        found = self.codec.decode_crystals(own, holding=[plan.composition.holding for plan in plans])
        return {
            plan.number: Sampled(plan.composition, code, decoded)
            for plan, code, decoded in zip(plans, own, found, strict=True)
        }


def _tidied(sample: Sampled) -> Sampled:
    """Move sites onto the symmetry that they have but for the codec's error."""
    if sample.decoded is None:
        return sample
    crystal = sample.decoded.crystal
    group = operations(crystal, TIDIED)
    if len(group.rotations) == 1:
        return sample
    places, _ = onto_symmetry(crystal.frac_coords, crystal.numbers, group, crystal.lattice, 2 * TIDIED)
    return replace(sample, decoded=replace(sample.decoded, crystal=replace(crystal, frac_coords=places)))


def _unplanned(
    codec: Codec, codes: LatentSet, progress: Callable[[int], None] | None, together: int
) -> Iterator[Sampled]:
    """Decode what a prior that plans no cells has drawn."""
    for first in range(0, len(codes), together):
        part = codes[first : first + together]
        for code, decoded in zip(part, codec.decode_crystals(part, progress=progress), strict=True):
            yield Sampled(None, code, decoded)
