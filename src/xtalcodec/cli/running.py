"""What every verb does: load, show progress, tell what was unusable, end with the right status."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.crystal import Crystal
    from xtalcodec.io.read import Unusable

WRONG_USAGE, SOME_UNUSABLE = 2, 3
"""Exit statuses beside 0."""

EXTRAS = {
    "accelerate": "train",
    "tensorboard": "train",
    "zarr": "fields",
    "mpi4py": "mpi",
    "mp_api": "materials-project",
    "jarvis": "jarvis",
    "smact": "judge",
    "matminer": "judge",
    "sevenn": "stability",
    "distributed": "dask",
    "nicegui": "app",
    "umap": "umap",
    "usearch": "search",
} | dict.fromkeys(("matplotlib", "skimage", "imageio_ffmpeg"), "figures")
"""Library → the extra of the package that brings it."""


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn what the user can mend, or a worker's death, into one line and exit status 2; say that Ctrl-C stopped it."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("xtalcodec: stopped", err=True)
        raise
    except (ValueError, OSError, ModuleNotFoundError, BrokenExecutor) as error:
        missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
        hint = f"; this needs pip install 'xtalcodec[{EXTRAS[missing]}]'" if missing in EXTRAS else ""
        typer.echo(f"xtalcodec: {_reason(error)}{hint}", err=True)
        raise typer.Exit(WRONG_USAGE) from error


def _reason(error: Exception) -> str:
    """What is wrong, in one line; with a file or folder, its name and no number of an error."""
    if isinstance(error, FileExistsError) and error.filename:
        return f"{error.filename} is a file: it cannot be a folder too"
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    return str(error)


def load_codec(name: str, device: str) -> "Codec":
    """Load a codec; torch is imported only now."""
    from xtalcodec.codecs.base import Codec

    return Codec.from_pretrained(name, device=device)


def load_crystals(inputs: Sequence[str], max_sites: int) -> "tuple[list[Crystal], list[Unusable]]":
    """Read crystals, and tell what could not be used."""
    from xtalcodec import datasets

    with reading_bar(any(datasets.named(word) for word in inputs)) as tell_progress:
        return datasets.load(inputs, max_sites, tell_progress)


def keep_inputs(inputs: Iterable[str | Path], **places: Path | None) -> None:
    """See that nothing is written over what is read: not the same file, and no crystals beside files of crystals.

    Parameters
    ----------
    inputs
        Files, folders, names of sources, crystals of files as FILE:NAME.
    places
        Files or folders, by the name of the option that asks for each; None for nothing.

    Raises
    ------
    ValueError
        What is read would be replaced.
    """
    from xtalcodec.io.files import find

    there = {option: place.resolve() for option, place in places.items() if place is not None and place.exists()}
    for word in inputs if there else ():
        path = word if Path(word).exists() else str(word).rpartition(":")[0]
        if not path or not Path(path).exists():
            continue  # a source
        read = Path(path).resolve()
        holds = any(where.is_relative_to(read) for where in there.values())  # else its files need no looking through
        for file in chain([read], find([read]) if holds else ()):
            for option, where in there.items():
                beside = file.parent == where and not file.is_dir() and ".parquet" not in (file.suffix, where.suffix)
                if file == where or beside:
                    what = f"--{option} {places[option]} would replace what is read, {path}"
                    raise ValueError(f"{what}: give another place")


def one(text: str, max_sites: int) -> "Crystal":
    """The crystal of a file, or the one of that name in a file or a source of several."""
    import difflib

    from xtalcodec import datasets

    source, colon, name = ("", "", "") if Path(text).exists() or datasets.asks(text) else text.rpartition(":")
    crystals, unusable = datasets.load([source if colon else text], max_sites)
    if colon:
        named = [c for c in crystals if c.name == name]
        if not named:
            bad = "".join(f": {u.reason}" for u in unusable if name in u.name)
            guess = difflib.get_close_matches(name, [c.name for c in crystals], n=1)
            hint = f" Did you mean {source}:{guess[0]}?" if guess else ""
            raise ValueError(f"{source} has no crystal {name!r}{bad} among {len(crystals)}.{hint}")
        return named[0]
    if not crystals:
        raise ValueError("; ".join(f"{u.name}: {u.reason}" for u in unusable) or f"{text} holds no crystal")
    if len(crystals) > 1:
        raise ValueError(f"{text} holds {len(crystals)} crystals: name one of them, as in {text}:{crystals[0].name}")
    tell(unusable)
    return crystals[0]


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on the error stream while something runs, if that is a terminal; the end may be unknown."""
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
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, advance=done)


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Give what opens a progress bar in place of the last one."""
    with ExitStack() as open_now:

        def bar(what: str, total: int) -> Callable[[int], None]:
            open_now.pop_all().close()
            return open_now.enter_context(progress_bar(what, total))

        yield bar


@contextmanager
def reading_bar(shown: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Show on the error stream how much of a source has been read, of how much if it says so."""
    if not shown:
        yield lambda _, __: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def write_each(crystals: "Iterable[Crystal]", out: Path, fmt: str, symprec: float | None) -> tuple[int, int]:
    """Write every crystal to a file of its own; return how many, and how many the format could not hold (listed).

    Parameters
    ----------
    crystals
        Written as they come.
    out
        Folder of the files.
    fmt, symprec
        As in `io.write.write`.
    """
    from xtalcodec.io.write import write_many

    refused: list[Unusable] = []
    written = write_many(crystals, out, fmt, symprec, refused)
    tell_others(out, written)
    return len(written), tell(refused)


def tell_others(out: Path, written: "Sequence[Path]") -> None:
    """Say on the error stream that a folder holds further crystals, of an earlier run perhaps, in any format."""
    from xtalcodec.io.write import SUFFIXES

    if written:
        own, kinds = {path.name for path in written}, set(SUFFIXES.values())
        others = Counter(path.suffix for path in out.iterdir() if path.suffix in kinds and path.name not in own)
        if others:
            told = " and ".join(f"{count} {suffix} files" for suffix, count in sorted(others.items()))
            typer.echo(f"note: {out} also holds {told} that this run did not write", err=True)


def names_of(inputs: Sequence[str]) -> str:
    """What data is called, wherever it lies: a file by its name, a source by the line that asks it."""
    from xtalcodec.datasets import named

    return ", ".join(x if named(x) else Path(x).name for x in inputs)


def tell_notes(notes: Iterable[str]) -> None:
    """List what reading the crystals assumed, on the error stream."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def tell_left_out(totals: Mapping[str, int], holder: str) -> None:
    """Say once, on the error stream, that what is known beside the sites is left out, and which it is.

    Parameters
    ----------
    totals
        Of a run, `bulk.convert.beside` among them.
    holder
        What leaves it out, with its verb: "codes hold".
    """
    from xtalcodec.bulk.convert import ANY, BESIDE

    names = sorted(name.removeprefix(BESIDE) for name in totals if name.startswith(BESIDE) and name != ANY)
    if names:
        listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        count = totals[ANY]
        typer.echo(
            f"note: {holder} cell, species and positions only; left out, of {count} crystals: {listed}", err=True
        )


def tell(unusable: "Iterable[Unusable]") -> int:
    """List what could not be used, on the error stream, and count it."""
    count = 0
    for count, item in enumerate(unusable, start=1):  # noqa: B007 - the count is returned
        typer.echo(f"unusable: {item.name}: {item.reason}", err=True)
    return count


def finish(unusable: "Iterable[Unusable]", *, lost: bool = False) -> None:
    """End with status 3 where some inputs were unusable."""
    if tell(unusable) or lost:
        raise typer.Exit(SOME_UNUSABLE)
