"""Crystals with a number each: a column of a table, of the crystals themselves or of a table beside their files."""

import csv
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets import load, named
from xtalcodec.datasets.source import Progress, SourceError, silent
from xtalcodec.io.carried import carrying, cell_value
from xtalcodec.io.formats import kind_of, stem_of
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.properties import is_number
from xtalcodec.io.read import AnyPath, Unusable, read
from xtalcodec.io.records.columns import columns_of, name_of
from xtalcodec.io.text import lines_of, opened_text

PATHS = ("file", "path", "filename", "filepath", "file_name", "file_path", "cif_file", "structure_file", "cif")
"""Columns of a CSV that may hold paths of crystals, from its folder on, in lower case."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Valued:
    """Crystals of which a number is known, and what was left out."""

    crystals: list[Crystal]
    values: list[float]
    """One for each crystal."""
    without: int
    """Crystals that have no number in the column: nothing, text, or none that is finite."""
    unusable: list[Unusable]


def load_valued(inputs: Sequence[str], column: str, max_sites: int = MAX_SITES, progress: Progress = silent) -> Valued:
    """Read crystals and the number that each has in a column.

    A table has it beside its crystals, or beside the paths of their files (`PATHS`). In a folder, tables without
    crystals have it for the files of the names in their first column, with a header or, as CGCNN's `id_prop.csv`,
    without.

    Parameters
    ----------
    inputs
        Sources, files and folders.
    column
        Name of the column; property_1, property_2, … where a table has no header.
    max_sites
        Crystals of more sites are unusable.
    progress
        Of `datasets.load`.

    Raises
    ------
    SourceError
        No crystal at all, or none with a number in the column: the message lists the columns there are.
    """
    crystals: list[Crystal] = []
    unusable: list[Unusable] = []
    for word in inputs:
        some, more = _read(word, max_sites, progress)
        crystals += some
        unusable += more
    if not crystals:
        reason = f": {unusable[0].name}: {unusable[0].reason}" if unusable else ""
        raise SourceError(f"there is no crystal in {', '.join(inputs)}{reason}")
    numbers = [number_of(crystal.properties.get(column)) for crystal in crystals]
    known = [(c, x) for c, x in zip(crystals, numbers, strict=True) if x is not None]
    if not known:
        there = {name for c in crystals for name, value in c.properties.items() if number_of(value) is not None}
        if column in {name for c in crystals for name in c.properties}:
            raise SourceError(f"none of {len(crystals)} crystals has a number in the column {column!r}, all hold text")
        have = unknown("column with a number", column, sorted(there)) if there else "no crystal has a number beside it"
        raise SourceError(f"{', '.join(inputs)}: {have}")
    return Valued([c for c, _ in known], [x for _, x in known], len(crystals) - len(known), unusable)


def number_of(value: Any) -> float | None:
    """Return a finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _read(word: str, max_sites: int, progress: Progress) -> tuple[list[Crystal], list[Unusable]]:
    """Read the crystals of one input, each with what tables say of it."""
    path = Path(word)
    if not named(word) and path.is_file() and kind_of(path) == "csv" and (paths := _paths(path)):
        return _of_paths(path, paths, max_sites)
    crystals, unusable = load(word, max_sites, progress)
    if named(word) or not path.is_dir():
        return crystals, unusable
    tables = [file for file in sorted(path.rglob("*.csv*")) if kind_of(file) == "csv" and not _holds_crystals(file)]
    said: dict[str, Row] = {}
    for table in tables:
        said |= {name: said.get(name, {}) | row for name, row in _by_name(table)}
    mute = {str(table) for table in tables}
    return [carrying(c, said.get(c.name, {})) for c in crystals], [u for u in unusable if u.name not in mute]


def _rows(path: AnyPath) -> list[list[str]]:
    """Return the lines of a CSV that are not empty, cells stripped; none of what is no CSV, as reading it tells."""
    try:
        with opened_text(Path(path)) as file:
            csv.field_size_limit(max(csv.field_size_limit(), 1 << 26))
            return [[cell.strip() for cell in line] for line in csv.reader(lines_of(file)) if any(line)]
    except (OSError, EOFError, zlib.error, CrystalError, csv.Error):
        return []


def _holds_crystals(path: Path) -> bool:
    """Tell whether a table is one of crystals, or none that can be read."""
    rows = _rows(path)
    return not rows or bool(columns_of([cell for cell in rows[0] if cell]))


def _paths(table: Path) -> str | None:
    """Return the column of a table whose first cell is the path of a file."""
    header, *rows = _rows(table) or [[]]
    for column in header:
        if column.lower() in PATHS and rows:
            cell = dict(zip(header, rows[0], strict=False)).get(column, "")
            if cell and len(cell) < 1000 and "\n" not in cell and (column.lower() != "cif" or kind_of(Path(cell))):
                return column
    return None


def _of_paths(table: Path, column: str, max_sites: int) -> tuple[list[Crystal], list[Unusable]]:
    """Read the files that a table names, each with the rest of its row."""
    header, *rows = _rows(table)
    crystals: list[Crystal] = []
    unusable: list[Unusable] = []
    for cells in rows:
        row = dict(zip(header, cells, strict=False))
        beside = {name: cell_value(cell) for name, cell in row.items() if name != column}
        for item in read(table.parent / row.get(column, ""), max_sites):
            if isinstance(item, Crystal):
                crystals.append(replace(carrying(item, beside), name=name_of(row) or item.name))
            else:
                unusable.append(item)
    return crystals, unusable


def _by_name(table: Path) -> Iterator[tuple[str, Row]]:
    """Yield the name in the first cell of each line of a table, and the others by the names of their columns."""
    rows = _rows(table)
    if not rows:
        return
    headed = any(cell and not is_number(cell) for cell in rows[0][1:])
    header = rows[0][1:] if headed else [f"property_{k}" for k in range(1, len(rows[0]))]
    for name, *cells in rows[headed:]:
        row = {column: cell_value(cell) for column, cell in zip(header, cells, strict=False)}
        yield (stem_of(Path(name)) if kind_of(Path(name)) else name), row
