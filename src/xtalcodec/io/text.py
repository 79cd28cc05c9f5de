"""The text of a file: decompressed, decoded, bounded."""

from pathlib import Path
from typing import Any

from xtalcodec.crystal import CrystalError
from xtalcodec.io.limits import MAX_BYTES

COMPRESSED = (".gz", ".bz2", ".xz")
"""Suffixes of text that is compressed."""

_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""Byte order marks; UTF-8 with its mark is read as UTF-8."""


def read_text(path: Path, head: int | None = None) -> str:
    """Return the text of a file, or of its first `head` bytes; refuse what is no text.

    Raises
    ------
    CrystalError
        An empty or binary file, or one of more than `MAX_BYTES` after decompression.
    """
    import bz2
    import gzip
    import lzma

    check_not_empty(path)
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix.lower(), open)
    limit = MAX_BYTES if head is None else head
    with opener(path, "rb") as file:
        data = file.read(limit + 1)
    if head is None and len(data) > limit:
        raise CrystalError(f"it holds more than {limit >> 20} MiB of text")
    text = decoded(data[:limit])
    if not text.strip():
        raise CrystalError("it is empty")
    return text


def decoded(data: bytes) -> str:
    """Decode UTF-8, or UTF-16 and UTF-32 that begin with their byte order mark."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if b"\0" in data:
        raise CrystalError("it is a binary file, not text")
    return data.decode("utf-8-sig", errors="replace")


def check_not_empty(path: Path) -> None:
    """Refuse a file of no bytes."""
    if path.stat().st_size == 0:
        raise CrystalError("it is empty")
