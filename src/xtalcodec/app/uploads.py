"""Files that were dropped on the page → crystals, by the command line's reader; the content tells the format."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xtalcodec.app.links import MAX_SITES
from xtalcodec.crystal import Crystal
from xtalcodec.io.poscar import looks_like_poscar
from xtalcodec.io.read import Unusable, read

LARGEST = 16 << 20
"""Bytes of an upload."""
MOST = 200
"""Crystals that are taken of the files of one drop."""
FILES = 50
"""Files of one drop."""
TOGETHER = 64 << 20
"""Bytes of all files of one drop."""

_HEAD = 1 << 16
_BINARY = ((b"PK\x03\x04", ".zip"), (b"PAR1", ".parquet"), (b"SQLite format 3\0", ".db"))


@dataclass(eq=False)
class Gathered:
    """Files of one drop, which come one by one, until all are there."""

    whole: Callable[[list[tuple[bytes, str]]], Any]
    """Gets them all: their bytes, and what the sender calls them."""
    files: list[tuple[bytes, str]] = field(default_factory=list)

    def add(self, data: bytes, name: str) -> None:
        """Keep a file.

        Raises
        ------
        ValueError
            There are too many, or they hold too much.
        """
        if len(self.files) == FILES:
            raise ValueError(f"at most {FILES} files are taken at a time.")
        if len(data) + sum(len(other) for other, _ in self.files) > TOGETHER:
            raise ValueError(f"at most {TOGETHER >> 20} MiB are taken at a time.")
        self.files.append((data, name))

    def end(self) -> None:
        """Hand them on."""
        files, self.files = self.files, []
        if files:
            self.whole(files)


def read_uploads(files: Sequence[tuple[bytes, str]], most: int = MOST) -> tuple[list[Crystal], list[Unusable]]:
    """Read the crystals of several uploads, as `read_upload` does; `most` are taken of all."""
    crystals: list[Crystal] = []
    unusable: list[Unusable] = []
    for data, name in files:
        if len(crystals) == most:
            unusable.append(Unusable(name_of(name), f"it is left out: {most:,} crystals are taken at a time"))
            continue
        some, bad = read_upload(data, name, most - len(crystals))
        crystals += some
        unusable += bad
    return crystals, unusable


def read_upload(data: bytes, name: str, most: int = MOST) -> tuple[list[Crystal], list[Unusable]]:
    """Read the crystals of an upload.

    It lies for a moment in a folder of its own, under a name of ours: the sender's is what the crystal is called.

    Parameters
    ----------
    data
        The bytes.
    name
        What the sender calls it.
    most
        Crystals that are taken.
    """
    title = name_of(name)
    crystals: list[Crystal] = []
    unusable: list[Unusable] = []
    with TemporaryDirectory(prefix="xtalcodec-") as folder:
        path = Path(folder, f"upload{suffix_of(data)}")
        path.write_bytes(data)
        for item in read(path, MAX_SITES, title):
            if len(crystals) + len(unusable) == most:
                unusable.append(Unusable(title, f"only its first {most:,} crystals are taken"))
                break
            if isinstance(item, Crystal):
                crystals.append(replace(item, name=item.name or title))
            else:
                unusable.append(Unusable(title, item.reason))
    return crystals, unusable


def suffix_of(data: bytes) -> str:
    """Tell the format by the content, as the suffix of a file; none where the reader has to look closer itself."""
    for mark, suffix in _BINARY:
        if data.startswith(mark):
            return suffix
    text = data[:_HEAD].decode("utf-8", errors="replace")
    if re.search(r"(?im)^\s*data_\S*\s*$", text) or re.search(r"(?im)^\s*_(cell|atom_site)[_.]", text):
        return ".cif"
    if text.lstrip()[:1] in ("{", "["):
        return ".json"
    if re.search(r"(?m)^CELL\s", text) and re.search(r"(?m)^SFAC\s", text):
        return ".res"
    if re.search(r"(?i)\A\s*\d+\s*\n.*lattice\s*=", text):
        return ".extxyz"
    return ".vasp" if looks_like_poscar(text) else ""


def name_of(name: str) -> str:
    """Return what the sender calls the file as a crystal's name: its last part, printable, of sensible length."""
    last = re.split(r"[/\\]", name)[-1]
    last = "".join(c for c in last if c.isprintable()).strip()[:120]
    return re.sub(r"(?i)\.(cif|mcif|vasp|poscar|json|res|ins|xyz|extxyz|zip|parquet|db)\Z", "", last) or "crystal"
