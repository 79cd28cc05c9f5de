"""Crystals that nobody has seen: codes of a prior, decoded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from xtalcodec.codecs.base import Codec, DecodedCrystal
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.priors.base import Prior
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.plan import Plan

TOGETHER, MOST = 64, 256
"""Samples at a time: at first, and at last. Of many, more have one grid, and are made half as fast again."""


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """A sample of a prior."""

    plan: Plan | None
    """What its cell was to hold; None of a prior that plans none."""
    code: CrystalCode
    decoded: DecodedCrystal | None
    """None where its field holds no atom."""

    @property
    def as_planned(self) -> bool | None:
        """Whether the crystal holds just the atoms that its cell was to hold; None where nothing was planned."""
        if self.plan is None:
            return None
        return self.decoded is not None and self.decoded.crystal.holding == self.plan.composition.holding


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
    flow = prior.flow
    for first, count in _portions(n, together):
        plans = flow.plan(count, seed, temperature, first)
        codes = _codes(flow, plans, seed, temperature, kept)
        found = codec.decode_crystals(codes, holding=[plan.composition.holding for plan in plans])
        for plan, code, decoded in zip(plans, codes, found, strict=True):
            yield Sampled(plan, code, decoded)
        if progress:
            progress(len(plans))


def _portions(n: int, size: int) -> Iterator[tuple[int, int]]:
    """First number and count of ever larger portions of so many."""
    first = 0
    while first < n:
        yield first, min(size, n - first)
        first, size = first + size, max(size, min(2 * size, MOST))


def _codes(flow: FlowPrior, plans: Sequence[Plan], seed: int, temperature: float, kept: KeptCodes | None) -> LatentSet:
    """Latents of planned cells, those that are kept as they are."""
    known = {} if kept is None else kept.known([plan.number for plan in plans])
    missing = [plan for plan in plans if plan.number not in known]
    if missing:
        fresh = dict(zip((p.number for p in missing), flow.filled(missing, seed, temperature), strict=True))
        if kept is not None:
            kept.keep(fresh)
        known |= fresh
    return LatentSet(tuple(known[plan.number] for plan in plans), flow.codec)


def _unplanned(codec: Codec, codes: LatentSet, progress: Callable[[int], None] | None) -> Iterator[Sampled]:
    """Decode what a prior that plans no cells has drawn."""
    for first in range(0, len(codes), TOGETHER):
        part = codes[first : first + TOGETHER]
        for code, decoded in zip(part, codec.decode_crystals(part, progress=progress), strict=True):
            yield Sampled(None, code, decoded)
