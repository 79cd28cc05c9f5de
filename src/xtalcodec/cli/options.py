"""Arguments and options that several verbs share."""

import re
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[
    list[str],
    typer.Argument(
        help="CIF, POSCAR, extxyz, SHELX, JSON, ASE db, parquet, CSV, folders, zip, tar.gz; or a source: `data list`."
    ),
]
CodecName = Annotated[
    str, typer.Option("--codec", help="A codec that ships with the package, a folder, or user/repository.")
]


def usable(device: str) -> str:
    """Refuse a device that there is not."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise typer.BadParameter(f"there is no device {device!r}: cpu, cuda, cuda:1 and so on, or auto")
    if device.startswith("cuda"):
        import torch

        if int(device.partition(":")[2] or 0) >= torch.cuda.device_count():
            raise typer.BadParameter(f"PyTorch finds no {device} here: give cpu, or auto")
    return device


def finite(value: float | None) -> float | None:
    """Refuse what is infinite, which a lower bound lets pass, or no number."""
    if value is not None and not isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


Device = Annotated[str, typer.Option(help="cpu, cuda, or auto.", callback=usable)]
Json = Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the summary (and rows) here as JSON.")]
MaxSites = Annotated[int, typer.Option(help="Refuse crystals with more sites.", min=1)]
NoRefine = Annotated[
    bool,
    typer.Option(
        "--no-refine", help="Take the encoder's latent without looking whether the crystal comes back from it: faster."
    ),
]
SelfCheck = Annotated[bool, typer.Option("--self-check", help="Re-encode what was decoded and compare the latents.")]
One = Annotated[
    str,
    typer.Argument(help="A file with one crystal; or, of a file or a source with several, SOURCE:NAME."),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        help="Keep fingerprints, matches and energies in this SQLite file, by default beside --rows or --out: "
        "a run that was killed goes on."
    ),
]
Symprec = Annotated[
    float | None, typer.Option(help="Symmetrise what is written, within this many Å.", min=0, callback=finite)
]


class Potential(StrEnum):
    """Potentials whose weights come with SevenNet."""

    sevennet_0 = "sevennet-0"
    sevennet_l3i5 = "sevennet-l3i5"


class Format(StrEnum):
    """Formats that crystals are written in."""

    cif = "cif"
    poscar = "poscar"
    extxyz = "extxyz"
    json = "json"


class TableFormat(StrEnum):
    """Formats that many crystals are written in."""

    cif = "cif"
    poscar = "poscar"
    extxyz = "extxyz"
    json = "json"
    parquet = "parquet"


class Cell(StrEnum):
    """Which images of the sites are one cell."""

    compact = "compact"
    given = "given"


class Reader(StrEnum):
    """What atoms are read off."""

    density = "density"
    segmentation = "segmentation"
    both = "both"


def shown(word: str) -> str:
    """A word of the command as the card shows it: of a path, or of what a setting takes from one, the last name."""
    key, equals, value = word.rpartition("=")
    return f"{key}{equals}{Path(value).name}" if "/" in value else word
