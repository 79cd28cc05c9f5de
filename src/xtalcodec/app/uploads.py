"""Files that were dropped on the page → crystals, by the command line's reader; the content tells the format."""

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from xtalcodec.app.links import MAX_SITES
from xtalcodec.crystal import Crystal
from xtalcodec.io.poscar import looks_like_poscar
from xtalcodec.io.read import Unusable, read

LARGEST = 16 << 20
"""Bytes of an upload."""
MOST = 200
"""Crystals that are taken from one file."""

_HEAD = 1 << 16
_BINARY = ((b"PK\x03\x04", ".zip"), (b"PAR1", ".parquet"), (b"SQLite format 3\0", ".db"))


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
