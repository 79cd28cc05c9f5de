"""Judge a set of crystals against reference and training crystals, beside two controls in the same run."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import isfinite

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.controls import drawn, halves, substituted
from xtalcodec.evaluation.generation.coverage import distribution_distances, nearest, thresholds
from xtalcodec.evaluation.generation.description import Description, describe, described, what_describes
from xtalcodec.evaluation.generation.inputs import ordered
from xtalcodec.evaluation.generation.memo import Memo, Progress, crystal_hash, remembered, silent
from xtalcodec.evaluation.generation.novelty import Kinship, kinship
from xtalcodec.evaluation.generation.staging import Stage, weigh
from xtalcodec.evaluation.generation.verdict import Scores, Verdict, Verdicts, rates
from xtalcodec.io.read import Unusable
from xtalcodec.parallel import HERE, Pool

Sample = Crystal | Unusable
"""A sample, or why it could not be read: it stays in every denominator."""


def judge(
    samples: Sequence[Sample],
    reference: Sequence[Crystal],
    *,
    train: Sequence[Crystal] = (),
    held_out: Sequence[Crystal] | None = None,
    protocol: str = "mp-20",
    stages: Sequence[Stage] = (),
    seed: int = 0,
    memo: Memo | None = None,
    pool: Pool = HERE,
    progress: Progress = silent,
) -> Verdicts:
    """Judge samples and two controls by the same rules against the same reference.

    Parameters
    ----------
    samples
        To be judged; what could not be read keeps its row.
    reference
        Real crystals that coverage and distributions are compared with.
    train
        Crystals that the samples' model has seen; without them nothing is novel or not.
    held_out
        Real crystals for the control, of which as many as there are samples are drawn. None: half of the reference,
        drawn at random, which then is no part of the reference.
    protocol
        Of which of CDVAE's data sets the thresholds of coverage are: perov-5, carbon-24, mp-20.
    stages
        Of `stages`, to relax what is valid, unique and novel; needs `train`.
    seed
        Of the draws.
    memo
        Where results are kept; in memory if not given.
    pool
        Where the work is done.
    progress
        Opens a progress bar of a name and a length.

    Raises
    ------
    ValueError
        No sample, no reference, an unknown protocol, stages without training crystals.
    ModuleNotFoundError
        smact or matminer is not installed.
    """
    limits = thresholds(protocol)
    samples = [ordered(sample) for sample in samples]
    _check(samples, [*reference, *train, *(held_out or ())], train, stages)
    if not reference:
        raise ValueError("there is no reference crystal")
    if held_out is None:
        reference, held_out = halves(reference, seed)
    elif not held_out:
        raise ValueError("there is no held-out crystal")
    sets: dict[str, Sequence[Sample]] = {
        "samples": samples,
        "held_out": drawn(held_out, len(samples), seed),
        "substituted": substituted(train or reference, len(samples), seed),
    }
    with nullcontext(memo) if memo else Memo() as kept:
        bench = Bench(kept, pool, progress)
        found = _judged(sets, reference, train, protocol, stages, seed, bench)
    settings = {
        "protocol": protocol,
        "structure_threshold": limits.structure,
        "composition_threshold": limits.composition,
        "reference": len(reference),
        "train": len(train),
        "seed": seed,
        "potentials": {stage.potential: stage.steps for stage in stages},
    }
    return Verdicts(**found, settings=settings)


def _check(samples: Sequence, real: Sequence[Crystal], train: Sequence, stages: Sequence[Stage]) -> None:
    if not samples:
        raise ValueError("there is no sample")
    for crystal in real:
        if not crystal.is_ordered:
            raise ValueError(f"{crystal.name}: crystals to compare with must have no shared or partly empty sites")
    for library in ("smact", "matminer"):
        if find_spec(library) is None:
            raise ModuleNotFoundError(f"{library} is not installed", name=library)
    if stages and not train:
        raise ValueError("stability is looked for in what is novel, which needs the training crystals")


@dataclass(frozen=True, slots=True)
class Bench:
    """Where results are kept, where they are computed, and who is told."""

    memo: Memo
    pool: Pool
    progress: Progress

    def describe(self, crystals: Mapping[str, Crystal], what: str) -> dict[str, Description]:
        """Descriptions of crystals by their hash."""
        tasks = {key: (crystal,) for key, crystal in crystals.items()}
        with self.progress(what, len(tasks)) as advance:
            found = remembered(self.memo, what_describes(), describe, tasks, self.pool, advance)
        return {key: described(value) for key, value in found.items()}


def _judged(
    sets: dict[str, Sequence[Sample]],
    reference: Sequence[Crystal],
    train: Sequence[Crystal],
    protocol: str,
    stages: Sequence[Stage],
    seed: int,
    bench: Bench,
) -> dict[str, Scores]:
    real = {crystal_hash(c): c for c in reference}
    known = bench.describe(real, "reference")
    beside = [known[crystal_hash(c)] for c in reference]
    training = {crystal_hash(c): c for c in train}
    result = {}
    for name, members in sets.items():
        rows, descriptions = ruled(members, training, bench, name, novelty=bool(train))
        there, back = nearest(descriptions, beside)
        covered = there.covered(thresholds(protocol))
        distances = zip(there.structure.tolist(), there.composition.tolist(), covered.tolist(), strict=True)
        rows = [
            replace(row, structure_distance=s, composition_distance=c, covered=near) if isfinite(s) else row
            for row, (s, c, near) in zip(rows, distances, strict=True)
        ]
        if stages:
            rows = weigh(rows, stages, bench.memo, bench.pool, bench.progress, name)
        summary = rates(rows, novelty=bool(train))
        summary["cov_recall"] = float(back.covered(thresholds(protocol)).mean())
        summary |= distribution_distances(descriptions, beside, seed)
        result[name] = Scores(rows, summary)
    return result


def valid_unique_novel(samples: Sequence[Sample], train: Sequence[Crystal], memo: Memo | None = None) -> list[Verdict]:
    """Apply the rules alone, without reference and controls: what a training asks of its samples at every checkpoint.

    Parameters
    ----------
    samples
        In order; what could not be read keeps its row.
    train
        Crystals that the model has seen.
    memo
        Where results are kept; in memory if not given.
    """
    samples = [ordered(sample) for sample in samples]
    training = {crystal_hash(c): c for c in train}
    with nullcontext(memo) if memo else Memo() as kept:
        bench = Bench(kept, HERE, silent)
        return ruled(samples, training, bench, "samples", novelty=bool(train))[0]


def ruled(
    samples: Sequence[Sample], training: Mapping[str, Crystal], bench: Bench, what: str, *, novelty: bool
) -> tuple[list[Verdict], list[Description | None]]:
    """Apply the rules, and look for twins among the samples and in the training set.

    Parameters
    ----------
    samples
        In order; what could not be read keeps its row.
    training
        By the hash of each.
    bench
        Where the work is done.
    what
        The set's name in progress bars.
    novelty
        Whether there is a training set to compare with.
    """
    hashes = [crystal_hash(s) if isinstance(s, Crystal) else "" for s in samples]
    crystals = {key: s for key, s in zip(hashes, samples, strict=True) if isinstance(s, Crystal)}
    found = bench.describe(crystals, what)
    apart = {key: crystal for key, crystal in crystals.items() if found[key].structure_valid}
    # A valid one before one that is not: of two that are the same, the valid one is the first of its kind.
    ordered = {key: apart[key] for key in sorted(apart, key=lambda key: not found[key].valid)}
    kin = kinship(ordered, training, bench.memo, bench.pool, bench.progress, what)
    names: dict[str, str] = {}
    for key, sample in zip(hashes, samples, strict=True):
        names.setdefault(key, sample.name)
    rows: list[Verdict] = []
    seen: set[str] = set()
    for key, sample in zip(hashes, samples, strict=True):
        if isinstance(sample, Unusable):
            rows.append(Verdict(sample.name, None, sample.reason))
            continue
        row = _row(sample, found[key])
        if key in apart:
            row = _with_kin(row, key, kin, names, training, again=key in seen, novelty=novelty)
            seen.add(key)
        rows.append(row)
    return rows, [found.get(key) for key in hashes]


def _row(crystal: Crystal, description: Description) -> Verdict:
    """What the rules say."""
    return Verdict(
        name=crystal.name,
        crystal=crystal,
        reason=description.flaw,
        structure_valid=description.structure_valid,
        composition_valid=description.composition_valid,
        valid=description.valid,
        density=description.density,
        elements=description.elements,
        space_group=description.space_group,
        crystal_system=description.crystal_system,
    )


def _with_kin(
    row: Verdict,
    key: str,
    kin: Kinship,
    names: Mapping[str, str],
    training: Mapping[str, Crystal],
    *,
    again: bool,
    novelty: bool,
) -> Verdict:
    """Say whether it is the first of its kind, and whether the training set holds it."""
    if key in kin.failures:
        return replace(row, reason="; ".join(filter(None, [row.reason, kin.failures[key]])))
    unique = kin.first[key] == key and not again
    row = replace(row, unique=unique, same_as="" if unique else names[kin.first[key]])
    if not novelty:
        return row
    twin = kin.twin[key]
    return replace(row, novel=twin is None, in_training=training[twin].name if twin else "")
