"""CIF text → data blocks → tags and values, with gemmi for the syntax.

Tags compare without case, and `_atom_site.fract_x` of the newer dictionaries is `_atom_site_fract_x`
(CIF core dictionary, DDLm aliases).
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from xtalcodec.crystal import CrystalError

UNKNOWN = ("?", ".", "")
"""Values that say nothing: unknown, inapplicable, empty."""

_NUMBER = re.compile(r"([-+]?)(\d+\.?(\d*)|\.(\d+))([eE][-+]?\d+)?(?:\((\d+)\)?)?")
_ESSENTIAL = ("_atom_site_", "_cell_length", "_cell_angle")
_ONE_LINE = re.compile(r"(?m)^([ \t]*_\S+[ \t]+)([^'\"#;\s_][^'\"#\n]*[ \t][^'\"#\n]*?)[ \t]*$")
"""A tag and several words behind it, without quotes."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a CIF."""

    value: float
    digits: int = 0
    """Decimals that are written."""
    significant: int = 0
    """Decimals without zeros at the end."""
    uncertainty: float = 0.0
    """Standard uncertainty, from the parentheses; 0 where none is given."""


@dataclass(slots=True)
class Block:
    """Tags and values of one data block."""

    values: dict[str, list[str]] = field(default_factory=dict)
    """Tag (lower case, dots as underscores) → its values: one, or a column of a loop."""

    def one(self, *tags: str) -> str | None:
        """Return the first value that is known of the first of these tags that has one."""
        for tag in tags:
            for value in self.values.get(tag, ()):
                if value.strip() not in UNKNOWN:
                    return value.strip()
        return None

    def column(self, tag: str, length: int | None = None) -> list[str]:
        """Return a column of the atoms' loop, of the length of the others."""
        column = self.values.get(tag)
        if column is None:
            raise CrystalError(f"it has no {tag}: incomplete, or not the CIF of a crystal")
        if length not in (None, len(column)):
            raise CrystalError(f"its {tag} is not a column of the loop of atoms")
        return column

    def matching(self, pattern: str) -> list[str]:
        """Return the tags that a pattern matches from their start."""
        return [tag for tag in self.values if re.match(pattern, tag)]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Split at `data_` lines, but not inside text fields (between lines that start with ;).

    Characters beyond ASCII become "?", so that 0.1é5 is no number; so do control characters.
    """
    title, in_field = "", False
    lines: list[str] = []
    plain = text.replace("\u00a0", " ").rstrip("\x1a \t\r\n").encode("ascii", "replace").decode()
    for line in re.sub(r"[\x00-\x08\x0e-\x1f\x7f]", "?", plain).splitlines():
        start = re.match(r"\s*data_(\S*)", line, re.IGNORECASE)
        if line.startswith(";"):
            in_field = not in_field
        elif start and not in_field:
            if lines:
                yield title, "\n".join(lines) + "\n"
            title, lines = start[1], []
        if start or lines:
            lines.append(line)
    if lines:
        yield title, "\n".join(lines) + "\n"


def parse(text: str) -> Block:
    """Parse one data block; a name or formula of several words that lacks its quotes is read as meant.

    Raises
    ------
    CrystalError
        What is no CIF, with the line; a tag of the cell or the atoms that is given twice.
    """
    from gemmi import cif

    try:
        document = cif.read_string(text, check_level=0)
    except ValueError as error:
        try:
            document = cif.read_string(_ONE_LINE.sub(r"\1'\2'", text), check_level=0)
        except ValueError:
            raise CrystalError(_reason(str(error))) from error
    found = Block()
    for item in document[0] if len(document) else ():
        if item.loop is not None:
            for k, tag in enumerate(item.loop.tags):
                _add(found, tag, [_plain(value) for value in item.loop.values[k :: item.loop.width()]])
        elif item.pair is not None:
            _add(found, item.pair[0], [_plain(item.pair[1] or "?")])
    return found


def _plain(value: str) -> str:
    """Take a value out of its quotes; what is unknown stays ? or .."""
    from gemmi import cif

    return value if value in UNKNOWN else cif.as_string(value)


def _add(block: Block, tag: str, values: list[str]) -> None:
    tag = tag.lower().replace(".", "_")
    if tag not in block.values:
        block.values[tag] = values
    elif tag.startswith(_ESSENTIAL):
        raise CrystalError(f"it gives {tag} twice")


def _reason(message: str) -> str:
    """Say what gemmi found wrong, with the line counted from the start of the data block."""
    if "Wrong number of values" in message:
        return "a loop_ has a row without all of its values: damaged or cut off"
    where = re.match(r"string:(\d+):\d+\(\d+\): (.*)", message)
    return f"its syntax is wrong at line {where[1]} of the block: {where[2]}" if where else f"its syntax: {message}"


def number(text: str | None, what: str) -> Number:
    """Read a CIF number, which may carry its standard uncertainty in parentheses.

    Raises
    ------
    CrystalError
        No number, or none that is finite.
    """
    if text is None:
        raise CrystalError(f"it gives no {what}")
    match = _NUMBER.fullmatch(text)
    value = float(text.split("(")[0]) if match else math.nan
    if match is None or not math.isfinite(value):
        raise CrystalError(f"{what} is {text[:30]!r}, not a finite number")
    decimals = match[3] or match[4] or ""
    power = int(match[5][1:]) if match[5] else 0
    if abs(power) > 300:
        raise CrystalError(f"{what} is {text[:30]!r}, not a finite number")
    last = 10.0 ** (power - len(decimals))
    digits, significant = len(decimals) - power, len(decimals.rstrip("0")) - power
    return Number(value, max(digits, 0), max(significant, 0), int(match[6] or 0) * last)
