"""`evaluate-samples`: generated crystals of anyone, judged beside two controls."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.bulk import Executor, Scheduler, Where, Workers, check_table
from xtalcodec.cli.hull import tell_far_below
from xtalcodec.cli.options import Cache, Inputs, Json, MaxSites, Potential
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, progress_bar
from xtalcodec.io.limits import MAX_SITES, evenly

if TYPE_CHECKING:
    from xtalcodec.evaluation.generation import Verdicts
    from xtalcodec.evaluation.generation.staging import Stage


class Protocol(StrEnum):
    """CDVAE's data sets, each with its thresholds of coverage."""

    perov_5 = "perov-5"
    carbon_24 = "carbon-24"
    mp_20 = "mp-20"


LINES = (
    ("readable", "readable", "count"),
    ("atoms apart (> 0.5 Å)", "structure_valid_rate", "share"),
    ("charges balance (smact)", "composition_valid_rate", "share"),
    ("valid", "valid_rate", "share"),
    ("COV-R", "cov_recall", "share"),
    ("COV-P", "cov_precision", "share"),
    ("distance of densities (g/cm³)", "density_distance", "number"),
    ("distance of numbers of elements", "elements_distance", "number"),
    ("unique", "unique_rate", "share"),
    ("novel", "novel_rate", "share"),
    ("valid, unique, novel (V.U.N.)", "vun_rate", "share"),
    ("P1, of those with symmetry known", "p1_rate", "share"),
    ("relaxed", "relaxed", "count"),
    ("stable, unique, novel (S.U.N.)", "sun_rate", "share"),
    ("metastable S.U.N. (≤ 0.1 eV/atom)", "metastable_sun_rate", "share"),
    ("displacement on relaxing, median (Å)", "displacement_median", "number"),
)
"""What the table shows: text, key of the summary, how it is written."""


def evaluate_samples(
    samples: Inputs,
    reference: Annotated[list[str], typer.Option(help="Real crystals to compare with; may be given several times.")],
    train: Annotated[
        list[str] | None, typer.Option(help="What the samples' model was trained on: tells what is novel.")
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(help="Real crystals for the control; otherwise half of the reference is held out for it."),
    ] = None,
    protocol: Annotated[Protocol, typer.Option(help="Whose thresholds of coverage.")] = Protocol.mp_20,
    stability: Annotated[
        bool, typer.Option("--stability", help="Relax what is valid, unique and novel; needs --train.")
    ] = False,
    hull: Annotated[
        str | None,
        typer.Option(
            help="Table of `xtalcodec hull`; mp, which ships, if not given. The last potential in it decides."
        ),
    ] = None,
    potential: Annotated[
        Potential | None,
        typer.Option(help="The one that decides; of those of the table the faster ones sort out before it."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many samples, evenly spread over all.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of the controls.", min=0)] = 0,
    max_sites: MaxSites = MAX_SITES,
    workers: Workers = 1,
    executor: Executor = Where.local,
    scheduler: Scheduler = None,
    cache: Cache = None,
    json: Json = None,
    rows: Annotated[Path | None, typer.Option(help="Write a row for every sample and control here (parquet).")] = None,
) -> None:
    """Judge generated crystals: valid, near real ones, unique, novel, stable; beside two controls in the same run.

    The controls are real crystals that were held out, and those of --train, or else of the reference, with their
    elements exchanged at random.
    What cannot be read, or relaxed, stays in every denominator.

    Example: xtalcodec evaluate-samples samples/ --reference test.parquet --train train.parquet --rows rows.parquet
    """
    from xtalcodec.cli.report import write_json

    with clear_errors():
        from xtalcodec.evaluation.generation import Memo, judge
        from xtalcodec.evaluation.generation.inputs import read_crystals, read_samples
        from xtalcodec.io.read import Unusable
        from xtalcodec.parallel import open_pool

        check_table(rows, "--rows")
        keep_inputs([*samples, *reference, *(train or []), *(held_out or [])], json=json, rows=rows)
        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            steps = _stages(stability, hull, potential, train)
            found = evenly(read_samples(samples, max_sites), limit)
            real, unusable = read_crystals("reference", reference, max_sites)
            others = {}
            for name, paths in (("training", train), ("held-out", held_out)):
                if paths:
                    others[name], more = read_crystals(name, paths, max_sites)
                    unusable += more
            unusable = [*(s for s in found if isinstance(s, Unusable)), *unusable]
            with Memo(cache or (rows and rows.with_suffix(".sqlite"))) as memo:
                verdicts = judge(
                    found,
                    real,
                    train=others.get("training", ()),
                    held_out=others.get("held-out"),
                    protocol=protocol.value,
                    stages=steps,
                    seed=seed,
                    memo=memo,
                    pool=pool,
                    progress=progress_bar,
                )
        _show(verdicts)
        _tell_unweighed(verdicts)
        if steps:
            for name, part in verdicts.sets.items():
                tell_far_below([row.above_hull for row in part.rows], steps[-1].hull, f"{name}: ")
        about = {"unusable": [{"name": u.name, "reason": u.reason} for u in unusable]}
        write_json(json, verdicts.summary() | about)
        if rows:
            typer.echo(f"{verdicts.write_rows(rows)} rows are in {rows}")
    finish(unusable)


def _stages(
    stability: bool, hull: str | None, potential: Potential | None, train: Sequence[str] | None
) -> "list[Stage]":
    """Potentials with their hulls, before anything slow begins."""
    if not stability:
        if hull or potential:
            raise ValueError("--hull and --potential are for --stability")
        return []
    if not train:
        raise ValueError("--stability looks at what is novel: it needs --train")
    from xtalcodec.evaluation.generation import Hull, stages
    from xtalcodec.evaluation.generation.hull import DEFAULT

    return stages(Hull.up_to(hull or DEFAULT, potential and potential.value))


def _show(verdicts: "Verdicts") -> None:
    """Samples and controls side by side."""
    from xtalcodec.cli.report import show_table

    scores = [part.summary for part in verdicts.sets.values()]
    lines = [[text, *(_written(s[key], kind) for s in scores)] for text, key, kind in LINES]
    lines = [line for line in lines if set(line[1:]) != {"–"}]
    systems = list(dict.fromkeys(name for s in scores for name in s["crystal_systems"]))
    lines += [[name, *(_written(s["crystal_systems"].get(name, 0.0), "share") for s in scores)] for name in systems]
    heads = [f"{name} ({s['n']})" for name, s in zip(("samples", "held out", "substituted"), scores, strict=True)]
    show_table(["", *heads], lines, [True] * len(lines))
    about = verdicts.settings
    typer.echo(
        f"against {about['reference']} reference and {about['train']} training crystals; thresholds of "
        f"{about['protocol']}: {about['structure_threshold']:g} (structure), {about['composition_threshold']:g} "
        f"(composition); seed {about['seed']}"
    )


def _tell_unweighed(verdicts: "Verdicts") -> None:
    """Say of how many samples and controls the stability is not known, which then count as not stable."""
    for name, part in verdicts.sets.items():
        lost = [row for row in part.rows if row.vun and row.stable is not None and row.above_hull is None]
        if lost:
            typer.echo(
                f"note: {name}: {len(lost)} that are valid, unique and novel have no distance to the hull, and count "
                f"as not stable; the first: {lost[0].reason}",
                err=True,
            )


def _written(value: Any, kind: str) -> str:
    if value is None:
        return "–"
    return {"share": f"{100 * value:.2f} %", "count": f"{value}", "number": f"{value:.3f}"}[kind]
