"""Crystals that are completed: known sites are kept, the rest is drawn from a prior."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int
from scipy.optimize import linear_sum_assignment

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.decoding import DecodedCrystal
from xtalcodec.codecs.latents import CrystalCode
from xtalcodec.codecs.together import encode_together
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.distances import UNLIKE, distances
from xtalcodec.geometry.elements import symbol
from xtalcodec.geometry.images import wrapped
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.room import room
from xtalcodec.latent_space.agreed import Sites, agreed, as_wanted, with_sites
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.base import Prior
from xtalcodec.priors.conditions import Conditions
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.plan import Composition, Plan
from xtalcodec.representations.base import Placement

FOUND = 0.5
"""Å: a known site was given back if the decoded site that stands for it is this near."""


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """A way to complete a crystal."""

    crystal: Crystal
    """In the cell that was given: the known sites as they were, then the new ones."""
    added: int
    """Of the sites, how many are new: the last ones."""
    confidence: float
    """From 0 to 1, see `agreed.Agreed`; as drawn, the decoder's, times the share of the known sites that were found."""
    draws: tuple[int, ...]
    """Numbers of the draws that came to this, from 0; none where it is put together from several."""
    surprise: float | None = None
    """How much it surprises the flow, see `flow.surprise`; None where that was not asked: of ways as they were drawn,
    and of those that are wrong."""
    reason: str = ""
    """What is wrong with it: it does not add the atoms that were to be added, or has no room for them."""

    @property
    def doubt(self) -> float:
        """What ways are ordered by, the least first: the logarithm of the surprise less the confidence.

        Of crystals one species of which was taken out the first way is right, of 100 each of the Materials Project,
        LeMat-Bulk and Perov-5, for 67, 74 and 86 by the confidence alone, 65, 70 and 90 by the surprise alone, and 71,
        77 and 89 by this; with weights from a third to two of the surprise at most three fewer are.
        """
        return math.inf if self.surprise is None else math.log(self.surprise) - self.confidence


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A way that was drawn, as it was decoded."""

    crystal: Crystal
    """The known sites as they were, then the new ones."""
    added: int
    """Of the sites, how many are new: the last ones."""
    found: float
    """Share of the known sites that decoding gave back of itself."""
    confidence: float
    """The decoder's, times `found`."""

    @property
    def came_out(self) -> bool:
        """Whether decoding gave all known sites back, and all atoms are apart and have room."""
        return self.found == 1 and not room(self.crystal).reasons

    @property
    def sites(self) -> Sites:
        """Those that are new."""
        kept = len(self.crystal) - self.added
        return Sites(self.crystal.frac_coords[kept:], self.crystal.numbers[kept:])


def complete(
    codec: Codec,
    prior: Prior,
    crystal: Crystal,
    gone: Bool[np.ndarray, " sites"],
    n: int = 20,
    *,
    added: Mapping[int, int] | int | None = None,
    seed: int = 0,
    as_drawn: bool = False,
) -> list[Completed]:
    """Take sites out of a crystal, draw what may be there, and find what the draws agree on; the least doubtful first.

    Known sites stay where they are. What is decoded beside them is new. A draw that loses known sites, or has atoms too
    near each other, is repeated, as often as the prior's sampler says. What was drawn is moved onto the symmetry of
    what is known, where it nearly has it, and put together anew from what several draws agree on, see `agreed`. What
    several agree on and the flow is not surprised by comes first, see `Completed.doubt`.

    Parameters
    ----------
    codec
        A periodic one.
    prior
        Of its codes, that has learnt crystals of which a part is given.
    crystal
        Ordered.
    gone
        Which of its sites are taken out; the others are known.
    n
        Ways to draw, and to return at most; those that are the same are one.
    added
        Atoms of each element to add, by atomic number, or how many of any; what was taken out if not given.
    seed
        Another gives other ways.
    as_drawn
        Return every way as it was drawn.

    Raises
    ------
    CrystalError
        A crystal that the codec cannot hold; nothing left, nothing to add.
    PriorError
        Atoms that the prior cannot add.
    """
    codec.check_owns(prior.codec, "this prior belongs")
    if n < 1:
        raise PriorError(f"a crystal is completed in at least one way, not {n}")
    if gone.shape != (len(crystal),):
        raise CrystalError(f"it is said of {gone.size} sites whether they are gone; the crystal has {len(crystal)}")
    known = _known(crystal, gone)
    wanted = _wanted(crystal, gone, added)
    reduced, basis = niggli(known)
    if codec.window is not None:
        raise PriorError(f"the codec {codec.config.name!r} is one of windows; crystals are completed by periodic ones")
    holding = Counter(known.numbers.tolist())
    sites = len(known) + _count(wanted)
    patches = codec.representation.grid_of(reduced.lattice, sites)
    on_atom = reduced.translated(-reduced.frac_coords[0])
    (code,) = encode_together(codec, [on_atom], patches, refine=False)
    if isinstance(wanted, int):
        asked = Conditions(holding=holding, sites=(sites, sites))
    else:
        asked = Conditions(composition=holding + Counter(wanted), sites=(sites, sites))
    flow = prior.flow.condition(asked)
    part = replace(code, origin=code.origin - reduced.frac_coords[0])
    drawn = _drawn(codec, flow, reduced, part, n, seed)
    numbers, back = [*drawn], np.round(np.linalg.inv(basis)).astype(np.int64)
    if as_drawn:
        whole = {number: with_sites(known, _turned(one.sites, back)) for number, one in drawn.items()}
        ways = [
            Completed(whole[number], one.added, one.confidence, (number,), reason=_wrong(reduced, one.sites, wanted))
            for number, one in drawn.items()
        ]
        return sorted(ways, key=lambda way: (bool(way.reason), -way.confidence))
    found = agreed(reduced, [one.sites for one in drawn.values()], wanted)
    wrong = [_wrong(reduced, one.sites, wanted) for one in found]
    right = [k for k, reason in enumerate(wrong) if not reason]
    judged = _surprise(codec, prior.flow, reduced, [found[k].sites for k in right], part, seed)
    surprise = dict(zip(right, judged, strict=True))
    ways = [
        Completed(
            with_sites(known, _turned(one.sites, back)),
            len(one.sites.numbers),
            one.confidence,
            tuple(numbers[draw] for draw in one.draws),
            surprise.get(k),
            wrong[k],
        )
        for k, one in enumerate(found)
    ]
    return sorted(ways, key=lambda way: way.doubt)[:n]


def _drawn(
    codec: Codec,
    flow: FlowPrior,
    known: Crystal,
    part: CrystalCode,
    n: int,
    seed: int,
) -> dict[int, Drawn]:
    """Draw ways, again where they do not come out, and decode them, by their numbers; not those without an atom.

    Parameters
    ----------
    codec, flow, n, seed
        As of `complete`.
    known
        What is known, Niggli-reduced.
    part
        Its code.
    """
    ways: dict[int, Drawn] = {}
    trying = flow.planner.plan_in(known.lattice, part.patches, n, seed)
    while trying:
        codes = flow.filled(trying, seed, part=part)
        codes = replace(codes, codes=tuple(replace(c, origin=part.origin) for c in codes))
        found = codec.decode_crystals(codes, holding=[plan.composition.holding for plan in trying])
        decoded = {plan.number: one for plan, one in zip(trying, found, strict=True) if one is not None}
        ways |= {number: _told_apart(known, one) for number, one in decoded.items()}
        failed = [plan for plan in trying if plan.number not in ways or not ways[plan.number].came_out]
        trying = [replace(plan, attempt=plan.attempt + 1) for plan in failed if plan.attempt + 1 < flow.sampler.tries]
    return ways


def _surprise(
    codec: Codec, flow: FlowPrior, known: Crystal, added: Sequence[Sites], part: CrystalCode, seed: int
) -> list[float]:
    """Return how much each way surprises the flow, all hidden in the same noise, which tells them apart best."""
    whole = [with_sites(known, sites).translated(part.origin) for sites in added]
    placed = [Placement(crystal, np.eye(3, dtype=np.int64), part.patches) for crystal in whole]
    plans = [Plan(c.formula, Composition.of(c), known.lattice, part.patches, 0) for c in whole]
    return flow.surprise(plans, codec.encode_placed(placed, refine=False), seed)


def _known(crystal: Crystal, gone: Bool[np.ndarray, " sites"]) -> Crystal:
    """The sites that stay."""
    if not crystal.is_ordered:
        raise CrystalError(f"{crystal.called}: sites are shared or partly empty; completed are ordered")
    if gone.all():
        raise CrystalError(f"all of {crystal.called} would be taken out: `sample` makes whole crystals")
    plain = crystal.without_properties()
    return replace(plain, frac_coords=plain.frac_coords[~gone], numbers=plain.numbers[~gone])


def _wanted(
    crystal: Crystal, gone: Bool[np.ndarray, " sites"], added: Mapping[int, int] | int | None
) -> Mapping[int, int] | int:
    """What is to be added."""
    wanted = Counter(crystal.numbers[gone].tolist()) if added is None else added
    if _count(wanted) < 1:
        raise CrystalError(
            "nothing is taken out and nothing is to be added" if added is None else "no atom is to be added"
        )
    if not isinstance(wanted, int) and min(wanted.values()) < 1:
        raise CrystalError("of an element that is added there is at least one atom")
    return wanted


def _count(wanted: Mapping[int, int] | int) -> int:
    """How many atoms that are."""
    return wanted if isinstance(wanted, int) else sum(wanted.values())


def _wrong(known: Crystal, added: Sites, wanted: Mapping[int, int] | int) -> str:
    """What is wrong with sites that were added; empty where they are what was wanted, and have room."""
    reasons = [*room(with_sites(known, added)).reasons]
    if not as_wanted(added, wanted):
        reasons.insert(0, f"it adds {_told(added.holding)} in place of {_told(wanted)}")
    return "; ".join(reasons)


def _told(atoms: Mapping[int, int] | int) -> str:
    """Atoms of each element, as Li2 O1, or of any."""
    if isinstance(atoms, int):
        return f"{atoms} atoms"
    return " ".join(f"{symbol(z)}{n}" for z, n in sorted(atoms.items())) or "nothing"


def _told_apart(known: Crystal, decoded: DecodedCrystal) -> Drawn:
    """Known sites as they were, and what was decoded beside those that stand for them: the nearest, all in all.

    A new atom on the place of a known one, which was decoded elsewhere, is exchanged with it.
    """
    made = decoded.crystal
    far = distances(known.frac_coords, made.frac_coords, known.lattice)
    alike = known.numbers[:, None] == made.numbers
    far = np.where(alike | (far <= FOUND), far, UNLIKE)
    site, partner = linear_sum_assignment(far)
    stand = far[site, partner] < UNLIKE
    site, partner = site[stand], partner[stand]
    numbers, new = made.numbers.copy(), np.ones(len(made), dtype=bool)
    new[partner] = False
    for lost, on_its_place in zip(known.numbers[site], made.numbers[partner], strict=True):
        elsewhere = np.flatnonzero(new & (numbers == lost))
        if lost != on_its_place and len(elsewhere):
            numbers[elsewhere[0]] = on_its_place
    share = float((alike & (far <= FOUND))[site, partner].sum() / len(known))
    sites = Sites(made.frac_coords[new], numbers[new])
    return Drawn(with_sites(known, sites), int(new.sum()), share, decoded.confidence * share)


def _turned(sites: Sites, basis: Int[np.ndarray, "3 3"]) -> Sites:
    """The same sites in a cell of which the old one is `basis` times the vectors."""
    return sites._replace(frac_coords=wrapped(sites.frac_coords @ basis))
