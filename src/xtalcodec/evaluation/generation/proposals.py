"""Samples of a prior and all that is said of each: what decodes, whether it is new, how stable it is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.decoding import DecodedCrystal
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.decoded import Assessor, Generated
from xtalcodec.evaluation.generation.kept_codes import MemoCodes
from xtalcodec.evaluation.generation.memo import Memo, crystal_hash
from xtalcodec.io.tables import of_files, write_rows
from xtalcodec.io.write import text_of
from xtalcodec.latent_space.sample import draw
from xtalcodec.parallel import HERE, Pool
from xtalcodec.priors.base import Prior
from xtalcodec.priors.conditions import Conditions

if TYPE_CHECKING:
    from pyarrow import Schema

TOGETHER = 32
"""Samples judged at a time."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A sample; what was not looked at, or could not be, is None."""

    code: CrystalCode
    decoded: DecodedCrystal | None
    about: Generated
    """Of the crystal that it decodes to; of what that relaxed to, where samples were to be relaxed."""
    as_planned: bool | None
    """Whether it holds just the atoms that its cell was to hold; None of a prior that plans no cells."""
    asked: Conditions = field(default_factory=Conditions)
    """What it was asked to be."""
    rank: int | None = None
    """Its place, from 1, where samples were ranked."""
    novel: bool | None = None
    """Whether it is none of the reference crystals; None without a reference, or where it is not valid."""
    nearest: str | None = None
    """Name of the reference crystal that is the same, or of the nearest one of its reduced formula."""
    energy_before: float | None = None
    """eV/atom of the sample as it decoded."""
    energy: float | None = None
    """eV/atom after relaxation."""
    above_hull: float | None = None
    """eV/atom above the hull; negative below it."""
    relaxed: bool | None = None
    """Whether all forces came below the limit."""
    displacement: float | None = None
    """Root mean square displacement from the sample to where relaxation ended, Å."""
    symmetrised: bool | None = None
    """Whether what it became was brought to its symmetry; None where that was not asked for."""
    why_unranked: str | None = None
    """Why it has no energy, or none above the hull, where that was asked for."""

    @property
    def name(self) -> str:
        """Of the sample: with the seed, it says which one it is."""
        return self.about.name

    @property
    def judged(self) -> Crystal | None:
        """The crystal, where it is worth comparing and relaxing: valid and ordered."""
        crystal = self.about.crystal
        return crystal if crystal is not None and self.about.valid and crystal.is_ordered else None

    @property
    def as_asked(self) -> bool | None:
        """Whether the cell that decoded has the atoms, and the crystal the symmetry, that were asked for.

        None where neither was asked, or nothing decoded.
        """
        if self.decoded is None or self.about.crystal is None or replace(self.asked, properties={}) == Conditions():
            return None
        return self.asked.met_by_atoms(self.decoded.crystal) and self.asked.met_by_symmetry(self.about.crystal)

    def row(self) -> dict[str, Any]:
        """All of it as one row of a table, without the crystal but for its formula and number of sites as decoded."""
        one, crystal = self.about, self.about.crystal
        row: dict[str, Any] = {"rank": self.rank, "name": one.name, "formula": crystal.formula if crystal else None}
        cell = self.decoded.crystal if self.decoded else crystal
        row |= {"sites": len(cell) if cell else 0, "volume_per_atom": one.volume, "closest": one.closest}
        row |= {"confidence": one.confidence, "space_group": one.space_group, "explained": one.explained}
        row |= {"valid": one.valid, "reason": one.reason, "same_as": one.same_as, "as_planned": self.as_planned}
        row |= {"as_asked": self.as_asked}
        row |= {"novel": self.novel, "nearest": self.nearest, "energy_before": self.energy_before}
        row |= {"energy_per_atom": self.energy, "symmetrised": self.symmetrised}
        row |= {"above_hull": self.above_hull, "relaxed": self.relaxed, "displacement": self.displacement}
        return row | {"why_unranked": self.why_unranked}


def proposals(
    codec: Codec,
    prior: Prior,
    n: int,
    seed: int = 0,
    temperature: float = 1.0,
    progress: Callable[[int], None] | None = None,
    memo: Memo | None = None,
    pool: Pool = HERE,
) -> Iterator[Proposal]:
    """Yield samples as they come, each judged beside those before it.

    Parameters
    ----------
    codec, prior, n, seed, temperature, progress, pool
        As of `latent_space.sample.draw`.
    memo
        Where codes are kept, so that a run that was killed goes on; None for nowhere.
    """
    kept = MemoCodes(memo, prior, seed, temperature) if memo is not None and prior.plans else None
    drawn = draw(codec, prior, n, seed, temperature, progress, kept=kept, pool=pool)
    assessor, asked = Assessor(codec), prior.flow.conditions if prior.plans else Conditions()
    while part := list(islice(drawn, TOGETHER)):
        codes = LatentSet(tuple(one.code for one in part), prior.codec)
        judged = assessor.judge(codes, [one.decoded for one in part])
        for one, about in zip(part, judged, strict=True):
            yield Proposal(one.code, one.decoded, about, one.as_planned, asked)


RANKS: dict[str, Callable[[Proposal], Any]] = {
    "confidence": lambda one: (not one.about.valid, -one.about.confidence),
    "stability": lambda one: (not one.about.valid, _height(one), -one.about.confidence),
}
"""What samples can be ranked by: valid ones first, the best of them before the others."""


def _height(one: Proposal) -> tuple[bool, float]:
    """Energy above the hull, or per atom without a hull; what has none comes last."""
    height = one.energy if one.above_hull is None else one.above_hull
    if one.why_unranked:
        height = None
    return height is None, height or 0.0


def ranked(samples: Sequence[Proposal], by: str) -> list[Proposal]:
    """Order samples, and number them.

    Parameters
    ----------
    samples
        All of them; of two that are alike in it, the earlier one stays before the other.
    by
        One of `RANKS`.
    """
    return [replace(one, rank=k) for k, one in enumerate(sorted(samples, key=RANKS[by]), start=1)]


def write_table(samples: Sequence[Proposal], path: str | Path, symprec: float | None = None) -> int:
    """Write a row for every sample to parquet, with its CIF, and return how many. All or nothing.

    The table says that its crystals are in files beside it: it is read where it is named, not with its folder.

    Parameters
    ----------
    samples
        In the order of the rows.
    path
        Of the file.
    symprec
        With a tolerance in Å, CIFs are symmetrised.
    """
    rows = [one.row() | {"cif": cif_of(one, symprec)} for one in samples]
    return write_rows(rows, _schema(), path)


def tolerance(one: Proposal, symprec: float | None) -> float | None:
    """Å within which a sample is written on its symmetry: what relaxed and would lose by it is not."""
    return None if one.symmetrised is False else symprec


def cif_of(one: Proposal, symprec: float | None) -> str | None:
    """Return the CIF of a sample; None where nothing decoded."""
    return text_of(one.about.crystal, "cif", tolerance(one, symprec)) if one.about.crystal else None


def _schema() -> "Schema":
    """Columns of the table, whatever is None in all of them."""
    import pyarrow as pa

    text, flag, count, number = pa.string(), pa.bool_(), pa.int32(), pa.float64()
    kinds = {"rank": count, "name": text, "cif": text, "formula": text, "sites": count, "volume_per_atom": number}
    kinds |= {"closest": number, "confidence": number, "space_group": text, "explained": number, "valid": flag}
    kinds |= {"reason": text, "same_as": text, "as_planned": flag, "as_asked": flag, "novel": flag, "nearest": text}
    kinds |= {
        "energy_before": number,
        "energy_per_atom": number,
        "symmetrised": flag,
        "above_hull": number,
        "relaxed": flag,
        "displacement": number,
    }
    return of_files(pa.schema(list((kinds | {"why_unranked": text}).items())))


def worth_judging(samples: Sequence[Proposal]) -> dict[str, Crystal]:
    """Crystals of the valid and ordered samples, by their hash."""
    return {crystal_hash(one.judged): one.judged for one in samples if one.judged is not None}
