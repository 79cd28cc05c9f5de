"""What was computed for a crystal, kept on disk: a run that was killed goes on, and a second run is quick.

One SQLite file of JSON values by what was computed (with the versions and settings that shape it) and the crystal's
hash. Several runs may share it. Nothing in it is code.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.images import wrapped
from xtalcodec.parallel import Pool

_ASKED = 500
"""Keys in one question to the file."""

_PATIENCE = 60.0
"""Seconds to wait for another run that is writing."""


Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Opens a progress bar of a name and a length, as `progress_bar` of the command line."""


@contextmanager
def silent(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda _done: None


def crystal_hash(crystal: Crystal) -> str:
    """SHA-256 of lattice, wrapped coordinates and species: of what was given, not of what is equivalent by symmetry."""
    digest = hashlib.sha256()
    for part in (crystal.lattice, wrapped(crystal.frac_coords), crystal.numbers):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def joint_hash(parts: Iterable[str]) -> str:
    """SHA-256 of several hashes in their order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def with_versions(what: str, *libraries: str) -> str:
    """Name of a computation with the versions of the libraries that shape its result."""
    return " ".join([what, *(f"{name}={version(name)}" for name in libraries)])


class Memo:
    """Values by what they are and of which crystal."""

    def __init__(self, path: str | Path | None = None) -> None:
        """Open a file, made if it is not there; without a path, values are kept in memory.

        Raises
        ------
        ValueError
            The file is something else, or damaged.
        OSError
            It may not be written.
        """
        self.path = Path(path) if path else None
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = sqlite3.connect(self.path or ":memory:", timeout=_PATIENCE)
            tables = {name for (name,) in self._file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if others := sorted(tables - {"results"}):
                self._file.close()
                raise ValueError(f"{path}: it is no file of kept results: it has a table {others[0]}")
            with self._file:
                self._file.execute(
                    "CREATE TABLE IF NOT EXISTS results"
                    " (what TEXT, key TEXT, value TEXT, PRIMARY KEY (what, key)) WITHOUT ROWID"
                )
        except sqlite3.OperationalError as error:
            raise OSError(f"{path}: results cannot be kept there: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path}: it is no file of kept results: {error}") from error

    def known(self, what: str, keys: Sequence[str]) -> dict[str, Any]:
        """Values of the keys that have one.

        Raises
        ------
        OSError
            The file cannot be read: it is damaged, or another run does not let go of it.
        """
        found: dict[str, Any] = {}
        try:
            for start in range(0, len(keys), _ASKED):
                part = keys[start : start + _ASKED]
                marks = ",".join("?" * len(part))
                asked = f"SELECT key, value FROM results WHERE what = ? AND key IN ({marks})"  # noqa: S608 - marks
                found |= {key: json.loads(value) for key, value in self._file.execute(asked, (what, *part))}
        except sqlite3.DatabaseError as error:
            raise OSError(f"{self.path}: kept results cannot be read: {error}") from error
        return found

    def keep(self, what: str, values: Mapping[str, Any]) -> None:
        """Write values; all of them are on disk when this returns.

        Raises
        ------
        OSError
            The file cannot be written: the disk is full, it is damaged, or another run does not let go of it.
        """
        rows = [(what, key, json.dumps(value)) for key, value in values.items()]
        try:
            with self._file:
                self._file.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", rows)
        except sqlite3.DatabaseError as error:
            raise OSError(f"{self.path}: a result cannot be kept: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "Memo":  # noqa: PYI034 - beartype wants the class
        """Give the memo to a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file at the end of a `with` block."""
        self.close()


def remembered(
    memo: Memo,
    what: str,
    function: Callable[..., Any],
    tasks: Mapping[str, tuple],
    pool: Pool,
    progress: Callable[[int], None] | None = None,
    chunk: int = 8,
) -> dict[str, Any]:
    """Apply a function to the arguments of every key that has no value yet; every value is kept as soon as it is there.

    Parameters
    ----------
    memo
        Where values are kept.
    what
        Name of the computation, with all that shapes its result but the arguments.
    function
        Of a module, so that another process can find it; returns what JSON can hold.
    tasks
        Its arguments by their key.
    pool
        Where it runs.
    progress
        Called with the number of keys done since the last call.
    chunk
        Keys that one task takes.
    """
    tell = progress or (lambda _: None)
    values = memo.known(what, [*tasks])
    tell(len(values))
    missing = [key for key in tasks if key not in values]
    for done in pool.run(_apply, _chunks(function, missing, tasks, chunk)):
        memo.keep(what, done)
        values |= done
        tell(len(done))
    return values


def _chunks(
    function: Callable[..., Any], keys: Sequence[str], tasks: Mapping[str, tuple], chunk: int
) -> Iterator[tuple[Callable[..., Any], dict[str, tuple]]]:
    for start in range(0, len(keys), chunk):
        yield function, {key: tasks[key] for key in keys[start : start + chunk]}


def _apply(task: tuple[Callable[..., Any], dict[str, tuple]]) -> dict[str, Any]:
    function, rows = task
    return {key: function(*arguments) for key, arguments in rows.items()}
