"""Members of zip and tar archives, one at a time in a temporary file: bounded, and never under a path of their own."""

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from xtalcodec.crystal import CrystalError
from xtalcodec.io.limits import MAX_BYTES, MAX_MEMBERS

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""How the names of archives end."""

_PIECE = 1 << 20
_LEAST = 1 << 28
_RATIO = 100
"""An archive may unpack to 256 MiB, or a hundred times its size: text packs ten- to thirtyfold, a bomb thousandfold."""

Bytes = AbstractContextManager[IO[bytes]]
Member = tuple[str, Bytes, int]
"""Path in the archive, its bytes, to be opened, and how many the archive says they are."""


def is_archive(path: Path) -> bool:
    """Tell an archive by its name."""
    return path.name.lower().endswith(SUFFIXES)


def unpacked(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path | Exception]]:
    """Yield the path in the archive of every wanted member, and a temporary file with its bytes, or what is wrong.

    Parameters
    ----------
    path
        The archive.
    wanted
        Called with a member's path; tells whether to unpack it. Links, devices and folders never are.

    Raises
    ------
    CrystalError
        An archive that unpacks to too many bytes or members.
    """
    left = max(_LEAST, _RATIO * path.stat().st_size)
    with _members(path) as members, TemporaryDirectory(prefix="xtalcodec-") as folder:
        for count, (name, file, size) in enumerate(members):
            if count >= MAX_MEMBERS:
                raise CrystalError(f"the archive has more than {MAX_MEMBERS} members")
            left -= size
            if size > MAX_BYTES or left < 0:
                raise CrystalError(f"the archive unpacks to far more than it holds (at {name[:60]!r}): refused")
            base = PurePosixPath(name.replace("\\", "/")).name
            if not base or not wanted(name):
                continue
            place = Path(folder, str(count), base[-100:])
            place.parent.mkdir()
            try:
                _copy(file, place, name, size)
            except CrystalError:
                raise
            except Exception as error:  # noqa: BLE001 - a wrong checksum, a password, an unknown compression
                yield name, error
            else:
                yield name, place
            place.unlink(missing_ok=True)
            place.parent.rmdir()


def _copy(member: Bytes, place: Path, name: str, size: int) -> None:
    """Unpack a member of `size` bytes; refuse one that has more."""
    with member as file, place.open("wb") as out:
        while piece := file.read(min(_PIECE, size + 1)):
            size -= len(piece)
            if size < 0:
                raise CrystalError(f"{name[:60]!r} is longer than the archive says: refused")
            out.write(piece)


@contextmanager
def _members(path: Path) -> Iterator[Iterator[Member]]:
    """Open an archive of either kind."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield _of_zip(archive)
    else:
        with tarfile.open(path, "r|*") as archive:
            yield _of_tar(archive)


def _of_zip(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        if info.is_dir() or (info.external_attr >> 28) not in (0, 8):  # a regular file, or no word about it
            continue
        yield info.filename, _opened(archive, info), info.file_size


@contextmanager
def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    with archive.open(info) as file:
        yield file


def _of_tar(archive: tarfile.TarFile) -> Iterator[Member]:
    for info in archive:
        file = archive.extractfile(info) if info.isreg() else None
        if file is not None:
            yield info.name, nullcontext(file), info.size
