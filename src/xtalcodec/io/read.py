"""Crystals from files of any supported format; what cannot be used is told, never raised.

`formats` lists what is read. Text may be compressed (.gz, .bz2, .xz), and files may lie in archives (zip, tar).
"""

import itertools
import os
import sqlite3
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io import formats
from xtalcodec.io.archives import unpacked
from xtalcodec.io.ase_formats import read_ase
from xtalcodec.io.files import AnyPath, FileNames, find
from xtalcodec.io.found import check_size
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.text import check_not_empty, read_text

_SITE_BYTES = 512
"""Bytes of a POSCAR that a site takes at most; what follows the sites, in CHGCAR gigabytes of it, is not read."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """An input that could not be used."""

    name: str
    """Its path, with #block, #frame or #row where a file holds several."""
    reason: str
    """One line that completes "it could not be used:"."""


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
    for unit in units(path, max_sites, name):
        yield from unit


def units(
    path: AnyPath, max_sites: int = MAX_SITES, name: str | None = None, start: int = 0
) -> Iterator[Iterator[Crystal | Unusable]]:
    """Yield a file in units that can be passed over at little cost: rows, frames, blocks, or an archive's members.

    Parameters
    ----------
    path
        The file.
    max_sites
        Refuse crystals of more sites than this.
    name
        What to call its crystals, as of `read`.
    start
        Units at the beginning that are not wanted.

    Yields
    ------
    One crystal, or why there is none; all of them of a member. Nothing is built that is not asked for.
    """
    path = Path(path)
    if formats.kind_of(path) == formats.ARCHIVE and path.is_file():
        return _of_archive(path, max_sites, start)
    return _of_file(path, name or formats.stem_of(path), str(path), max_sites, start)


def count(path: AnyPath) -> int:
    """Count the `units` of a file, or one more, building no crystal: those of parquet by the metadata alone."""
    path = Path(path)
    kind = formats.kind_of(path)
    if kind == formats.ARCHIVE and path.is_file():
        return _members(path)
    if kind in formats.COUNTERS:
        try:
            return formats.COUNTERS[kind](path)
        except Exception:  # noqa: BLE001 - reading it says what is wrong
            return 1
    return sum(1 for _ in units(path))


def _members(path: Path) -> int:
    """Count the members of known formats, and one more for what may be wrong with the archive."""
    found = 0

    def tally(member: str) -> bool:
        nonlocal found
        found += _wanted(member)
        return False

    try:
        for _ in unpacked(path, tally):
            pass
    except Exception:  # noqa: BLE001, S110 - reading it says what is wrong
        pass
    return found + 1


def _of_archive(path: Path, max_sites: int, start: int) -> Iterator[Iterator[Crystal | Unusable]]:
    """Read the members of known formats; what is wrong with one costs only itself."""
    names = formats.MemberNames()
    found, some = 0, False

    def wanted(member: str) -> bool:
        nonlocal found
        found += _wanted(member)
        return _wanted(member)

    try:
        for member, file in unpacked(path, wanted):
            crystals = isinstance(file, Exception) or formats.is_crystal_file(file)
            some |= crystals
            name = names.of(member) if crystals and ".." not in Path(member).parts else ""
            if found > start:
                yield _of_member(file, name, f"{path}/{member}", max_sites) if crystals else iter(())
        if not some:
            raise CrystalError("it is an archive without a file of a known format")
    except Exception as error:  # noqa: BLE001 - whatever a library finds wrong with an archive
        yield iter([Unusable(str(path), _reason(error))])


def _of_member(file: Path | Exception, name: str, label: str, max_sites: int) -> Iterator[Crystal | Unusable]:
    """Read one member of an archive; it has no name where its path leaves the archive."""
    if not name:
        yield Unusable(label, "its path leaves the folder that the archive is unpacked to")
    elif isinstance(file, Exception):
        yield Unusable(label, _reason(file))
    elif formats.kind_of(file) == formats.ARCHIVE:
        yield Unusable(label, "it is an archive in an archive: unpack it first")
    else:
        for unit in _of_file(file, name, label, max_sites):
            yield from unit


def _wanted(member: str) -> bool:
    """Tell whether to unpack a member: of a known format, not hidden."""
    path = Path(member)
    hidden = any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in path.parts)
    return not hidden and formats.kind_of(path) is not None


def _of_file(
    path: Path, name: str, label: str, max_sites: int, start: int = 0
) -> Iterator[Iterator[Crystal | Unusable]]:
    """Yield what one file holds, crystal by crystal; an error of the file itself ends it."""
    try:
        with quiet():
            found = _open(path, name, max_sites, start)
    except Exception as error:  # noqa: BLE001 - whatever a library finds wrong with a file
        yield iter([Unusable(label, _reason(error))])
        return
    for unit in itertools.count(start):
        of_this = label
        try:
            with quiet():
                own, build = next(found)
                of_this = label if own == name else f"{label}#{own.removeprefix(name + '#')}"
        except StopIteration:
            if not unit:
                yield iter([Unusable(label, "it holds no crystal")])
            return
        except Exception as error:  # noqa: BLE001
            yield iter([Unusable(of_this, _reason(error))])
            return
        yield map(built, [build], [own], [of_this], [max_sites])


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
    inputs = list(paths)
    names = FileNames(lambda: find(inputs))
    for k, path in enumerate(find(inputs)):
        yield from read(path, max_sites, names.of(path))
        if progress:
            progress(k + 1, names.files)


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
            return replace(crystal, name=name.encode(errors="replace").decode())  # a file's name may be no text
    except Exception as error:  # noqa: BLE001
        return Unusable(label, _reason(error))


def _open(path: Path, name: str, max_sites: int, start: int = 0) -> Iterator[Any]:
    """Choose the reader of a file and start it behind its first crystals."""
    if path.is_dir():
        os.listdir(path)  # noqa: PTH208 - asks for the permission
        raise CrystalError("it is a folder without a file of a known format")
    if not path.exists():
        raise CrystalError("there is no such file")
    if not path.is_file():
        raise CrystalError("it is not a regular file")
    kind = formats.kind_of(path)
    if kind == "parquet":
        check_not_empty(path)
        return formats.read_parquet(path, name, max_sites, start)
    return itertools.islice(_from_the_first(path, name, max_sites, kind), start, None)


def _from_the_first(path: Path, name: str, max_sites: int, kind: str | None) -> Iterator[Any]:
    """Start the reader of a file that has to be read from its beginning."""
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
    if kind in formats.STREAM_READERS:
        return formats.STREAM_READERS[kind](path, name, max_sites)
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
