"""`encode` and `decode`: crystals to latents, and back; any number of them, on any number of workers."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.bulk import (
    Chunk,
    Executor,
    Scheduler,
    Where,
    Workers,
    check_folder_for,
    deliver,
    is_file,
    run_bulk,
    shards_of,
    write_shards,
)
from xtalcodec.cli.options import (
    CodecName,
    Device,
    Inputs,
    Json,
    MaxSites,
    NoRefine,
    SelfCheck,
    Symprec,
    TableFormat,
)
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, load_codec, tell, tell_left_out, tell_notes
from xtalcodec.io.limits import MAX_SITES

if TYPE_CHECKING:
    from xtalcodec.bulk.shards import Shards


def encode(
    files: Inputs,
    out: Annotated[
        Path, typer.Option(help="The latents, one row per crystal: a .parquet file, or a folder of such files.")
    ],
    codec: CodecName = "mp",
    no_refine: NoRefine = False,
    max_sites: MaxSites = MAX_SITES,
    device: Device = "auto",
    executor: Executor = Where.local,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    chunk: Chunk = None,
) -> None:
    """Encode crystals to latents. Killed, the same command goes on where it was.

    Codes hold cell, species and positions: charges, magnetic moments and other properties are left out, with a note.

    Example: xtalcodec encode structures/ --out latents.parquet --workers 8
    """
    with clear_errors():
        from xtalcodec.bulk import coding
        from xtalcodec.datasets import inputs
        from xtalcodec.parallel import open_pool

        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            keep_inputs(files, out=out)
            name = coding.CodecName.of(codec, device)
            length = chunk or (coding.CHUNK if no_refine else coding.CHUNK_REFINED)
            crystals = inputs.Inputs(files, max_sites, length)
            with shards_of(out, kept=not is_file(out)) as folder:
                shards = run_bulk("encoding", folder, crystals, coding.Encode(name, not no_refine), pool)
                if rows := deliver(shards, out):
                    mean = shards.totals["numbers"] / rows
                    typer.echo(f"{rows} crystals, {mean:.0f} numbers each in the mean: {out}")
                tell_notes(shards.notes())
                tell_left_out(shards.totals, "codes hold")
                lost = tell(shards.unusable())
    finish([], lost=bool(lost))


def decode(
    latents: Annotated[
        list[Path], typer.Argument(help="What `xtalcodec encode` wrote: files of latents, or folders of them.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the crystals, or a .parquet file for all of them.")],
    codec: Annotated[str | None, typer.Option(help="The codec, where the file's own is not one that ships.")] = None,
    format: Annotated[  # noqa: A002
        TableFormat | None,
        typer.Option(help="Format of the crystals, cif if not given; parquet makes few files of many crystals."),
    ] = None,
    symprec: Symprec = None,
    no_check: Annotated[
        bool,
        typer.Option("--no-check", help="Do not mend crystals until they encode to their latents: faster, less exact."),
    ] = False,
    self_check: SelfCheck = False,
    json: Json = None,
    device: Device = "auto",
    executor: Executor = Where.local,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    chunk: Chunk = None,
) -> None:
    """Decode latents to crystals. Killed, the same command goes on where it was.

    Example: xtalcodec decode latents.parquet --out crystals --symprec 0.1
    """
    from xtalcodec.cli.report import Listed, write_json

    with clear_errors():
        from xtalcodec.bulk import coding
        from xtalcodec.codecs.hub import named_in
        from xtalcodec.parallel import open_pool

        written = _written(out, format, symprec)
        table = written is TableFormat.parquet
        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            keep_inputs(latents, out=out, json=json)
            codes = coding.LatentInputs(latents, chunk or coding.CHUNK)
            own = codec or named_in(latents[0], codes.codec)
            load_codec(own, device).check_owns(codes.codec)
            work = coding.Decode(coding.CodecName.of(own, device), codes.codec, self_check, not no_check)
            with shards_of(out, kept=table and not is_file(out)) as folder:
                shards = run_bulk("decoding", folder, codes, work, pool)
                count, refused = (
                    (deliver(shards, out), 0) if table else write_shards(shards, out, written.value, symprec)
                )
                if self_check and count:
                    middle = median(shards.columns(["cycle_consistency"])["cycle_consistency"].to_pylist())
                    typer.echo(f"self-check: decoded crystals' latents lie {middle:.3g} away (median RMS)")
                _tell_confidence(shards)
                if count:
                    typer.echo(f"{count} crystals are in {out}")
                write_json(json, Listed(_rows(shards)))
                lost = tell(shards.unusable()) + refused
    finish([], lost=bool(lost))


def _written(out: Path, asked: TableFormat | None, symprec: float | None) -> TableFormat:
    """Return the format of decoded crystals; refuse what would change nothing."""
    check_folder_for(out, asked.value if asked not in (None, TableFormat.parquet) else None)
    written = TableFormat.parquet if is_file(out) else asked or TableFormat.cif
    if written is TableFormat.parquet and symprec:
        raise ValueError("--symprec is for formats of one crystal a file, not for parquet")
    return written


def _tell_confidence(shards: "Shards") -> None:
    """Say how sure the decoder is, and of which crystal the least."""
    found = shards.columns(["material_id", "confidence"]).to_pylist() if shards.totals["rows"] else []
    if found:
        least = min(found, key=lambda row: row["confidence"])
        middle = median(row["confidence"] for row in found)
        typer.echo(f"confidence: median {middle:.3f}, the least {least['confidence']:.3f} of {least['material_id']}")


def _rows(shards: "Shards") -> Iterator[dict[str, Any]]:
    """What is told of each decoded crystal."""
    for record in shards.records():
        about = {"name": record["material_id"], "formula": record["formula"], "sites": len(record["numbers"])}
        yield about | {name: record[name] for name in ("confidence", "cycle_consistency")}
