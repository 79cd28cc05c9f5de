"""One run at a time on what it writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".lock"
"""File in a folder that keeps other runs away from it."""


class OccupiedError(ValueError):
    """Another run is at it: the message says at what."""


@contextmanager
def alone(path: str | Path, lock: str | Path | None = None) -> Iterator[None]:
    """Keep other runs away from a path while this one writes it; a killed run keeps nobody away.

    Parameters
    ----------
    path
        What is written.
    lock
        The file that is locked; beside the path, with .lock behind its name, if not given.

    Raises
    ------
    OccupiedError
        Another run is at it.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock or f"{path}.lock", timeout=0):
            yield
    except Timeout as error:
        raise OccupiedError(f"another run is writing {path}: wait for its end") from error
