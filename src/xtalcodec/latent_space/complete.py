"""Crystals that are completed: known sites are kept, the rest is drawn from a prior."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment

from xtalcodec.codecs.base import Codec, DecodedCrystal
from xtalcodec.codecs.together import encode_together
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.distances import distances
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.room import room
from xtalcodec.priors.base import Prior
from xtalcodec.priors.conditions import Conditions, PriorError

FOUND = 0.5
"""Å: a known site was given back if the decoded site that stands for it is this near."""


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """A way to complete a crystal."""

    crystal: Crystal
    """In the cell that was given: the known sites as they were, then the new ones."""
    added: int
    """Of the sites, how many are new: the last ones."""
    found: float
    """Share of the known sites that decoding gave back of itself."""
    confidence: float
    """The decoder's, times the share of the known sites that were found."""
    number: int = 0
    """Which of the ways drawn it is, from 0."""

    @property
    def came_out(self) -> bool:
        """Whether decoding gave all known sites back, and all atoms are apart and have room."""
        return self.found == 1 and not room(self.crystal).reasons


def complete(
    codec: Codec,
    prior: Prior,
    crystal: Crystal,
    gone: Bool[np.ndarray, " sites"],
    n: int = 20,
    *,
    added: Mapping[int, int] | int | None = None,
    seed: int = 0,
) -> list[Completed]:
    """Take sites out of a crystal, and draw what may be there; the surest first.

    Known sites stay where they are. What is decoded beside them is new. A way that loses known sites, or has atoms too
    near each other, is drawn again, as often as the prior's sampler says.

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
        Ways to draw.
    added
        Atoms of each element to add, by atomic number, or how many of any; what was taken out if not given.
    seed
        Another gives other ways.

    Raises
    ------
    CrystalError
        A crystal that the codec cannot hold; nothing left, nothing to add.
    PriorError
        Atoms that the prior cannot add.
    """
    codec.check_owns(prior.codec)
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
    back = -reduced.frac_coords[0] + code.origin
    ways: dict[int, Completed] = {}
    trying = flow.planner.plan_in(reduced.lattice, patches, n, seed)
    while trying:
        codes = flow.filled(trying, seed, part=code)
        codes = replace(codes, codes=tuple(replace(c, basis=basis, origin=back, name=known.name) for c in codes))
        found = codec.decode_crystals(codes, holding=[plan.composition.holding for plan in trying])
        decoded = {plan.number: one for plan, one in zip(trying, found, strict=True) if one is not None}
        ways |= {number: replace(_completed(known, one), number=number) for number, one in decoded.items()}
        failed = [plan for plan in trying if plan.number not in ways or not ways[plan.number].came_out]
        trying = [replace(plan, attempt=plan.attempt + 1) for plan in failed if plan.attempt + 1 < flow.sampler.tries]
    return sorted(ways.values(), key=lambda way: -way.confidence)


def _known(crystal: Crystal, gone: Bool[np.ndarray, " sites"]) -> Crystal:
    """The sites that stay."""
    if not crystal.is_ordered:
        raise CrystalError(
            f"{crystal.name or crystal.formula}: sites are shared or partly empty; completed are ordered"
        )
    if gone.all():
        raise CrystalError(
            f"all of {crystal.name or crystal.formula} would be taken out: `sample` makes whole crystals"
        )
    plain = crystal.without_properties()
    return replace(plain, frac_coords=plain.frac_coords[~gone], numbers=plain.numbers[~gone])


def _wanted(
    crystal: Crystal, gone: Bool[np.ndarray, " sites"], added: Mapping[int, int] | int | None
) -> Mapping[int, int] | int:
    """What is to be added."""
    wanted = Counter(crystal.numbers[gone].tolist()) if added is None else added
    if _count(wanted) < 1:
        raise CrystalError("nothing is taken out and nothing is to be added")
    return wanted


def _count(wanted: Mapping[int, int] | int) -> int:
    """How many atoms that are."""
    return wanted if isinstance(wanted, int) else sum(wanted.values())


def _completed(known: Crystal, decoded: DecodedCrystal) -> Completed:
    """Known sites as they were, and what was decoded beside those that stand for them: the nearest, all in all."""
    made = decoded.crystal
    far = _distances(known, made)
    pairs = [
        (i, j) for i, j in zip(*linear_sum_assignment(np.minimum(far, 1e3)), strict=True) if np.isfinite(far[i, j])
    ]
    new = np.ones(len(made), dtype=bool)
    new[[j for _, j in pairs]] = False
    share = float(sum(far[i, j] <= FOUND for i, j in pairs) / len(known))
    crystal = replace(
        known,
        frac_coords=np.concatenate([known.frac_coords, made.frac_coords[new]]),
        numbers=np.concatenate([known.numbers, made.numbers[new]]),
    )
    return Completed(crystal, int(new.sum()), share, decoded.confidence * share)


def _distances(known: Crystal, made: Crystal) -> Float[np.ndarray, "known made"]:
    """Å from each known site to each decoded one of its element; infinite to others."""
    far = distances(known.frac_coords, made.frac_coords, known.lattice)
    return np.where(known.numbers[:, None] == made.numbers, far, np.inf)
