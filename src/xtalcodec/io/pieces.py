"""Stretches of files, so that many workers can read one input, each its own part."""

import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import RLock

from xtalcodec.crystal import Crystal
from xtalcodec.io import formats
from xtalcodec.io.files import FileNames
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable, count, units
from xtalcodec.io.tables import group_start

_ONE, _SEVERAL = 1 << 20, 1 << 14
"""Bytes up to which a file is one piece: of a kind that holds one crystal as a rule, and of a kind that holds many."""


class PieceError(OSError):
    """A file that this worker does not see as the process that handed it out does."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Units of one file (`io.read.units`), from `start` to before `stop`."""

    folder: str
    """Where the process was that cut it: workers may be elsewhere."""
    path: str
    """As the user wrote it, and as messages show it."""
    name: str
    """What its crystals are called."""
    size: int
    """Bytes of the file as the process saw it that cut it; −1 where there is none."""
    modified: int
    """Nanoseconds; 0 where there is no file."""
    start: int = 0
    stop: int | None = None
    """None: to the end of the file, however many units that are."""
    max_sites: int = MAX_SITES
    """Refuse crystals of more sites than this."""

    @property
    def units(self) -> int:
        """How many units there are; a whole file counts as one."""
        return 1 if self.stop is None else self.stop - self.start

    @property
    def origin(self) -> tuple[str, int, int]:
        """What the file is: its path, size and time of the last change."""
        return str(self.file), self.size, self.modified

    def read(self) -> Iterator[Crystal | Unusable]:
        """Yield its crystals, or why they cannot be used.

        Raises
        ------
        PieceError
            The file is another one here, or not here at all.
        """
        check_same(self.file, self.size)
        opened = str(self.file)
        for item in _whole(self) if self.stop is None else _reading.read(self):
            is_crystal = isinstance(item, Crystal)
            yield item if is_crystal else replace(item, name=self.path + item.name.removeprefix(opened))

    @property
    def file(self) -> Path:
        """The file, from anywhere."""
        return Path(self.folder, self.path)


def _whole(piece: Piece) -> Iterator[Crystal | Unusable]:
    """Read a file that is not cut."""
    for unit in units(piece.file, piece.max_sites, piece.name):
        yield from unit


def check_same(path: Path, size: int) -> None:
    """Raise PieceError where a file is not of the size that it had where it was cut."""
    here = stat_of(path)[0]
    if here != size:
        what = "there is no such file" if here < 0 else f"it has {here} bytes, not {size}"
        raise PieceError(f"{path} on {socket.gethostname()}: {what}; all workers must see the same files, unchanged")


class _Reading:
    """The file that this process reads from, kept open: pieces of one file come in their order."""

    def __init__(self) -> None:
        self._lock = RLock()  # one thread may begin a piece before it has read another to its end
        self._file: tuple[str, str, int, int] | None = None
        self._position = 0
        self._units: Iterator[Iterator[Crystal | Unusable]] = iter(())

    def read(self, piece: Piece) -> Iterator[Crystal | Unusable]:
        """Go on where the last piece ended, or begin again where that is nearer."""
        if piece.stop is None:
            raise ValueError("a whole file is read at once")
        with self._lock:
            file = (str(piece.file), piece.name, piece.modified, piece.max_sites)
            if file != self._file or not _nearest(piece) <= self._position <= piece.start:
                self._units, self._position = units(piece.file, piece.max_sites, piece.name, piece.start), piece.start
            self._file = None  # until all is read: an error leaves it anywhere
            for unit in islice(self._units, piece.start - self._position, piece.stop - self._position):
                yield from unit
            self._file, self._position = file, piece.stop


_reading = _Reading()


def _nearest(piece: Piece) -> int:
    """Return the unit before a piece at which reading can begin: the first of a group of rows, or of the file."""
    return group_start(piece.file, piece.start) if formats.kind_of(piece.file) == "parquet" else 0


def stat_of(path: Path) -> tuple[int, int]:
    """Return size in bytes and time of the last change in ns of a file; −1 and 0 where there is none."""
    try:
        about = path.stat()
    except OSError:
        return -1, 0
    return (-1, 0) if path.is_dir() else (about.st_size, about.st_mtime_ns)


class Cutter:
    """Cuts files into pieces: the same pieces every time, whoever reads them."""

    def __init__(self, length: int, max_sites: int = MAX_SITES) -> None:
        """Cut into pieces of at most `length` units; a small file stays whole."""
        self.length = length
        self.max_sites = max_sites
        self._counts: dict[tuple[str, int], int] = {}
        """Units of the files that had to be read for it."""

    def pieces(self, files: Callable[[], Iterable[Path]]) -> Iterator[Piece]:
        """Yield the pieces of all files, in order.

        Parameters
        ----------
        files
            Gives the files, and the same ones when it is called again.
        """
        names = FileNames(files)
        for path in files():
            yield from self._cut(path, names.of(path))

    def _cut(self, path: Path, name: str) -> Iterator[Piece]:
        size, modified = stat_of(path)
        kind = formats.kind_of(path)
        whole = Piece(str(Path.cwd()), str(path), name, size, modified, max_sites=self.max_sites)
        if kind != "parquet" and size <= (_SEVERAL if kind in formats.MANY else _ONE):
            yield whole
            return
        key = str(path), modified
        if key not in self._counts:
            self._counts[key] = count(path)
        for start in range(0, self._counts[key], self.length):
            yield replace(whole, start=start, stop=min(start + self.length, self._counts[key]))
