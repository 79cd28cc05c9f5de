"""The text of a file, decompressed and decoded: whole and bounded, or of any length, a line at a time."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xtalcodec.crystal import CrystalError
from xtalcodec.io.limits import MAX_BYTES

COMPRESSED = (".gz", ".bz2", ".xz")
"""Suffixes of text that is compressed."""

_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""Byte order marks; UTF-8 with its mark is read as UTF-8."""
_USUAL = "utf-8-sig"
_PIECE = 1 << 20
"""Bytes read at a time: what is wrong with a small file is known before anything of it is used."""


def read_text(path: Path, head: int | None = None) -> str:
    """Return the text of a file, or of its first `head` bytes; refuse what is no text.

    Raises
    ------
    CrystalError
        An empty or binary file, or one of more than `MAX_BYTES` after decompression.
    """
    check_not_empty(path)
    limit = MAX_BYTES if head is None else head
    with _opened(path) as file:
        data = file.read(limit + 1)
    if head is None and len(data) > limit:
        raise CrystalError(f"it holds more than {limit >> 20} MiB of text")
    text = decoded(data[:limit])
    if not text.strip():
        raise CrystalError("it is empty")
    return text


@contextmanager
def opened_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a text of any length as `read_text` decodes it, its ends of lines as they are.

    Raises
    ------
    CrystalError
        A file that is empty, or binary as far as its first MiB tells.
    """
    check_not_empty(path)
    with _opened(path) as file:
        head = file.read(_PIECE)
        if not decoded(head).strip() and len(head) < _PIECE:
            raise CrystalError("it is empty")
        file.seek(0)
        buffered = io.BufferedReader(file, _PIECE)  # type: ignore[type-var] # typeshed knows no IO that is raw
        with io.TextIOWrapper(buffered, _encoding(head), errors="replace", newline="") as text:
            yield text


def lines_of(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text with their ends.

    Raises
    ------
    CrystalError
        A line of more than `MAX_BYTES`, or one that is no text.
    """
    while line := text.readline(MAX_BYTES + 1):
        if len(line) > MAX_BYTES:
            raise CrystalError(f"one of its lines holds more than {MAX_BYTES >> 20} MiB")
        if "\0" in line:
            raise CrystalError("it is a binary file, not text")
        yield line


def decoded(data: bytes) -> str:
    """Decode UTF-8, or UTF-16 and UTF-32 that begin with their byte order mark."""
    encoding = _encoding(data)
    if encoding == _USUAL and b"\0" in data:
        raise CrystalError("it is a binary file, not text")
    return data.decode(encoding, errors="replace")


def _encoding(data: bytes) -> str:
    """Tell the encoding by the byte order mark."""
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), _USUAL)


def _opened(path: Path) -> io.BufferedIOBase:
    """Open a file for its bytes after decompression."""
    import bz2
    import gzip
    import lzma

    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix.lower(), open)
    return opener(path, "rb")  # type: ignore[no-any-return]


def check_not_empty(path: Path) -> None:
    """Refuse a file of no bytes."""
    if path.stat().st_size == 0:
        raise CrystalError("it is empty")
