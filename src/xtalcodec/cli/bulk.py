"""What verbs on many crystals share: where tasks run, where shards lie, and what is told at the end."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.running import progress_bar, write_each

if TYPE_CHECKING:
    from xtalcodec.bulk.run import Work
    from xtalcodec.bulk.shards import Shards
    from xtalcodec.parallel import Pool


class Where(StrEnum):
    """Where tasks run."""

    local = "local"
    mpi = "mpi"
    dask = "dask"


Executor = Annotated[
    Where, typer.Option(help="Processes of this machine, the ranks of mpiexec, or the workers of a Dask cluster.")
]
Workers = Annotated[
    int,
    typer.Option(
        help="Processes, one for a core; Dask workers to wait for; under MPI, all ranks but the first work.", min=1
    ),
]
Scheduler = Annotated[str | None, typer.Option(help="Address of the Dask scheduler: tcp://node:8786.")]
Chunk = Annotated[
    int | None, typer.Option(help="Crystals of one task and one shard; the verb's own number if not given.", min=1)
]


FILES = (".csv", ".json", ".cif", ".vasp", ".extxyz", ".xyz", ".npy", ".npz", ".pt", ".h5", ".db", ".zip", ".txt")
"""Suffixes that people mean a file by, which would be a folder."""


def is_file(out: Path, option: str = "--out") -> bool:
    """Tell whether the result is one file, by its name; else it is a folder. `option` asks for it.

    Raises
    ------
    ValueError
        A name that looks like another file.
    """
    if out.suffix.lower() in FILES and not out.is_dir():
        raise ValueError(f"{option} {out}: what is written is a .parquet file or a folder, not a {out.suffix} file")
    return out.suffix == ".parquet"


def check_folder_for(out: Path, files: str | None) -> None:
    """See that files of some format, one a crystal, go to a folder.

    Raises
    ------
    ValueError
        A format, and a place that is one .parquet file by its name, or looks like another file.
    """
    if is_file(out) and files:
        raise ValueError(f"--format {files} is for a folder of files, not for a .parquet file")


def check_table(path: Path | None, option: str) -> None:
    """See that the table that an option asks for is a parquet file by its name.

    Raises
    ------
    ValueError
        Another suffix.
    """
    if path is not None and path.suffix != ".parquet":
        raise ValueError(f"{option} {path} is no .parquet file")


@contextmanager
def shards_of(out: Path | None, *, kept: bool = False) -> Iterator[Path]:
    """Give the folder of a run's shards.

    Parameters
    ----------
    out
        What the user wants to have. Without it the folder is temporary, and such a run does not go on where it was.
    kept
        Whether the shards themselves are the result, in the folder `out`. If not, they lie in a hidden folder beside
        it, which goes once the result is whole.
    """
    if out is None:
        with TemporaryDirectory(prefix="xtalcodec-") as temporary:
            yield Path(temporary)
    elif kept:
        yield out
    else:
        folder = out.parent / f".{out.name}.parts"
        yield folder
        shutil.rmtree(folder)


def run_bulk(what: str, folder: Path, inputs: Any, work: "Work", pool: "Pool") -> "Shards":
    """Run, with a progress bar.

    Parameters
    ----------
    what
        For the bar, as "encoding".
    folder
        Of the shards.
    inputs
        `Inputs` or `LatentInputs`.
    work
        What to do with them.
    pool
        Who does it.
    """
    from xtalcodec import __version__
    from xtalcodec.bulk.run import run

    digests, units = inputs.survey()
    about = {"files": digests, "chunk": inputs.length, "xtalcodec": __version__, **inputs.settings()}
    with progress_bar(what, units) as advance:
        return run(folder, inputs.chunks, work, about, pool, advance)


def deliver(shards: "Shards", out: Path) -> int:
    """Join the shards where one file is asked for, and return the number of rows; without a row there is no file."""
    rows = shards.totals["rows"]
    if is_file(out) and rows:
        shards.join(out)
    return rows


def write_shards(shards: "Shards", out: Path, fmt: str, symprec: float | None = None) -> tuple[int, int]:
    """Write every crystal to a file of its own; return how many, and how many the format could not hold.

    Parameters
    ----------
    shards
        Tables of crystals.
    out
        Folder of the files.
    fmt, symprec
        As in `io.write.write`.
    """
    from xtalcodec.bulk.convert import crystals_of

    return write_each(crystals_of(shards.records()), out, fmt, symprec)
