"""Crystals from files of any supported format; what cannot be used is told, never raised.

Formats: CIF (several data blocks too), POSCAR/CONTCAR, extended XYZ, JSON of pymatgen and ASE, ASE
databases, parquet, CSV with a column of CIFs, and those of ASE's formats that `readers` lists. Text
formats may be compressed (.gz, .bz2, .xz).
"""

import os
import re
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xtalcodec import readers
from xtalcodec.cif import check_size, read_cif
from xtalcodec.crystal import Crystal, CrystalError

MAX_SITES = 2000
"""Sites in one crystal; a larger one is refused, because it was hardly meant for a codec of unit cells."""
MAX_BYTES = 1 << 29
"""Bytes of text in one file after decompression: a guard against archives that unpack without end."""

_COMPRESSED = (".gz", ".bz2", ".xz")
_TEXT_READERS = {
    "cif": read_cif,
    "poscar": readers.read_poscar,
    "extxyz": readers.read_extxyz,
    "json": readers.read_json,
    "csv": readers.read_csv,
}
_PATH_READERS = {"db": readers.read_database, "parquet": readers.read_parquet}
_KINDS = {
    ".cif": "cif",
    ".mcif": "cif",
    ".vasp": "poscar",
    ".poscar": "poscar",
    ".extxyz": "extxyz",
    ".xyz": "extxyz",
    ".json": "json",
    ".csv": "csv",
    ".db": "db",
    ".parquet": "parquet",
}

AnyPath = str | os.PathLike


@dataclass(frozen=True, slots=True)
class Unusable:
    """An input that could not be used."""

    name: str
    """Its path, with #block, #frame or #row where a file holds several."""
    reason: str
    """One line that completes "it could not be used:"."""


def kind_of(path: Path) -> str | None:
    """Tell the format from the name alone; None where the name does not tell."""
    name = path.name.lower()
    suffix = Path(name).suffix
    if suffix in _COMPRESSED:
        inner = kind_of(Path(name.removesuffix(suffix)))
        return inner if inner in _TEXT_READERS else None
    if re.match(r"(.*[._-])?(poscar|contcar)([._-].*)?$", name) and suffix not in _KINDS:
        return "poscar"
    return _KINDS.get(suffix) or readers.ASE_FORMATS.get(suffix) or readers.ASE_FORMATS.get(name)


def stem_of(path: Path) -> str:
    """Return what a file calls its crystal: its name without the format's suffix."""
    path = Path(path.name)
    if path.suffix.lower() in _COMPRESSED:
        path = path.with_suffix("")
    known = path.suffix.lower() in _KINDS or path.suffix.lower() in readers.ASE_FORMATS
    return path.stem if known else path.name


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
            inside += [Path(folder, n) for n in names if not n.startswith(".") and kind_of(Path(n))]
        found += sorted(inside) or [path]
    return found


def read(path: AnyPath, max_sites: int = MAX_SITES) -> Iterator[Crystal | Unusable]:
    """Yield every crystal of one file, or why it, or one of its crystals, cannot be used.

    Parameters
    ----------
    path
        The file. Its crystals are named by its stem, with #block or #number where there are
        several, and by `material_id` in tables that have one.
    max_sites
        Refuse crystals of more sites than this.
    """
    path = Path(path)
    name = stem_of(path)
    found: Iterator[Any] = iter(())
    try:
        with quiet():
            found = _open(path, name, max_sites)
    except Exception as error:  # noqa: BLE001 - whatever a library finds wrong with a file
        yield Unusable(str(path), _reason(error))
    while True:
        label = str(path)
        try:
            with quiet():
                own, build = next(found)
                label = str(path) if own == name else f"{path}#{own.removeprefix(name + '#')}"
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001
            yield Unusable(label, _reason(error))
            return
        yield _built(build, own, label, max_sites)


def iterate(
    paths: Iterable[AnyPath],
    max_sites: int = MAX_SITES,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Crystal | Unusable]:
    """Yield what `read` yields for all files, in order, holding one crystal at a time.

    `progress` is called after every file with the number of files read and of all files.
    """
    files = find(paths)
    for k, path in enumerate(files):
        yield from read(path, max_sites)
        if progress:
            progress(k + 1, len(files))


def read_all(
    paths: Iterable[AnyPath],
    max_sites: int = MAX_SITES,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Crystal], list[Unusable]]:
    """Return all crystals of all files, and all that could not be used."""
    crystals: list[Crystal] = []
    unusable: list[Unusable] = []
    for item in iterate(paths, max_sites, progress):
        if isinstance(item, Crystal):
            crystals.append(item)
        else:
            unusable.append(item)
    return crystals, unusable


def _built(build: Callable[[], Crystal], name: str, label: str, max_sites: int) -> Crystal | Unusable:
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
    kind = kind_of(path)
    if kind in _PATH_READERS:
        _check_not_empty(path)
        return _PATH_READERS[kind](path, name, max_sites)
    if kind and kind not in _TEXT_READERS:
        _check_not_empty(path)
        return readers.read_ase(path, name, max_sites, kind)
    text = _text(path)
    kind = kind or _sniff(path, text)
    if kind in _TEXT_READERS:
        return _TEXT_READERS[kind](text, name, max_sites)
    return readers.read_ase(path, name, max_sites, kind)


def _sniff(path: Path, text: str) -> str:
    """Tell the format of a file with an unknown name from its beginning."""
    from ase.io.formats import UnknownFileTypeError, filetype

    if re.search(r"(?im)^\s*data_\S*\s*$", text[:10_000]) and re.search(r"(?m)^\s*_(cell|atom)_", text):
        return "cif"
    if text.lstrip()[:1] in ("{", "["):
        return "json"
    try:
        kind = filetype(str(path), read=True, guess=False)
    except UnknownFileTypeError:
        kind = ""
    if kind in ("extxyz", "xyz"):
        return "extxyz"
    if kind not in readers.ASE_FORMATS.values():
        known = ", ".join([*_KINDS, "POSCAR"])
        raise CrystalError(f"its format is not recognised; known are {known} and some of ASE's")
    return kind


def _check_not_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise CrystalError("it is empty")


def _text(path: Path) -> str:
    """Return the text of a file, decompressed; refuse what is no text."""
    import bz2
    import gzip
    import lzma

    _check_not_empty(path)
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix.lower(), open)
    with opener(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise CrystalError(f"it holds more than {MAX_BYTES >> 20} MiB of text")
    if b"\0" in data:
        raise CrystalError("it is a binary file, not text")
    text = data.decode("utf-8-sig", errors="replace")
    if not text.strip():
        raise CrystalError("it is empty")
    return text


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' warnings to ourselves: what matters among them is checked and told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _reason(error: Exception) -> str:
    """Say in one short line why something could not be used."""
    if isinstance(error, CrystalError):
        text = str(error)
    elif isinstance(error, PermissionError):
        text = "no permission to read it"
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
