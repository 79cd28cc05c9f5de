"""Extended XYZ, frame by frame. The crystal is its cell, species and positions; the rest is carried as it is.

The format is told by ASE's documentation of `ase.io.extxyz`: a number of sites, a line of key=value with
`Lattice="ax ay az bx …"` and `Properties=name:type:columns:…`, and a line for each site.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError, shares_of_kinds
from xtalcodec.io.carried import carrying, columns
from xtalcodec.io.found import Found, check_size, named
from xtalcodec.io.records.arrays import from_positions
from xtalcodec.io.records.values import atomic_numbers, repeats
from xtalcodec.io.text import lines_of, opened_text
from xtalcodec.io.xyz_frames import frames

_DEFAULT_PROPERTIES = "species:S:1:pos:R:3"
_PAIR = re.compile(
    r"""(?:^|(?<=[\s,]))(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s="',{}\[\]]+))\s*"""
    r"""(?:=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|\{([^}]*)\}|(\[.*?\](?=\s|$))|([^\s"'{\[]\S*)))?(?=\s|,|$)"""
)
"""key=value, either in quotes, or a key alone, which means true."""
_TRUTHS = dict.fromkeys(("T", "true", "True", "TRUE"), True) | dict.fromkeys(("F", "false", "False", "FALSE"), False)
SQUARE = ("virial", "stress")
"""Keys whose nine numbers are a matrix, column by column, to ASE, which takes nothing else under them."""
EXTXYZ_KEY = "xtalcodec"
"""Key of what `write` puts as JSON, as its name or value fits no other place."""
_SPECIES = ("species", "element", "elements", "symbols", "symbol", "z", "numbers", "atomic_numbers")
_POSITIONS = ("pos", "positions", "position")

_STRUCTURE = ("lattice", "properties", "pbc")
TAKEN = frozenset((*_STRUCTURE, "occupancy", EXTXYZ_KEY, *_SPECIES, *_POSITIONS))
"""Names, in lower case, that mean something else than a property."""


def read_extxyz(path: Path, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every frame of an (extended) XYZ file, one at a time; a bad frame costs only itself.

    Parameters
    ----------
    path
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    """
    with opened_text(path) as text:
        lines = (line.rstrip("\r\n") for line in lines_of(text))
        found = frames(lines, max_sites + 2)
        yield from named(name, (("", partial(_crystal, rows, reason, max_sites)) for rows, reason in found))


def _crystal(frame: list[str], reason: str, max_sites: int) -> Crystal:
    if reason:
        raise CrystalError(reason)
    while frame and not frame[-1].strip():
        frame = frame[:-1]
    count = int(frame[0])
    check_size(count, max_sites)
    if len(frame) != count + 2:
        raise CrystalError(f"it ends after {max(len(frame) - 2, 0)} of {count} sites")
    pairs = _pairs(frame[1])
    said = {key.lower(): text for key, text in reversed(pairs.items())}
    lattice = said.get("lattice")
    if lattice is None:
        raise CrystalError("it gives no Lattice: a molecule, or plain XYZ")
    cell = np.array([float(x) for x in re.sub(r"[\[\],]", " ", lattice).split()])
    if cell.size != 9:
        raise CrystalError(f"its Lattice has {cell.size} numbers, not nine")
    properties = said.get("properties") or _DEFAULT_PROPERTIES
    species, positions = _columns(properties)
    rows = [line.split() for line in frame[2:]]
    if min(map(len, rows)) < max(species, positions + 2) + 1:
        raise CrystalError("a row has fewer columns than its Properties say")
    numbers, notes = atomic_numbers([row[species] for row in rows])
    places = np.array([[float(x) for x in row[positions : positions + 3]] for row in rows])
    crystal = from_positions(numbers, places, cell.reshape(3, 3), repeats(said.get("pbc")), notes)
    beside = {key: _typed(text, key) for key, text in pairs.items() if key.lower() not in _STRUCTURE}
    of_sites = columns(_further_cells(row, properties) for row in rows)
    if "occupancy" in beside:
        kinds = of_sites.pop("spacegroup_kinds", list(range(count)))
        shares = shares_of_kinds(beside.pop("occupancy"), kinds, numbers)
        crystal = Crystal.of_shares(crystal.lattice, crystal.frac_coords, shares, notes=notes)
    others = beside.pop(EXTXYZ_KEY, {})
    beside |= others if isinstance(others, dict) else {EXTXYZ_KEY: others}
    return carrying(crystal, beside, of_sites)


def _pairs(comment: str) -> dict[str, str | None]:
    """Return the text behind each key of the line of key=value, out of its quotes; None of a key alone."""
    found: dict[str, str | None] = {}
    for match in _PAIR.finditer(comment):
        quoted, single, bare, *values = match.groups()
        key = _unescaped(quoted) if quoted is not None else single if single is not None else bare
        text = next((value for value in values if value is not None), None)
        found.setdefault(key, _unescaped(text) if text is not None and values[0] is not None else text)
    return found


def _unescaped(text: str) -> str:
    """Return a quoted text as it was before quotes and backslashes in it got a backslash."""
    return re.sub(r"\\(.)", r"\1", text)


def _typed(text: str | None, key: str) -> Any:
    """Read a value by ASE's rules: T, F, a number, a list of numbers, a matrix, `_JSON` or else text."""
    if text is None or text in _TRUTHS:
        return text is None or _TRUTHS[text]
    if text.startswith("_JSON"):
        try:
            return json.loads(text.removeprefix("_JSON"))
        except ValueError:
            return text
    words = re.sub(r"[\[\],]", " ", text).split() if re.fullmatch(r"[\d\s.,eE+\-\[\]]+", text) else []
    try:
        values = [int(word) if re.fullmatch(r"[+-]?\d+", word) else float(word) for word in words]
    except ValueError:
        return text
    if key in SQUARE and len(values) == 9:
        return [values[k::3] for k in range(3)]
    return text if not values else values[0] if len(values) == 1 else values


def _further_cells(row: list[str], properties: str) -> dict[str, Any]:
    """Return the columns of a site that are neither species nor position."""
    words = properties.split(":")
    found: dict[str, Any] = {}
    first = 0
    for name, kind, width in zip(words[::3], words[1::3], map(int, words[2::3]), strict=True):
        cells = row[first : first + width]
        first += width
        if name.lower() in (*_SPECIES, *_POSITIONS) or len(cells) < width or name in found:
            continue
        values = [_cell(cell, kind) for cell in cells]
        found[name] = values[0] if width == 1 else values
    return found


def _cell(text: str, kind: str) -> Any:
    """Read a cell of a column of kind R, I, L or S; text where it is not what its kind says."""
    try:
        if kind.upper() == "L":
            return text.strip(".").upper() in ("T", "TRUE", "1")
        return {"R": float, "I": int}.get(kind.upper(), str)(text)
    except ValueError:
        return text


def _columns(properties: str) -> tuple[int, int]:
    """Return the first column of the species and of the positions."""
    words = properties.split(":")
    if len(words) % 3 or not all(word.isascii() and word.isdecimal() for word in words[2::3]):
        raise CrystalError(f"its Properties {properties[:40]!r} cannot be read")
    first = 0
    found: dict[str, int] = {}
    for name, width in zip(words[::3], map(int, words[2::3]), strict=True):
        found.setdefault(name.lower(), first)
        first += width
    species = next((found[name] for name in _SPECIES if name in found), None)
    positions = next((found[name] for name in _POSITIONS if name in found), None)
    if species is None or positions is None:
        raise CrystalError(f"its Properties {properties[:40]!r} name no species or no positions")
    return species, positions
