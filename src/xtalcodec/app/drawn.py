"""What workers draw from priors: samples, ways to complete a crystal, and variations of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtalcodec.app import views
from xtalcodec.app.jobs import Part, Tell
from xtalcodec.app.offers import PROTOTYPES
from xtalcodec.app.work import pictured, with_others
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.compositions import composition, of_one_composition
from xtalcodec.priors.conditions import Conditions

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.codecs.latents import LatentSet
    from xtalcodec.priors.base import Prior

TOGETHER = 2
"""Samples of a flow at a time: the first ones are to be seen soon."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Draw crystals that nobody has seen."""

    count: int
    seed: int = 0
    temperature: float = 1.0
    source: str = PROTOTYPES
    """Of the prior; only one that is offered."""
    asked: Conditions | None = None
    """Not every prior can be asked."""
    reference: Sequence[Crystal] = ()
    """Known crystals, to tell which samples are new."""

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:
        """Return what the prior was fitted to; each sample is a part as it comes."""
        from xtalcodec.codecs.latents import LatentSet
        from xtalcodec.evaluation.generation import Assessor
        from xtalcodec.latent_space.sample import draw

        prior = _prior(codec, self.source, tell)
        if self.asked:
            prior = prior.condition(self.asked)
        tell(0, self.count)
        assessor = Assessor(codec)
        known = _Known(self.reference)
        drawn = draw(codec, prior, self.count, self.seed, self.temperature, together=TOGETHER)
        for k, one in enumerate(drawn):
            (row,) = assessor.judge(LatentSet((one.code,), prior.codec), [one.decoded])
            same_as = "" if row.crystal is None else known.named(row.crystal)
            missed = ["not the atoms that were planned"] if one.as_planned is False else []
            if not self._symmetry_met(row.crystal):
                missed.append("not of the symmetry that was asked for")
            picture = views.view(row.crystal, row.name, row.space_group, row.reason)
            table = views.table_of([row.crystal])
            about = {"row": row, "twin": row.same_as, "known": same_as, "missed": missed}
            part({**about, "view": picture, "elements": table})
            tell(k + 1, self.count)
        return {"prior": prior.description}

    def _symmetry_met(self, crystal: Crystal | None) -> bool:
        if crystal is None or self.asked is None:
            return True
        return Conditions(space_group=self.asked.space_group, system=self.asked.system).met(crystal)


@dataclass(frozen=True, slots=True)
class Complete:
    """Draw what may be where sites of a crystal are missing."""

    crystal: Crystal
    gone: tuple[int, ...]
    """Sites that are taken out."""
    added: Mapping[int, int] | int | None
    """Atoms of each element to add, or how many of any; what was taken out if None."""
    count: int
    seed: int
    source: str
    """Of a flow that is offered."""

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:  # noqa: ARG002
        """Return the ways, the surest first, with the usual checks."""
        from xtalcodec.evaluation.generation import checked
        from xtalcodec.latent_space.complete import complete

        prior = _prior(codec, self.source, tell)
        gone = np.zeros(len(self.crystal), dtype=bool)
        gone[list(self.gone)] = True
        ways = complete(codec, prior, self.crystal, gone, self.count, added=self.added, seed=self.seed)
        called = self.crystal.called
        wanted = len(self.gone) if self.added is None else self.added
        asked = wanted if isinstance(wanted, int) else sum(wanted.values())
        items = []
        for k, way in enumerate(ways, start=1):
            row = checked(f"{called}-{k}", way.crystal, way.confidence)
            picture = views.view(way.crystal, f"way {k}", row.space_group, way.reason)
            kept = len(way.crystal) - way.added
            picture |= {"marked": [*range(kept, kept + way.added)], "ringed": "new"}
            table = views.table_of([way.crystal])
            items.append(
                {
                    "row": row,
                    "view": picture,
                    "elements": table,
                    "added": way.added,
                    "drawn": len(way.draws),
                    "doubt": way.doubt,
                    "asked": asked,
                }
            )
        return {"ways": items}


@dataclass(frozen=True, slots=True)
class Vary:
    """Draw crystals near one: its code is noised in part, and denoised by a flow."""

    crystal: Crystal
    replacements: tuple[str, ...]
    """Elements that are replaced before."""
    sites: tuple[int, ...]
    """Where they are; everywhere if empty."""
    noise: float
    """How far, above 0 and up to 1."""
    count: int
    seed: int
    source: str
    """Of a flow that is offered."""

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:  # noqa: ARG002
        """Return the variations with the usual checks."""
        from xtalcodec.latent_space.flows import variations

        prior = _prior(codec, self.source, tell)
        asked = with_others(self.crystal, self.replacements, self.sites)
        codes = variations(codec, prior, asked, self.noise, self.count, self.seed)
        found = codec.decode_crystals(codes, holding=[asked.holding] * len(codes))
        return pictured(codec, codes, found, [f"variation {k + 1}" for k in range(self.count)])


_PRIORS: dict[str, Any] = {}
"""Priors that this worker has fitted or opened, by their source."""


def _prior(codec: "Codec", source: str, tell: Tell) -> "Prior":
    """Open a prior, or fit the normal distribution to the codes of the most frequent grid."""
    from xtalcodec.codecs.latents import LatentSet
    from xtalcodec.priors import open_prior
    from xtalcodec.priors.gaussian import GaussianPrior, grids

    if source in _PRIORS:
        return _PRIORS[source]
    if source != PROTOTYPES and not Path(source).is_file():
        _PRIORS[source] = open_prior(source)
        return _PRIORS[source]
    codes = _prototype_codes(codec, tell) if source == PROTOTYPES else LatentSet.from_parquet(source)
    grid = next(iter(grids(codes)))
    part = tuple(code for code in codes if code.patches == grid)
    _PRIORS[source] = GaussianPrior.of(LatentSet(part, codes.codec))
    return _PRIORS[source]


def _prototype_codes(codec: "Codec", tell: Tell) -> "LatentSet":
    from xtalcodec.app.links import prototypes
    from xtalcodec.crystal import CrystalError

    placed = []
    for crystal in prototypes().values():
        try:
            placed.append(codec.place(crystal))
        except CrystalError:
            continue  # of another size or other elements than the codec's: nothing to learn from
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        tell(done, len(placed))

    return codec.encode_placed(placed, refine=False, progress=advance)


class _Known:
    """Known crystals, by their composition: none of another is the same."""

    def __init__(self, crystals: Sequence[Crystal]) -> None:
        self._groups = {form: [crystals[k] for k in places] for form, places in of_one_composition(crystals).items()}

    def named(self, crystal: Crystal) -> str:
        """Name of the first that is the same crystal, by StructureMatcher; empty for none."""
        from xtalcodec.evaluation.displacement import rms_displacement

        alike = self._groups.get(composition(crystal), [])
        found = next((one for one in alike if rms_displacement(one, crystal) is not None), None)
        return "" if found is None else found.called
