"""`encode` and `decode`: crystals to a file of latents, and back."""

from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from xtalcodec.cli.options import (
    CodecName,
    Device,
    Format,
    Inputs,
    Json,
    MaxSites,
    NoRefine,
    SelfCheck,
    Symprec,
)
from xtalcodec.cli.running import (
    clear_errors,
    finish,
    load_codec,
    load_crystals,
    progress_bar,
    tell_left_out,
    tell_notes,
)
from xtalcodec.io.limits import MAX_SITES


def encode(
    files: Inputs,
    out: Annotated[Path, typer.Option(help="The latents, one row per crystal (parquet).")],
    codec: CodecName = "mp",
    no_refine: NoRefine = False,
    max_sites: MaxSites = MAX_SITES,
    device: Device = "auto",
) -> None:
    """Encode crystals to latents.

    Codes hold cell, species and positions: charges, magnetic moments and other properties are left out, with a note.

    Example: xtalcodec encode structures/ --out latents.parquet
    """
    with clear_errors():
        model = load_codec(codec, device)
        crystals, unusable = load_crystals(files, max_sites, model)
        if crystals:
            with progress_bar("encoding", len(crystals)) as advance:
                latents = model.encode(crystals, refine=not no_refine, progress=advance)
            latents.to_parquet(out)
            mean = sum(c.length for c in latents) / len(latents)
            typer.echo(f"{len(latents)} crystals, {mean:.0f} numbers each in the mean: {out}")
            tell_notes(crystals)
            tell_left_out(crystals, "codes hold")
    finish(unusable)


def decode(
    latents: Annotated[Path, typer.Argument(help="What `xtalcodec encode` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for the crystals.")],
    codec: Annotated[str | None, typer.Option(help="The codec, where the file's own is not one that ships.")] = None,
    format: Annotated[Format, typer.Option(help="Format of the crystals.")] = Format.cif,  # noqa: A002
    symprec: Symprec = None,
    self_check: SelfCheck = False,
    json: Json = None,
    device: Device = "auto",
) -> None:
    """Decode latents to crystals.

    Example: xtalcodec decode latents.parquet --out crystals --symprec 0.1
    """
    from xtalcodec.cli.report import write_json
    from xtalcodec.codecs.hub import named_in
    from xtalcodec.codecs.latents import LatentSet
    from xtalcodec.io.read import Unusable
    from xtalcodec.io.write import write_many

    with clear_errors():
        codes = LatentSet.from_parquet(latents)
        model = load_codec(codec or named_in(latents, codes.codec), device)
        with progress_bar("decoding", len(codes)) as advance:
            decoded = model.decode_crystals(codes, progress=advance)
        paths = write_many((d.crystal for d in decoded if d), out, format.value, symprec)
        distances = model.cycle_consistency(codes, decoded) if self_check else [None] * len(codes)
    rows = [
        {
            "name": c.name,
            "formula": d.crystal.formula,
            "sites": len(d.crystal),
            "confidence": d.confidence,
            "cycle_consistency": x,
        }
        for c, d, x in zip(codes, decoded, distances, strict=True)
        if d
    ]
    if self_check and rows:
        middle = median(r["cycle_consistency"] for r in rows)
        typer.echo(f"self-check: decoded crystals' latents lie {middle:.3g} away (median RMS)")
    typer.echo(f"{len(paths)} crystals are in {out}")
    write_json(json, rows)
    finish(
        [
            Unusable(c.name, "no atom found in the decoded field")
            for c, d in zip(codes, decoded, strict=True)
            if d is None
        ]
    )
