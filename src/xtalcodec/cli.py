"""The command line: every verb is a thin function over the library."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xtalcodec.codec import Codec
    from xtalcodec.crystal import Crystal
    from xtalcodec.files import Unusable
    from xtalcodec.metrics.reconstruction import Reconstruction

WRONG_USAGE, SOME_UNUSABLE = 2, 3
"""Exit statuses beside 0."""

app = typer.Typer(
    help="Encode crystal structures into latent vectors and decode them back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Sources of crystals, and conversion to parquet.", no_args_is_help=True)
app.add_typer(data_app, name="data")

Inputs = Annotated[
    list[str],
    typer.Argument(
        help="CIF, POSCAR, extxyz, JSON, ASE db, parquet, CSV with a cif column, folders; or 'aflow-prototypes'."
    ),
]
CodecName = Annotated[
    str, typer.Option("--codec", help="A codec that ships with the package, a folder, or user/repository.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the summary (and rows) here as JSON.")]
MaxSites = Annotated[int, typer.Option(help="Refuse crystals with more sites.", min=1)]
NoRefine = Annotated[
    bool, typer.Option("--no-refine", help="Take the encoder's latent as it is: faster, a little less exact.")
]
Symprec = Annotated[float | None, typer.Option(help="Symmetrise what is written, within this many Å.", min=0)]


class Format(StrEnum):
    """Formats that crystals are written in."""

    cif = "cif"
    poscar = "poscar"
    extxyz = "extxyz"
    json = "json"


class Where(StrEnum):
    """Where training runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


@app.command()
def reconstruct(
    files: Inputs,
    codec: CodecName = "mp",
    out: Annotated[Path | None, typer.Option(help="Folder for the decoded crystals.")] = None,
    format: Annotated[Format, typer.Option(help="Format of the decoded crystals.")] = Format.cif,  # noqa: A002
    symprec: Symprec = None,
    json: Json = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with originals and reconstructions in 3-D.")] = None,
    self_check: Annotated[
        bool, typer.Option("--self-check", help="Re-encode what was decoded and compare the latents.")
    ] = False,
    no_refine: NoRefine = False,
    max_sites: MaxSites = 2000,
    workers: Annotated[int, typer.Option(help="Processes that compare structures.", min=1)] = 1,
    device: Device = "auto",
) -> None:
    """Encode crystals, decode them, and say how well they came back.

    Example: xtalcodec reconstruct quartz.cif perovskites/ --out back --html back/index.html
    """
    from xtalcodec.report import print_summary, print_table

    rows, unusable, model, seconds = _reconstruct(
        files, codec, device, max_sites, None, not no_refine, self_check, workers
    )
    print_table(rows, self_check)
    print_summary(rows, model, seconds, unusable, json, with_rows=True)
    if out:
        from xtalcodec.export import write_many

        paths = write_many((r.decoded for r in rows if r.decoded), out, format.value, symprec)
        typer.echo(f"{len(paths)} decoded crystals are in {out}")
    if html:
        from xtalcodec.plots.page import write_page

        write_page(rows, html, "xtalcodec: crystals and what came back", f"codec {model.identity}")
        typer.echo(f"originals and reconstructions side by side: {html}")
    _finish(unusable, lost=any(r.decoded is None for r in rows))


@app.command()
def encode(
    files: Inputs,
    out: Annotated[Path, typer.Option(help="The latents, one row per crystal (parquet).")],
    codec: CodecName = "mp",
    no_refine: NoRefine = False,
    max_sites: MaxSites = 2000,
    device: Device = "auto",
) -> None:
    """Encode crystals to latents.

    Example: xtalcodec encode structures/ --out latents.parquet
    """
    with _clear_errors():
        model = _codec(codec, device)
        crystals, unusable = _load(files, max_sites, model)
        if crystals:
            with _progress("encoding", len(crystals)) as advance:
                latents = model.encode(crystals, refine=not no_refine, progress=advance)
            latents.to_parquet(out)
            mean = sum(c.numbers for c in latents) / len(latents)
            typer.echo(f"{len(latents)} crystals, {mean:.0f} numbers each in the mean: {out}")
    _finish(unusable)


@app.command()
def decode(
    latents: Annotated[Path, typer.Argument(help="What `xtalcodec encode` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for the crystals.")],
    codec: Annotated[str | None, typer.Option(help="The codec, where the file's own is not one that ships.")] = None,
    format: Annotated[Format, typer.Option(help="Format of the crystals.")] = Format.cif,  # noqa: A002
    symprec: Symprec = None,
    self_check: Annotated[
        bool, typer.Option("--self-check", help="Re-encode what was decoded and compare the latents.")
    ] = False,
    json: Json = None,
    device: Device = "auto",
) -> None:
    """Decode latents to crystals.

    Example: xtalcodec decode latents.parquet --out crystals --symprec 0.1
    """
    from xtalcodec.export import write_many
    from xtalcodec.files import Unusable
    from xtalcodec.latents import Latents
    from xtalcodec.report import write_json

    with _clear_errors():
        codes = Latents.from_parquet(latents)
        model = _codec(codec or codes.codec.rpartition("-")[0], device)
        with _progress("decoding", len(codes)) as advance:
            decoded = model.decode_crystals(codes, progress=advance)
        paths = write_many((d.crystal for d in decoded if d), out, format.value, symprec)
        distances = model.self_check(codes, decoded) if self_check else [None] * len(codes)
    rows = [
        {
            "name": c.name,
            "formula": d.crystal.formula,
            "sites": len(d.crystal),
            "confidence": d.confidence,
            "self_check": x,
        }
        for c, d, x in zip(codes, decoded, distances, strict=True)
        if d
    ]
    if self_check and rows:
        typer.echo(
            f"self-check: decoded crystals' latents lie {median(r['self_check'] for r in rows):.3g} away (median RMS)"
        )
    typer.echo(f"{len(paths)} crystals are in {out}")
    write_json(json, rows)
    _finish(
        [
            Unusable(c.name, "no atom found in the decoded field")
            for c, d in zip(codes, decoded, strict=True)
            if d is None
        ]
    )


@app.command()
def evaluate(
    data: Inputs,
    codec: CodecName = "mp",
    limit: Annotated[
        int | None, typer.Option(help="Take this many crystals, evenly spread over the data.", min=1)
    ] = None,
    max_sites: MaxSites = 2000,
    workers: Annotated[int, typer.Option(help="Processes that compare structures.", min=1)] = 1,
    self_check: Annotated[
        bool, typer.Option("--self-check", help="Re-encode what was decoded and compare the latents.")
    ] = False,
    no_refine: NoRefine = False,
    json: Json = None,
    card: Annotated[
        bool, typer.Option("--card", help="Note the scores in the model card of a codec in a folder.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Measure reconstruction: match rate and RMS displacement by CDVAE's protocol, by number of sites.

    Example: xtalcodec evaluate mp_val.parquet --codec mp --workers 2 --json scores.json
    """
    from xtalcodec.report import print_summary

    rows, unusable, model, seconds = _reconstruct(
        data, codec, device, max_sites, limit, not no_refine, self_check, workers
    )
    scores = print_summary(rows, model, seconds, unusable, json, with_rows=False)
    if card:
        from xtalcodec.codec import Codec
        from xtalcodec.training.card import note_scores

        with _clear_errors():
            folder = Codec.folder(codec)
            if folder is None:
                raise ValueError(f"--card: {codec} is no folder")
            note_scores(folder, _names(data), scores)
    _finish(unusable)


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(help="A recipe that ships with the package (mp, perov-5, carbon-24) or a YAML file.")
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Settings over the recipe's: optimiser.steps=5000 …")
    ] = None,
    data: Annotated[list[str], typer.Option("--data", help="Crystals to learn from; may be repeated.")] = ...,  # type: ignore[assignment]
    val: Annotated[list[str], typer.Option("--val", help="Held-out crystals; may be repeated.")] = ...,  # type: ignore[assignment]
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the codec.")] = ...,  # type: ignore[assignment]
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
    minutes: Annotated[
        float | None, typer.Option(help="End the schedule after this time instead of the recipe's steps.")
    ] = None,
    device: Annotated[Where, typer.Option(help="Where to train.")] = Where.auto,
) -> None:
    """Train a codec. Under torchrun, on every process that it starts.

    Example: xtalcodec train mp --data mp_train.parquet --val mp_val.parquet --out runs/mp --minutes 60
    """
    with _clear_errors():
        from xtalcodec.training import recipe as recipes
        from xtalcodec.training.loop import train as run

        settings = recipes.load(recipe, overrides or [])
        crystals, unusable = _load(data, 10**6, None)
        held_out, more = _load(val, 10**6, None)
        if not crystals or not held_out:
            _tell(unusable + more)
            raise ValueError("no crystal to train on" if not crystals else "no held-out crystal")
        facts = {"recipe": " ".join([recipe, *(overrides or [])]), "data": _names(data), "val": _names(val)}
        facts["command"] = shlex.join(["xtalcodec", *(Path(w).name if "/" in w else w for w in sys.argv[1:])])
        run(settings, crystals, held_out, out, resume=resume, minutes=minutes, device=device.value, facts=facts)
        typer.echo(f"the codec is in {out}: xtalcodec evaluate … --codec {out}")
    _finish(unusable + more)


@app.command()
def info(
    codec: Annotated[str | None, typer.Argument(help="A codec; without one, those that ship are listed.")] = None,
) -> None:
    """Show a codec's model card.

    Example: xtalcodec info mp
    """
    from xtalcodec.codec import CARD, Codec, pretrained

    with _clear_errors():
        if codec is None:
            for name in pretrained():
                model = Codec.from_pretrained(name)
                count = sum(p.numel() for p in model.network.parameters())
                typer.echo(
                    f"{name:12} {model.identity}  {count / 1e6:.2f} M weights, {len(model.config.elements)} elements"
                )
            typer.echo("xtalcodec info NAME shows a codec's model card")
            return
        folder = Codec.folder(codec)
        if folder is None or not (folder / CARD).is_file():
            raise FileNotFoundError(f"{codec} has no model card on this machine")
        typer.echo((folder / CARD).read_text())


@data_app.command("list")
def data_list() -> None:
    """List the sources of crystals that need no file."""
    from xtalcodec import data

    for name, description in data.available().items():
        typer.echo(f"{name:18} {description}")


@data_app.command("show")
def data_show(files: Inputs, max_sites: MaxSites = 2000) -> None:
    """Count crystals, sites and elements of any supported input.

    Example: xtalcodec data show mp_train.parquet
    """
    import numpy as np

    with _clear_errors():
        crystals, unusable = _load(files, max_sites, None)
    if crystals:
        sites = np.array([len(c) for c in crystals])
        symbols = sorted({s for c in crystals for s in c.symbols})
        typer.echo(f"crystals  {len(crystals)}")
        typer.echo(f"sites     {sites.min()} to {sites.max()}, median {np.median(sites):g}, {sites.sum()} in all")
        typer.echo(f"elements  {len(symbols)}: {' '.join(symbols)}")
        volume = sum(c.volume for c in crystals) / sites.sum()
        typer.echo(f"volume    {volume:.2f} Å³ per site")
    _finish(unusable)


@data_app.command("convert")
def data_convert(
    files: Inputs, out: Annotated[Path, typer.Option(help="The parquet file.")], max_sites: MaxSites = 2000
) -> None:
    """Convert any supported input to one parquet file.

    Example: xtalcodec data convert cifs/ --out crystals.parquet
    """
    from xtalcodec.export import write_parquet

    with _clear_errors():
        crystals, unusable = _load(files, max_sites, None)
        if crystals:
            typer.echo(f"{write_parquet(crystals, out)} crystals are in {out}")
    _finish(unusable)


def main() -> None:
    """Run the command line."""
    app(prog_name="xtalcodec")


# What the verbs share


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what the user can mend into one line and exit status 2."""
    try:
        yield
    except (ValueError, OSError, ModuleNotFoundError) as error:
        typer.echo(f"xtalcodec: {error}", err=True)
        raise typer.Exit(WRONG_USAGE) from error


def _codec(name: str, device: str) -> "Codec":
    from xtalcodec.codec import Codec

    return Codec.from_pretrained(name, device=device)


def _load(inputs: Sequence[str], max_sites: int, codec: "Codec | None") -> "tuple[list[Crystal], list[Unusable]]":
    """Read crystals; with a codec, set those aside that it cannot hold."""
    from xtalcodec import data
    from xtalcodec.crystal import CrystalError
    from xtalcodec.files import Unusable

    crystals, unusable = data.load(inputs, max_sites)
    if codec is None:
        return crystals, unusable
    usable = []
    for crystal in crystals:
        try:
            codec.check(crystal)
            usable.append(crystal)
        except CrystalError as error:
            unusable.append(Unusable(crystal.name, str(error)))
    return usable, unusable


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
    from xtalcodec.metrics.reconstruction import reconstruct, timed

    with _clear_errors():
        model = _codec(codec, device)
        crystals, unusable = _load(inputs, max_sites, None)
        if limit is not None and limit < len(crystals):
            crystals = [crystals[k * len(crystals) // limit] for k in range(limit)]
        if not crystals:
            _finish(unusable)
        with _progress("reconstructing", len(crystals)) as advance:
            rows, seconds = timed(
                lambda: reconstruct(
                    model, crystals, refine=refine, self_check=self_check, workers=workers, progress=advance
                )
            )
    return rows, unusable, model, seconds


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on the error stream while something runs."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, advance=done)


def _names(inputs: Sequence[str]) -> str:
    """What data is called, wherever it lies."""
    return ", ".join(Path(x).name for x in inputs)


def _tell(unusable: "Sequence[Unusable]") -> None:
    """List what could not be used, on the error stream."""
    for item in unusable:
        typer.echo(f"unusable: {item.name}: {item.reason}", err=True)


def _finish(unusable: "Sequence[Unusable]", *, lost: bool = False) -> None:
    """End with status 3 where some inputs were unusable."""
    _tell(unusable)
    if unusable or lost:
        raise typer.Exit(SOME_UNUSABLE)
