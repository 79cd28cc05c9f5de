"""`train-embedding`, `index`, `similar`, `duplicates`: one vector per crystal, and what it finds."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtalcodec.cli.options import shown
from xtalcodec.cli.running import clear_errors, finish, load_crystals, names_of, progress_bar, tell

if TYPE_CHECKING:
    from xtalcodec.training.embedding import Bar


def train_embedding(
    recipe: Annotated[str, typer.Argument(help="A recipe that ships (mp) or a YAML file.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Settings over the recipe's: codec=runs/mp steps=2000 …")
    ] = None,
    data: Annotated[list[str], typer.Option("--data", help="Crystals to learn from; may be repeated.")] = ...,  # type: ignore[assignment]
    val: Annotated[list[str], typer.Option("--val", help="Held-out crystals; may be repeated.")] = ...,  # type: ignore[assignment]
    out: Annotated[
        Path, typer.Option(help="Folder for the embedding; a codec finds it as `embedding` in its own folder.")
    ] = ...,  # type: ignore[assignment]
    licence: Annotated[str | None, typer.Option(help="Licence of the embedding, for its card.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the data is from and under what licence, for the card.")
    ] = None,
) -> None:
    """Train what makes one vector of a crystal, which `index`, `similar` and `duplicates` compare. Takes minutes.

    Example: xtalcodec train-embedding mp codec=runs/mp --data t.parquet --val v.parquet --out runs/mp/embedding
    """
    with clear_errors():
        from xtalcodec.training.embedding import train_embedding as run
        from xtalcodec.training.embedding_recipe import load

        settings = load(recipe, overrides or [])
        crystals, unusable = load_crystals(data, 10**6, None)
        held_out, more = load_crystals(val, 10**6, None)
        if not crystals or not held_out:
            tell(unusable + more)
            raise ValueError("no crystal to train on" if not crystals else "no held-out crystal")
        facts = {"data": names_of(data), "val": names_of(val)}
        facts |= {key: text for key, text in (("licence", licence), ("source", source)) if text}
        facts["command"] = shlex.join(["xtalcodec", *(shown(word) for word in sys.argv[1:])])
        with _bars() as bar:
            run(settings, crystals, held_out, out, facts=facts, progress=bar)
        typer.echo(f"the embedding is in {out}")
    finish(unusable + more)


@contextmanager
def _bars() -> "Iterator[Callable[[str, int], Bar]]":
    """Give what opens a progress bar in place of the last one."""
    with ExitStack() as open_now:

        def bar(what: str, total: int) -> "Bar":
            open_now.pop_all().close()
            return open_now.enter_context(progress_bar(what, total))

        yield bar
