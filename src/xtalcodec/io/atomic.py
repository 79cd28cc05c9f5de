"""Files and folders of files that are whole or not there, after a killed process and a power cut too.

One file is written beside its place, forced to the disk, and renamed: the file system shows the old one or the
new one. Several files that belong together are written to a hidden folder beside theirs, forced to the disk, and
that folder is renamed to `SAVED`: this one step is the save. Then they move to their places. A process that dies
before the step leaves the old files; one that dies after it leaves `SAVED`, and whoever reads or writes the folder
next finishes the moves first (`settle`), which may be done any number of times.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

SAVED = ".saved"
"""Folder of files that are saved and on their way to their places."""

GONE = ".gone"
"""End of the name of an empty file in `SAVED` that stands for the removal of another."""


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, and move it there once it is whole.

    A process that is killed, an exception, or a power cut leaves what was at `path` as it was.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}{path.suffix}"
    # Created by the kernel, so that it takes the permissions which this process gives to any new file.
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    os.close(descriptor)
    try:
        yield temporary
        _force(temporary, mode)
        os.replace(temporary, path)  # noqa: PTH105 (tests stop the process here)
        _force_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: str | Path, remove: Collection[str] = ()) -> Iterator[Path]:
    """Give an empty folder to write files to, and move them into `folder` all together once they are whole.

    Other files in `folder` stay; files of the same names are replaced. One process at a time saves into a folder.

    Parameters
    ----------
    folder
        Where the files go; made if it is not there.
    remove
        Names of older files of `folder` that do not belong to the new ones, and go with the old.

    Yields
    ------
    Path
        The empty folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settle(folder)
    temporary = folder / f".saving.{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        yield temporary
        for name in remove:
            (temporary / f"{name}{GONE}").touch()
        mode = 0o666 & stat.S_IMODE(temporary.stat().st_mode)
        for file in temporary.iterdir():
            _force(file, mode)
        _force_folder(temporary)
        os.rename(temporary, folder / SAVED)  # noqa: PTH104 (tests stop the process here)
        _force_folder(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    settle(folder)


def settle(folder: str | Path) -> None:
    """Move saved files to their places, where a process died before it could.

    Raises
    ------
    OSError
        A folder with such files that this user may not write to.
    """
    folder = Path(folder)
    saved = folder / SAVED
    if not saved.is_dir():
        return
    try:
        for file in sorted(saved.iterdir()):
            try:
                if file.name.endswith(GONE):
                    (folder / file.name.removesuffix(GONE)).unlink(missing_ok=True)
                    file.unlink()
                else:
                    os.replace(file, folder / file.name)  # noqa: PTH105 (tests stop the process here)
            except FileNotFoundError:  # another process was quicker
                continue
        _force_folder(folder)
        saved.rmdir()
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise PermissionError(
            f"{folder}: a save was cut short and is finished by whoever opens the folder next; you may not write to it"
        ) from error


def _force(file: Path, mode: int) -> None:
    """Give a written file its permissions (some writers make their own file, for its owner alone); put it on disk."""
    if stat.S_IMODE(file.stat().st_mode) != mode:
        file.chmod(mode)
    descriptor = os.open(file, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _force_folder(folder: Path) -> None:
    """Put a folder's names on disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # file systems that keep names safe by themselves, or cannot
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def copy_files(names: Iterable[str], folder: Path, into: Path) -> None:
    """Copy those of some files that are there, all together; from a folder into itself nothing is copied.

    Parameters
    ----------
    names
        Of the files.
    folder
        Where they are.
    into
        Made if it is not there.
    """
    if folder.resolve() == into.resolve():
        return
    with atomic_folder(into) as temporary:
        for name in names:
            if (folder / name).is_file():
                (temporary / name).write_bytes((folder / name).read_bytes())
