"""What the verbs that train have in common: options, crystals, and what a card says of a training."""

import shlex
import sys
from collections.abc import Sequence
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtalcodec.cli.options import shown
from xtalcodec.cli.running import load_crystals, names_of, tell

if TYPE_CHECKING:
    from xtalcodec.crystal import Crystal
    from xtalcodec.io.read import Unusable

Data = Annotated[list[str], typer.Option("--data", help="Crystals to learn from; may be repeated.")]
Val = Annotated[list[str], typer.Option("--val", help="Held-out crystals; may be repeated.")]
Out = Annotated[Path, typer.Option(help="Folder for checkpoints, logs and what is trained.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="Settings over the recipe's, as key=value: optimiser.steps=5000 …")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")]


def positive(value: float | None) -> float | None:
    """Refuse a time that is none."""
    if value is not None and not (value > 0 and isfinite(value)):
        raise typer.BadParameter(f"{value} is no time")
    return value


Minutes = Annotated[
    float | None,
    typer.Option(help="End the schedule after this time instead of the recipe's steps.", callback=positive),
]
Licence = Annotated[
    str | None, typer.Option(help="Licence of what is trained, for its card: cc-by-4.0, mit … Unknown if not given.")
]
Source = Annotated[str | None, typer.Option(help="Where the data is from and under what licence, for the card.")]


class TrainOn(StrEnum):
    """Where training runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def crystals_of(
    data: Sequence[str], val: Sequence[str] | None
) -> "tuple[list[Crystal], list[Crystal], list[Unusable]]":
    """Read training crystals, held-out ones, and what is unusable of both.

    Raises
    ------
    ValueError
        None of them is left, or no held-out one where some are asked for.
    """
    crystals, unusable = load_crystals(data, 10**6)
    held_out, more = load_crystals(val, 10**6) if val is not None else ([], [])
    if not crystals or (val is not None and not held_out):
        tell(unusable + more)
        raise ValueError("no crystal to train on" if not crystals else "no held-out crystal")
    return crystals, held_out, unusable + more


def facts_of(
    recipe: str,
    overrides: Sequence[str] | None,
    data: Sequence[str],
    val: Sequence[str] | None,
    licence: str | None,
    source: str | None,
) -> dict[str, str]:
    """What the card says of a training beside what the training itself knows.

    Parameters
    ----------
    recipe, overrides, data, val, licence, source
        As they were typed.
    """
    facts = {"data": names_of(data)} | ({"val": names_of(val)} if val is not None else {})
    facts["recipe"] = " ".join(shown(word) for word in [recipe, *(overrides or [])])
    facts |= {key: text for key, text in (("licence", licence), ("source", source)) if text}
    return facts | {"command": shlex.join(["xtalcodec", *(shown(word) for word in sys.argv[1:])])}
