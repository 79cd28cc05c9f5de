"""What is said of one sample, and of all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.io.tables import write_rows

METASTABLE = 0.1
"""eV/atom above the hull up to which a crystal counts as metastable."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sample; what was not looked at, or could not be, is None."""

    name: str
    crystal: Crystal | None
    """None where the sample could not be read."""
    reason: str = ""
    """Why it is not valid, or has no energy; empty where nothing is wrong."""
    structure_valid: bool = False
    composition_valid: bool = False
    valid: bool = False
    """Both, and CrystalNN finds its neighbours: CDVAE's validity."""
    density: float | None = None
    """g/cm³."""
    elements: int | None = None
    space_group: int | None = None
    crystal_system: str | None = None
    structure_distance: float | None = None
    """To the nearest structure fingerprint of the reference."""
    composition_distance: float | None = None
    """To the nearest composition fingerprint of the reference."""
    covered: bool = False
    """Whether both are below the protocol's thresholds."""
    unique: bool | None = None
    """Whether it is the first of its kind among the samples with atoms apart."""
    same_as: str = ""
    """Name of the first of its kind, where it is another."""
    novel: bool | None = None
    """Whether no training crystal is the same; None without a training set."""
    in_training: str = ""
    """Name of a training crystal that is the same."""
    stage: str = ""
    """The last potential that gave an energy."""
    energy: float | None = None
    """eV/atom after relaxation, by that potential."""
    above_hull: float | None = None
    """eV/atom above the hull of that potential; negative below it."""
    relaxed: bool | None = None
    """Whether all forces came below the limit."""
    displacement: float | None = None
    """Root mean square displacement from the sample to where relaxation ended, Å."""
    stable: bool | None = None
    """On or below the hull by the last potential of all; None where stability was not asked for."""
    metastable: bool | None = None
    """At most 0.1 eV/atom above it, stable ones included."""

    @property
    def vun(self) -> bool:
        """Valid, unique and novel."""
        return bool(self.valid and self.unique and self.novel)

    def row(self) -> dict[str, Any]:
        """All of it as one row of a table, without the crystal but for its formula and number of sites."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "crystal"}
        values["formula"] = self.crystal.formula if self.crystal else None
        values["sites"] = len(self.crystal) if self.crystal else None
        return values | {"vun": None if self.valid and self.novel is None else self.vun}


@dataclass(frozen=True)
class Scores:
    """One set judged: rows in the order of its crystals, and a summary over all of them."""

    rows: list[Verdict]
    summary: dict[str, Any]


@dataclass(frozen=True)
class Verdicts:
    """The samples, and beside them two controls, by the same rules against the same reference."""

    samples: Scores
    held_out: Scores
    """Real crystals that neither reference nor training set holds."""
    substituted: Scores
    """Known crystals with their elements exchanged at random."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What was compared, and how."""

    @property
    def sets(self) -> dict[str, Scores]:
        """The three by their names."""
        return {"samples": self.samples, "held_out": self.held_out, "substituted": self.substituted}

    def summary(self) -> dict[str, Any]:
        """Settings, and the scores of samples and controls."""
        return {"settings": self.settings, **{name: scores.summary for name, scores in self.sets.items()}}

    def write_rows(self, path: str | Path) -> int:
        """Write all rows of all sets to parquet, and return how many. All or nothing."""
        rows = [{"set": name, **verdict.row()} for name, scores in self.sets.items() for verdict in scores.rows]
        return write_rows(rows, _schema(), path)


def _schema() -> Any:
    """Columns of the rows, whatever is None in all of them."""
    import pyarrow as pa

    text = ["set", "name", "reason", "crystal_system", "same_as", "in_training", "stage", "formula"]
    flags = ["structure_valid", "composition_valid", "valid", "covered", "unique", "novel", "vun"]
    flags += ["relaxed", "stable", "metastable"]
    counts = ["elements", "space_group", "sites"]
    numbers = ["density", "structure_distance", "composition_distance", "energy", "above_hull", "displacement"]
    kinds = ((text, pa.string()), (flags, pa.bool_()), (counts, pa.int32()), (numbers, pa.float64()))
    return pa.schema([(name, kind) for names, kind in kinds for name in names])


def rates(rows: Sequence[Verdict], *, novelty: bool) -> dict[str, Any]:
    """Shares of all rows, failures included; symmetry is over those whose symmetry could be determined.

    Without `novelty`, as without a training set, nothing is said of what is novel.
    """
    n = len(rows)

    def share(count: int) -> float | None:
        return count / n if n else None

    systems = Counter(row.crystal_system for row in rows if row.space_group is not None)
    known = sum(systems.values())
    return {
        "n": n,
        "readable": sum(row.crystal is not None for row in rows),
        "structure_valid_rate": share(sum(row.structure_valid for row in rows)),
        "composition_valid_rate": share(sum(row.composition_valid for row in rows)),
        "valid_rate": share(sum(row.valid for row in rows)),
        "cov_precision": share(sum(row.covered for row in rows)),
        "unique_rate": share(sum(bool(row.unique) for row in rows)),
        "novel_rate": share(sum(bool(row.novel) for row in rows)) if novelty else None,
        "vun_rate": share(sum(row.vun for row in rows)) if novelty else None,
        "p1_rate": sum(row.space_group == 1 for row in rows) / known if known else None,
        "crystal_systems": {str(name): count / known for name, count in systems.most_common()},
        **_stability(rows),
    }


def _stability(rows: Sequence[Verdict]) -> dict[str, Any]:
    """Shares of all rows that are valid, unique, novel and (meta)stable; None where stability was not looked at."""
    looked = [row for row in rows if row.stable is not None]
    if not looked:
        nothing = ("relaxed", "sun_rate", "metastable_sun_rate", "above_hull_median", "displacement_median")
        return dict.fromkeys(nothing)
    moved = [row.displacement for row in rows if row.displacement is not None]
    above = [row.above_hull for row in rows if row.above_hull is not None]
    return {
        "relaxed": len(moved),
        "sun_rate": sum(row.vun and bool(row.stable) for row in rows) / len(rows),
        "metastable_sun_rate": sum(row.vun and bool(row.metastable) for row in rows) / len(rows),
        "above_hull_median": float(np.median(above)) if above else None,
        "displacement_median": float(np.median(moved)) if moved else None,
    }
