"""Crystals from files of any supported format; what cannot be used is told, never raised.

`formats` lists what is read. Text may be compressed (.gz, .bz2, .xz), and files may lie in archives (zip, tar).
"""

import os
import sqlite3
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io import formats
from xtalcodec.io.archives import unpacked
from xtalcodec.io.ase_formats import read_ase
from xtalcodec.io.found import check_size
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.text import check_not_empty, read_text

_SITE_BYTES = 512
"""Bytes of a POSCAR that a site takes at most; what follows the sites, in CHGCAR gigabytes of it, is not read."""

AnyPath = str | os.PathLike


@dataclass(frozen=True, slots=True)
class Unusable:
    """An input that could not be used."""

    name: str
    """Its path, with #block, #frame or #row where a file holds several."""
    reason: str
    """One line that completes "it could not be used:"."""


def find(paths: Iterable[AnyPath]) -> list[Path]:
    """Replace folders by the files of known formats in them, recursively and in order.

    A missing path, and a folder without such a file or that may not be read, stays in the list, so
    that reading it tells what is wrong. Hidden files are passed over.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        inside: list[Path] = []

        def refused(error: OSError, inside: list[Path] = inside, path: Path = path) -> None:
            inside.append(Path(error.filename or path))

        for folder, subfolders, names in os.walk(path, onerror=refused):
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            files = (Path(folder, name) for name in names if not name.startswith("."))
            inside += [file for file in files if formats.is_crystal_file(file)]
        found += sorted(inside) or [path]
    return found


def read(path: AnyPath, max_sites: int = MAX_SITES, name: str | None = None) -> Iterator[Crystal | Unusable]:
    """Yield every crystal of one file, or why it, or one of its crystals, cannot be used.

    Parameters
    ----------
    path
        The file.
    max_sites
        Refuse crystals of more sites than this.
    name
        What to call its crystals; its stem if not given (a POSCAR's folder and name). With #block or #number
        where there are several, and by `material_id` in tables that have one.
    """
    path = Path(path)
    if formats.kind_of(path) == formats.ARCHIVE and path.is_file():
        yield from _read_archive(path, max_sites)
    else:
        yield from _read_file(path, name or formats.stem_of(path), str(path), max_sites)


def _read_archive(path: Path, max_sites: int) -> Iterator[Crystal | Unusable]:
    """Read the members of known formats; what is wrong with one costs only itself."""
    empty = True
    names = formats.MemberNames()
    try:
        for member, file in unpacked(path, _wanted):
            if not formats.is_crystal_file(file):
                continue
            empty = False
            if ".." in Path(member).parts:
                yield Unusable(f"{path}/{member}", "its path leaves the folder that the archive is unpacked to")
                continue
            yield from _read_file(file, names.of(member), f"{path}/{member}", max_sites)
        if empty:
            raise CrystalError("it is an archive without a file of a known format")
    except Exception as error:  # noqa: BLE001 - whatever a library finds wrong with an archive
        yield Unusable(str(path), _reason(error))


def _wanted(member: str) -> bool:
    """Tell whether to unpack a member: of a known format, not hidden, no archive itself."""
    path = Path(member)
    hidden = any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in path.parts)
    return not hidden and formats.kind_of(path) not in (None, formats.ARCHIVE)


def _read_file(path: Path, name: str, label: str, max_sites: int) -> Iterator[Crystal | Unusable]:
    found: Iterator[Any] = iter(())
    try:
        with quiet():
            found = _open(path, name, max_sites)
    except Exception as error:  # noqa: BLE001 - whatever a library finds wrong with a file
        yield Unusable(label, _reason(error))
    while True:
        of_this = label
        try:
            with quiet():
                own, build = next(found)
                of_this = label if own == name else f"{label}#{own.removeprefix(name + '#')}"
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001
            yield Unusable(of_this, _reason(error))
            return
        yield built(build, own, of_this, max_sites)


def iterate(
    paths: Iterable[AnyPath],
    max_sites: int = MAX_SITES,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Crystal | Unusable]:
    """Yield what `read` yields for all files, in order, holding one crystal at a time.

    Files of one name in several folders are told apart by their folders.

    Parameters
    ----------
    paths
        Files and folders.
    max_sites
        Refuse crystals of more sites than this.
    progress
        Called after every file with the number of files read and of all files.
    """
    files = find(paths)
    for k, (path, name) in enumerate(zip(files, _distinct(files), strict=True)):
        yield from read(path, max_sites, name)
        if progress:
            progress(k + 1, len(files))


def _distinct(files: list[Path]) -> list[str]:
    """Name files by their stem, and by as many folders, or by their suffix, as it takes to tell them apart."""
    names = [formats.stem_of(path) for path in files]
    for depth in range(1, 17):
        counts = Counter(names)
        if len(counts) == len(names):
            break
        names = [
            formats.longer_name(path, depth) if counts[name] > 1 else name
            for path, name in zip(files, names, strict=True)
        ]
    return names


def read_all(
    paths: Iterable[AnyPath],
    max_sites: int = MAX_SITES,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Crystal], list[Unusable]]:
    """Return all crystals of all files, and all that could not be used.

    Parameters
    ----------
    paths, max_sites, progress
        As of `iterate`.
    """
    crystals: list[Crystal] = []
    unusable: list[Unusable] = []
    for item in iterate(paths, max_sites, progress):
        if isinstance(item, Crystal):
            crystals.append(item)
        else:
            unusable.append(item)
    return crystals, unusable


def built(build: Callable[[], Crystal], name: str, label: str, max_sites: int) -> Crystal | Unusable:
    """Build a crystal, or say why it cannot be used.

    Parameters
    ----------
    build
        Builds the crystal, or raises.
    name
        What to call the crystal.
    label
        What to call the input if it cannot be used.
    max_sites
        Refuse a crystal of more sites than this.
    """
    try:
        with quiet():
            crystal = build()
            check_size(len(crystal), max_sites)
            return replace(crystal, name=name)
    except Exception as error:  # noqa: BLE001
        return Unusable(label, _reason(error))


def _open(path: Path, name: str, max_sites: int) -> Iterator[Any]:
    """Choose the reader of a file and start it."""
    if path.is_dir():
        os.listdir(path)  # noqa: PTH208 - asks for the permission
        raise CrystalError("it is a folder without a file of a known format")
    if not path.exists():
        raise CrystalError("there is no such file")
    if not path.is_file():
        raise CrystalError("it is not a regular file")
    kind = formats.kind_of(path)
    if kind in formats.PATH_READERS:
        check_not_empty(path)
        return formats.PATH_READERS[kind](path, name, max_sites)
    if kind and kind not in formats.TEXT_READERS:
        check_not_empty(path)
        return read_ase(path, name, max_sites, kind)
    text = read_text(path, (1 << 20) + _SITE_BYTES * max_sites if kind == "poscar" else None)
    kind = kind or formats.sniff(path, text)
    if kind in formats.TEXT_READERS:
        return formats.TEXT_READERS[kind](text, name, max_sites)
    return read_ase(path, name, max_sites, kind)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the libraries' warnings: what matters among them is checked and reported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _reason(error: Exception) -> str:
    """Say in one short line why something could not be used."""
    if isinstance(error, CrystalError):
        text = str(error)
    elif isinstance(error, PermissionError):
        text = "no permission to read it"
    elif isinstance(error, sqlite3.DatabaseError):
        text = f"it cannot be read as an ASE database: {error}"
    elif isinstance(error, IndexError | StopIteration | EOFError | zlib.error):
        text = "it is damaged or ends too early"
    elif isinstance(error, RecursionError):
        text = "it is nested too deeply"
    elif isinstance(error, MemoryError):
        text = "it asks for more memory than there is"
    elif isinstance(error, KeyError):
        text = f"it is damaged or incomplete: no {error}"
    else:
        text = f"it cannot be read: {error or type(error).__name__}"
    text = " ".join(text.split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 200 else text[:199] + "…"
