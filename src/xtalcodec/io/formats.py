"""Which reader reads a file: by its name, or else by how it begins."""

import re
from pathlib import Path

from xtalcodec.crystal import CrystalError
from xtalcodec.io.archives import is_archive
from xtalcodec.io.ase_database import read_database
from xtalcodec.io.ase_formats import ASE_FORMATS
from xtalcodec.io.cif.read import read_cif
from xtalcodec.io.extxyz import read_extxyz
from xtalcodec.io.json.read import read_json
from xtalcodec.io.poscar import looks_like_poscar, read_poscar
from xtalcodec.io.shelx import read_shelx
from xtalcodec.io.tables import count_parquet, read_csv, read_parquet
from xtalcodec.io.text import COMPRESSED

TEXT_READERS = {"cif": read_cif, "poscar": read_poscar, "shelx": read_shelx}
"""Readers of a text that is read whole."""
STREAM_READERS = {"extxyz": read_extxyz, "csv": read_csv, "json": read_json}
"""Readers of texts of any length."""
PATH_READERS = {"db": read_database, "parquet": read_parquet, **STREAM_READERS}
ARCHIVE = "archive"
COUNTERS = {"parquet": count_parquet}
"""How to count what is in a file without reading it."""
MANY = ("extxyz", "csv", "db", "parquet", ARCHIVE)
"""Kinds of files that hold many crystals as a rule."""

_KINDS = {
    ".cif": "cif",
    ".mcif": "cif",
    ".vasp": "poscar",
    ".poscar": "poscar",
    ".extxyz": "extxyz",
    ".xyz": "extxyz",
    ".res": "shelx",
    ".ins": "shelx",
    ".json": "json",
    ".jsonl": "json",
    ".csv": "csv",
    ".db": "db",
    ".parquet": "parquet",
}
_VASP = re.compile(r"(.*[._-])?(poscar|contcar|chgcar|chg|locpot|aeccar\d?|parchg|elfcar)([._-].*)?")
"""Names of VASP's files, alone or within longer names, in lower case."""
_HEAD = 1 << 12


def kind_of(path: Path) -> str | None:
    """Tell the format from the name alone; None where the name does not tell."""
    name = path.name.lower()
    if is_archive(path):
        return ARCHIVE
    suffix = Path(name).suffix
    if suffix in COMPRESSED:
        inner = kind_of(Path(name.removesuffix(suffix)))
        return inner if inner in TEXT_READERS or inner in STREAM_READERS else None
    if _VASP.fullmatch(name) and suffix not in _KINDS:
        return "poscar"
    return _KINDS.get(suffix) or ASE_FORMATS.get(suffix) or ASE_FORMATS.get(name)


def is_crystal_file(path: Path) -> bool:
    """Tell whether a file found in a folder is of a known format; names that others use too are looked into.

    `setup.cfg` is no AtomEye configuration, and `test_poscar.py` no POSCAR.
    """
    kind, suffix = kind_of(path), path.suffix.lower()
    if kind == "cfg":
        return "number of particles" in _head(path).lower()
    if kind == "poscar" and suffix and suffix not in (*_KINDS, *COMPRESSED):
        return looks_like_poscar(_head(path))
    return kind is not None


def named_by_folder(path: Path) -> bool:
    """Tell whether files of this name are called the same everywhere, and only their folder tells them apart."""
    name = path.name.lower()
    while Path(name).suffix in (*COMPRESSED, ".vasp"):
        name = name.removesuffix(Path(name).suffix)
    return name in ASE_FORMATS or bool(
        re.fullmatch(r"(poscar|contcar|chgcar|chg|locpot|aeccar\d?|parchg|elfcar)", name)
    )


def stem_of(path: Path) -> str:
    """Return what a file calls its crystal: its name without the format's suffix, or its folder and its name."""
    if named_by_folder(path) and path.parent.name:
        return f"{path.parent.name}/{path.name}"
    path = Path(path.name)
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    known = path.suffix.lower() in _KINDS or path.suffix.lower() in ASE_FORMATS
    return path.stem if known else path.name


def longer_name(path: Path, depth: int) -> str:
    """Return a longer name of a file: one folder more at odd depths, and its suffix as well at even ones.

    `a/quartz`, `a/quartz.cif`, `x/a/quartz`, `x/a/quartz.cif`: a folder may hold a crystal in two formats.
    """
    own = Path(stem_of(path)).name if depth % 2 else path.name
    return str(Path(*path.parts[-((depth + 1) // 2) - 1 : -1], own))


class MemberNames:
    """Names of an archive's members: their stems, longer where one before has that name."""

    def __init__(self) -> None:
        """Know of no member yet."""
        self._taken: set[str] = set()

    def of(self, member: str) -> str:
        """Return the name of the next member; called for each in order."""
        path = Path(member.replace("\\", "/"))
        names = [stem_of(path), *(longer_name(path, depth) for depth in range(1, 2 * len(path.parts) + 1)), member]
        name = next((name for name in names if name not in self._taken), member)
        self._taken.add(name)
        return name


def sniff(path: Path, text: str) -> str:
    """Tell the format of a file with an unknown name from its beginning."""
    from ase.io.formats import UnknownFileTypeError, filetype

    if re.search(r"(?im)^[^\S\n]*data_\S*[^\S\n]*$", text[:10_000]) and re.search(r"(?im)^[^\S\n]*_(cell|atom)_", text):
        return "cif"
    if text.lstrip()[:1] in ("{", "["):
        return "json"
    if re.search(r"(?m)^CELL\s", text[:_HEAD]) and re.search(r"(?m)^SFAC\s", text[:_HEAD]):
        return "shelx"
    try:
        kind = filetype(str(path), read=True, guess=False)
    except UnknownFileTypeError:
        kind = ""
    if kind in ("extxyz", "xyz"):
        return "extxyz"
    if kind not in ASE_FORMATS.values():
        known = ", ".join([*_KINDS, "POSCAR"])
        raise CrystalError(f"its format is not recognised; known are {known}, archives and some of ASE's")
    return kind


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD).decode("utf-8", errors="replace")
    except OSError:
        return ""
