"""`figures`: the paper's figures of a codec of windows."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtalcodec.cli.options import Device, MaxSites, NoRefine
from xtalcodec.cli.running import clear_errors, finish, load_codec, load_crystals, names_of, progress_bar
from xtalcodec.io.limits import MAX_SITES, evenly

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.io.read import Unusable


class Print(StrEnum):
    """Formats of printed figures."""

    png = "png"
    pdf = "pdf"


def figures(
    run: Annotated[str, typer.Argument(help="Folder of a training, or a codec of windows (unit_cell, repeating).")],
    out: Annotated[Path, typer.Option(help="Folder for the figures.")],
    data: Annotated[list[str] | None, typer.Option("--data", help="Crystals to measure; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(help="Take this many crystals, evenly spread over the data.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Of the rotations and offsets that crystals are seen in.", min=0)] = 0,
    formats: Annotated[
        list[Print] | None, typer.Option("--format", help="png or pdf; may be repeated; both if not given.")
    ] = None,
    no_refine: NoRefine = False,
    max_sites: MaxSites = MAX_SITES,
    device: Device = "auto",
) -> None:
    """Draw a codec's learning curve and how crystals come back: the figures of Hoffmann et al. 2019.

    As PNG and PDF for print, and one HTML page of densities and atoms to turn with the mouse. Whether the data are
    held out is yours to see to: crystals that the codec was trained on flatter it.

    Example: xtalcodec figures runs/mp-repeating --data mp_val.parquet --out figures
    """
    with clear_errors():
        from xtalcodec.viz.figures.style import FORMATS

        model = load_codec(run, device)
        kinds = [kind.value for kind in formats or []] or FORMATS
        paths = _curve(model, run, out, kinds)
        unusable, drawn = _windows(
            model, data or ["aflow-prototypes"], limit, max_sites, seed, not no_refine, out, kinds
        )
        if not paths and not drawn:
            raise ValueError(f"nothing to draw of {run}")
        for path in [*paths, *drawn]:
            typer.echo(str(path))
    finish(unusable)


def _curve(model: "Codec", run: str, out: Path, kinds: Sequence[str]) -> list[Path]:
    """Draw the learning curve, or say that there is none."""
    from xtalcodec.codecs.hub import folder_of
    from xtalcodec.viz.figures.draw import draw_curve
    from xtalcodec.viz.figures.learning import read_curve

    folder = folder_of(run)
    curve = read_curve(folder) if folder else None
    if curve is None:
        typer.echo(f"{run} came without the notes of its training: no learning curve", err=True)
        return []
    return draw_curve(curve, model.identity, out, paper=model.window is not None and model.window.closed, formats=kinds)


def _windows(
    model: "Codec",
    sources: list[str],
    limit: int,
    max_sites: int,
    seed: int,
    refine: bool,
    out: Path,
    kinds: Sequence[str],
) -> "tuple[list[Unusable], list[Path]]":
    """Measure crystals in windows and draw that."""
    from xtalcodec.evaluation.windows import measure
    from xtalcodec.viz.figures.draw import COUNT, About, draw_windows

    if model.window is None:
        text = (
            f"{model.config.name} is a codec of no window (unit_cell, repeating): the figures of windows are left out"
        )
        typer.echo(text, err=True)
        return [], []
    crystals, unusable = load_crystals(sources, max_sites)
    crystals = evenly(crystals, limit)
    with progress_bar("decoding", len(crystals)) as advance:
        rows = measure(model, crystals, seed=seed, refine=refine, progress=advance)
    with progress_bar("drawing", COUNT) as advance:
        paths = draw_windows(rows, About.of(model, names_of(sources)), out, kinds, advance)
    for row in rows:
        if not row.fits:
            typer.echo(f"does not fit: {row.reconstruction.original.name}: {row.reconstruction.reason}", err=True)
    return unusable, paths
