"""`reconstruct` and `evaluate`: how well crystals come back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from xtalcodec.cli.bulk import Chunk, Executor, Scheduler, Where, Workers
from xtalcodec.cli.compared import Question, compared
from xtalcodec.cli.decoded import check_pictures
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
)
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, names_of, tell
from xtalcodec.io.limits import MAX_SITES

Rows = Annotated[
    Path | None, typer.Option(help="Keep a row for each crystal: a .parquet file, or a folder of such files.")
]


def reconstruct(
    files: Inputs,
    codec: CodecName = "mp",
    out: Annotated[Path | None, typer.Option(help="Folder for the decoded crystals.")] = None,
    format: Annotated[Format, typer.Option(help="Format of the decoded crystals.")] = Format.cif,  # noqa: A002
    symprec: Symprec = None,
    json: Json = None,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a page with originals and reconstructions in 3-D.")
    ] = None,
    self_check: SelfCheck = False,
    no_refine: NoRefine = False,
    rows: Rows = None,
    max_sites: MaxSites = MAX_SITES,
    device: Device = "auto",
    executor: Executor = Where.local,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    chunk: Chunk = None,
) -> None:
    """Encode crystals, decode them, and say how well they came back. Killed, the same command goes on where it was.

    Example: xtalcodec reconstruct quartz.cif perovskites/ --out back --html back/index.html
    """
    with clear_errors():
        from xtalcodec.parallel import open_pool

        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            keep_inputs(files, out=out, rows=rows, json=json, html=html)
            check_pictures(page=html)
            question = Question(files, codec, device, max_sites, not no_refine, self_check, chunk)
            with compared(question, pool, rows, out or json or html) as result:
                refused = 0
                if result.count:
                    result.table(self_check=self_check)
                    result.scores(json, with_rows=True)
                    refused = result.write_decoded(out, format.value, symprec) if out else refused
                    if html:
                        result.write_page(html)
                lost = result.tell_lost(not_decoded=True) + refused
    finish([], lost=bool(lost))


def evaluate(
    data: Inputs,
    codec: CodecName = "mp",
    limit: Annotated[
        int | None, typer.Option(help="Take this many crystals, evenly spread over the data.", min=1)
    ] = None,
    max_sites: MaxSites = MAX_SITES,
    self_check: SelfCheck = False,
    no_refine: NoRefine = False,
    json: Json = None,
    rows: Rows = None,
    card: Annotated[
        bool, typer.Option("--card", help="Note the scores in the model card of a codec in a folder.")
    ] = False,
    seed: Annotated[
        int, typer.Option(help="Of the random rotations and places that windows are seen from.", min=0)
    ] = 0,
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
    executor: Executor = Where.local,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    chunk: Chunk = None,
) -> None:
    """Measure reconstruction: match rate and RMS displacement by CDVAE's protocol, by number of sites.

    With a window codec, every crystal is rotated at random and seen from a random place, and the
    paper's measures are taken: distances of atoms both ways, counts, species, density.

    Killed, the same command goes on where it was, if --rows or --json keeps the result; a window codec begins again.

    Example: xtalcodec evaluate mp_val.parquet --codec mp --workers 2 --json scores.json
    """
    from xtalcodec.cli.oracle import evaluate_oracle
    from xtalcodec.cli.windows import evaluate_windows, is_window

    given = {
        "--from-density": from_density,
        "--discriminator": discriminator,
        "--self-check": self_check,
        "--no-refine": no_refine,
        "--representation": representation,
        "--cell": cell,
        "--reader": reader,
        "--rows": rows,
        "--chunk": chunk,
    }
    with clear_errors():
        from xtalcodec.parallel import open_pool

        kind = "none" if codec == "none" else "window" if is_window(codec) else "crystal"
        _refuse([option for option, value in given.items() if value], codec, kind)
        keep_inputs(data, rows=rows, json=json)
        folder = _card_folder(codec) if card else None
        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            if kind == "none":
                way, images = (reader or Reader.density).value, cell.value if cell else None
                scores, lost = evaluate_oracle(data, representation, images, way, max_sites, limit, seed, pool, json)
            elif kind == "window":
                scores, lost = evaluate_windows(
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
                    pool=pool,
                )
            else:
                question = Question(data, codec, device, max_sites, not no_refine, self_check, chunk, limit)
                with compared(question, pool, rows, json) as result:
                    scores = result.scores(json, with_rows=False) if result.count else {}
                    lost = result.tell_lost(not_decoded=False)
                    tell(result.not_decoded())  # they count in the scores, and are not lost
        if folder and scores:
            from xtalcodec.cli.report import finite
            from xtalcodec.codecs.card import note_scores

            note_scores(folder, names_of(data), finite(scores))
    finish([], lost=bool(lost))


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
    "--rows": ("crystal",),
    "--chunk": ("crystal",),
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

    return writable(codec)
