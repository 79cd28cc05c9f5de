"""`reconstruct` and `evaluate`: how well crystals come back."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtalcodec.cli.options import (
    Cell,
    CodecName,
    Device,
    Format,
    Inputs,
    Json,
    MaxSites,
    NoRefine,
    Reader,
    SelfCheck,
    Symprec,
    Workers,
)
from xtalcodec.cli.running import (
    clear_errors,
    evenly,
    finish,
    load_codec,
    load_crystals,
    names_of,
    progress_bar,
    tell_notes,
)
from xtalcodec.io.limits import MAX_SITES

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.evaluation.reconstruction import Reconstruction
    from xtalcodec.io.read import Unusable


def reconstruct(
    files: Inputs,
    codec: CodecName = "mp",
    out: Annotated[Path | None, typer.Option(help="Folder for the decoded crystals.")] = None,
    format: Annotated[Format, typer.Option(help="Format of the decoded crystals.")] = Format.cif,  # noqa: A002
    symprec: Symprec = None,
    json: Json = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with originals and reconstructions in 3-D.")] = None,
    self_check: SelfCheck = False,
    no_refine: NoRefine = False,
    max_sites: MaxSites = MAX_SITES,
    workers: Workers = 1,
    device: Device = "auto",
) -> None:
    """Encode crystals, decode them, and say how well they came back.

    Example: xtalcodec reconstruct quartz.cif perovskites/ --out back --html back/index.html
    """
    from xtalcodec.cli.report import print_summary, print_table
    from xtalcodec.io.read import Unusable

    rows, unusable, model, seconds = _reconstruct(
        files, codec, device, max_sites, None, not no_refine, self_check, workers
    )
    print_table(rows, self_check)
    tell_notes([row.original for row in rows])
    print_summary(rows, model, seconds, unusable, json, with_rows=True)
    if out:
        from xtalcodec.io.write import write_many

        paths = write_many((r.decoded for r in rows if r.decoded), out, format.value, symprec)
        typer.echo(f"{len(paths)} decoded crystals are in {out}")
    if html:
        from xtalcodec.viz.pages.page import write_page

        write_page(rows, html, "xtalcodec: crystals and what came back", f"codec {model.identity}")
        typer.echo(f"originals and reconstructions side by side: {html}")
    finish([*unusable, *(Unusable(r.original.name, r.reason) for r in rows if r.decoded is None)])


def evaluate(
    data: Inputs,
    codec: CodecName = "mp",
    limit: Annotated[
        int | None, typer.Option(help="Take this many crystals, evenly spread over the data.", min=1)
    ] = None,
    max_sites: MaxSites = MAX_SITES,
    workers: Workers = 1,
    self_check: SelfCheck = False,
    no_refine: NoRefine = False,
    json: Json = None,
    card: Annotated[
        bool, typer.Option("--card", help="Note the scores in the model card of a codec in a folder.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the random rotations and places that windows are seen from.")] = 0,
    discriminator: Annotated[
        bool,
        typer.Option(
            "--discriminator",
            help="Windows: tell true from decoded and from sampled densities by the paper's discriminator.",
        ),
    ] = False,
    from_density: Annotated[
        bool,
        typer.Option("--from-density", help="Windows: give the encoder the paper's density alone; takes longer."),
    ] = False,
    representation: Annotated[
        str | None, typer.Option(help="With --codec none: unit_cell or repeating, true fields with no network between.")
    ] = None,
    cell: Annotated[
        Cell | None,
        typer.Option(help="With --codec none --representation unit_cell: images of the sites, see `generate --cell`."),
    ] = None,
    reader: Annotated[
        Reader | None,
        typer.Option(help="What atoms are read off, with --codec none (density if not given) or of a hoffmann codec."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure reconstruction: match rate and RMS displacement by CDVAE's protocol, by number of sites.

    With a window codec, every crystal is rotated at random and seen from a random place, and the
    paper's measures are taken: distances of atoms both ways, counts, species, density.

    Example: xtalcodec evaluate mp_val.parquet --codec mp --workers 2 --json scores.json
    """
    from xtalcodec.cli.oracle import evaluate_oracle
    from xtalcodec.cli.report import print_summary
    from xtalcodec.cli.windows import evaluate_windows, is_window

    kind = "none" if codec == "none" else "window" if is_window(codec) else "crystal"
    given = {
        "--from-density": from_density,
        "--discriminator": discriminator,
        "--self-check": self_check,
        "--no-refine": no_refine,
        "--representation": representation,
        "--cell": cell,
        "--reader": reader,
    }
    with clear_errors():
        _refuse([option for option, value in given.items() if value], codec, kind)
    folder = _card_folder(codec) if card else None
    if kind == "none":
        way, images = (reader or Reader.density).value, cell.value if cell else None
        scores, unusable = evaluate_oracle(data, representation, images, way, max_sites, limit, seed, workers, json)
    elif kind == "window":
        scores, unusable = evaluate_windows(
            data,
            codec,
            device,
            max_sites,
            limit,
            seed,
            discriminator,
            json,
            refine=not no_refine,
            from_density=from_density,
            reader=reader.value if reader else None,
            workers=workers,
        )
    else:
        rows, unusable, model, seconds = _reconstruct(
            data, codec, device, max_sites, limit, not no_refine, self_check, workers
        )
        scores = print_summary(rows, model, seconds, unusable, json, with_rows=False)
    if folder:
        from xtalcodec.codecs.card import note_scores

        with clear_errors():
            note_scores(folder, names_of(data), scores)
    finish(unusable)


KINDS = {
    "none": ("--codec none", "has no network"),
    "window": ("codecs of windows", "encodes windows"),
    "crystal": ("codecs of crystals on their own cell", "encodes crystals on their own cell"),
}
"""What `evaluate` measures: how messages call it, and what it does."""

FOR = {
    "--from-density": ("window",),
    "--discriminator": ("window",),
    "--self-check": ("crystal",),
    "--no-refine": ("window", "crystal"),
    "--representation": ("none",),
    "--cell": ("none",),
    "--reader": ("none", "window"),
}
"""Options of `evaluate` that do not mean something for every kind."""


def _refuse(options: Sequence[str], codec: str, kind: str) -> None:
    """Raise ValueError at the first option that would change nothing."""
    for option in options:
        if kind not in FOR[option]:
            whose = " and ".join(KINDS[one][0] for one in FOR[option])
            raise ValueError(f"{option} is for {whose}; {codec} {KINDS[kind][1]}")


def _card_folder(codec: str) -> Path:
    """The folder whose card gets the scores; a codec without one is refused before anything is measured."""
    from xtalcodec.codecs.hub import writable

    with clear_errors():
        return writable(codec)


def _reconstruct(
    inputs: Sequence[str],
    codec: str,
    device: str,
    max_sites: int,
    limit: int | None,
    refine: bool,
    self_check: bool,
    workers: int,
) -> "tuple[list[Reconstruction], list[Unusable], Codec, float]":
    """Load, reconstruct and time."""
    from xtalcodec.evaluation.reconstruction import reconstruct, timed

    with clear_errors():
        model = load_codec(codec, device)
        crystals, unusable = load_crystals(inputs, max_sites, None)
        crystals = evenly(crystals, limit)
        if not crystals:
            finish(unusable)
        with progress_bar("reconstructing", len(crystals)) as advance:
            rows, seconds = timed(
                lambda: reconstruct(
                    model, crystals, refine=refine, cycle_consistency=self_check, workers=workers, progress=advance
                )
            )
    return rows, unusable, model, seconds
