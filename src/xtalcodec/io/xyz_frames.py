"""An (extended) XYZ text cut into frames, one after the other, however wrong the numbers of their sites are."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from xtalcodec.crystal import CrystalError
from xtalcodec.io.limits import MAX_BYTES

_LATTICE = re.compile(r"(?i)\blattice\W*=")

Frame = tuple[list[str], str]
"""The lines of a frame, and why it cannot be used ("" where nothing is known against it)."""


class Line(NamedTuple):
    """A line of a file."""

    number: int
    text: str
    head: bool
    """Whether a frame begins here for sure: the next line gives a lattice."""
    last: bool
    """Whether one begins at the next line for sure."""


def frames(lines: Iterable[str], longest: int) -> Iterator[Frame]:
    """Yield frames; where a number of sites is wrong, go on at the next line that gives a lattice.

    A frame is held back until the next one begins, for a line between them says that it is wrong. Of its lines, no
    more than `longest` are kept.
    """
    last: Frame | None = None
    for rows, wrong, sure in _cut(_with_heads(lines), longest):
        if wrong and not sure and last and not last[1]:  # the frame before has more rows than it says
            last = (last[0], wrong)
            continue
        if last:
            yield last
        last = (rows, wrong)
    if not last:
        raise CrystalError("it has no frames")
    yield last


def _cut(lines: Iterator[Line], longest: int) -> Iterator[tuple[list[str], str, bool]]:
    """Yield the rows of a frame, or what is wrong where one should begin; and whether one surely begins there."""
    for line in lines:
        count = line.text.strip()
        if count.isascii() and count.isdecimal() and len(count) <= 12:
            yield _bounded(chain([line.text], _until_head(line, lines, int(count) + 1)), longest), "", line.head
        elif count:
            deque(_until_head(line, lines), maxlen=0)
            yield [], f"line {line.number} is {count[:30]!r}, not a number of sites", line.head


def _until_head(line: Line, lines: Iterator[Line], count: int | None = None) -> Iterator[str]:
    """Take the lines behind one, `count` of them or fewer: those before the next that begins a frame for sure."""
    if line.last:
        return
    for following in islice(lines, count):
        yield following.text
        if following.last:
            return


def _bounded(rows: Iterable[str], longest: int) -> list[str]:
    """Return the first `longest` rows, and take all."""
    kept: list[str] = []
    size = 0
    for row in rows:
        if len(kept) < longest:
            kept.append(row)
            size += len(row)
        if size > MAX_BYTES:
            raise CrystalError(f"one of its frames holds more than {MAX_BYTES >> 20} MiB")
    return kept


def _with_heads(lines: Iterable[str]) -> Iterator[Line]:
    """Number lines, and tell where frames begin."""
    here, after = "", ""
    head = False
    for number, line in enumerate(chain(lines, ["", ""]), start=-1):
        last = "=" in line and bool(_LATTICE.search(line))
        if number > 0:
            yield Line(number, here, head, last)
        here, after, head = after, line, last
