"""What `evaluate --codec none` says: how well atoms can be read off true fields, with no network between."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from xtalcodec.cli.report import write_json
from xtalcodec.cli.running import finish, load_crystals, progress_bar, tell
from xtalcodec.io.limits import evenly

if TYPE_CHECKING:
    from xtalcodec.parallel import Pool


def evaluate_oracle(
    data: Sequence[str],
    representation: str | None,
    cell: str | None,
    reader: str,
    max_sites: int,
    limit: int | None,
    seed: int,
    pool: "Pool",
    json: Path | None,
) -> tuple[dict[str, Any], int]:
    """Measure a reader on true fields, print the scores; return them, and how many inputs could not be used."""
    from xtalcodec.config import unknown
    from xtalcodec.evaluation.oracle import REPRESENTATIONS, measure_oracle, oracle_summary

    if representation is None:
        raise ValueError(f"--codec none needs --representation: {' or '.join(REPRESENTATIONS)}")
    if representation not in REPRESENTATIONS:
        raise ValueError(unknown("representation", representation, list(REPRESENTATIONS)))
    window: Any = REPRESENTATIONS[representation]
    if cell:
        if representation != "unit_cell":
            raise ValueError("--cell is for --representation unit_cell")
        window = replace(window, cell=cell)
    crystals, unusable = load_crystals(data, max_sites)
    crystals = evenly(crystals, limit)
    if not crystals:
        finish(unusable)
    with progress_bar("reading", len(crystals)) as advance:
        rows = measure_oracle(crystals, window, reader, seed=seed, pool=pool, progress=advance)
    scores = {"representation": representation, "reader": reader, "seed": seed, **oracle_summary(rows, reader)}
    scores["unusable"] = [{"name": u.name, "reason": u.reason} for u in unusable]
    _print(scores)
    write_json(json, scores)
    return scores, tell(unusable)


def _print(scores: dict[str, Any]) -> None:
    """Scores as text; crystals that do not fit and those that are not perfect, by name."""
    for row in scores["not_fitting"]:
        typer.echo(f"not in the window: {row['name']}: {row['reason']}", err=True)
    for row in scores["imperfect"]:
        typer.echo(
            f"imperfect: {row['name']} ({row['formula']}): {row['missing']} atoms missing, {row['extra']} too many, "
            f"{row['wrong_species']} of wrong species, error up to {row['largest_error']:.4g} Å",
            err=True,
        )
    typer.echo(f"no codec: atoms from the true {scores['representation']} {scores['reader']}")
    typer.echo(f"crystals  {scores['crystals']}, of which {scores['fit']} fit the window; rates are over these")
    if not scores["fit"]:
        return
    typer.echo(
        f"perfect   {100 * scores['perfect_rate']:.2f} %: all atoms, their species, within {scores['tolerance']:g} Å "
        f"(number {100 * scores['count_per_window']:.2f} %, and species {100 * scores['species_per_window']:.2f} %)"
    )
    for name, text in (("true_to_decoded", "true to decoded"), ("decoded_to_true", "decoded to true")):
        values = "  ".join(f"{q} %: {x:.2g}" for q, x in scores[name].items())
        typer.echo(f"Å         {text}  {values}")
    typer.echo(f"speed     {scores['crystals_per_second']:.1f} crystals/s in each process")
