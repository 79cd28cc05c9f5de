"""Which files are read, in which order, and what each is called; of millions of files, hardly anything is kept."""

import os
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np

from xtalcodec.io import formats
from xtalcodec.io.ended import check_ended
from xtalcodec.io.tables import is_of_files

AnyPath = str | os.PathLike


def find(paths: Iterable[AnyPath]) -> Iterator[Path]:
    """Yield files, and for a folder the files of known formats in it, recursively and in order.

    A missing path, and a folder without such a file or that may not be read, is among them, so
    that reading it tells what is wrong. Hidden files are passed over, and so is the table that `sample` writes beside
    the files of its crystals. Names of one folder are in memory at a time.

    Raises
    ------
    UnfinishedError
        A folder of shards of which some are missing.
    """
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        check_ended(path)
        empty = True
        for file in _inside(path):
            empty = False
            yield file
        if empty:
            yield path


def _inside(folder: str | Path) -> Iterator[Path]:
    """Yield the files of known formats in a folder and, in their places, those in its folders."""
    try:
        with os.scandir(folder) as entries:
            here = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        yield Path(error.filename or folder)
        return
    files = {entry.name for entry in here if formats.is_crystal_file(Path(entry.path)) and not entry.is_dir()}
    twice = {name for name in files if len(files) > 1 and name.endswith(".parquet") and is_of_files(Path(folder, name))}
    files -= twice
    for entry in here:
        if not entry.is_dir():
            if entry.name in files:
                yield Path(entry.path)
        elif not entry.is_symlink():
            yield from _inside(entry.path)


class FileNames:
    """Names of files: their stems, with as many folders, or their suffix, as it takes to tell them apart.

    The files are gone through as often as names are made longer; eight bytes are kept of each.
    """

    def __init__(self, files: Callable[[], Iterable[Path]]) -> None:
        """Look at the files that `files` gives, every time it is called."""
        self._shared: list[set[int]] = []
        """Hashes of names that several files have, for each time that names were made longer."""
        self.files = 0
        """How many files there are."""
        for _ in range(17):
            hashes = np.fromiter((_hash(self.of(path)) for path in files()), dtype=np.uint64)
            self.files = len(hashes)
            found, times = np.unique(hashes, return_counts=True)
            if times.max(initial=0) < 2:
                return
            self._shared.append(set(found[times > 1].tolist()))
        self._shared.pop()

    def of(self, path: Path) -> str:
        """Return the name of a file."""
        name = formats.stem_of(path)
        for depth, shared in enumerate(self._shared, start=1):
            if _hash(name) in shared:
                name = formats.longer_name(path, depth)
        return name


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest())
