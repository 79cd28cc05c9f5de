"""Properties of crystals from a table, as CGCNN keeps them beside its CIFs: `id_prop.csv`."""

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal


class PropertiesError(ValueError):
    """A table that cannot be used: the message says which line and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Properties:
    """Numbers that are known of crystals, by the crystals' names."""

    names: tuple[str, ...] = ()
    """What the columns are called; property_1, property_2, … where the table has no header."""
    values: dict[str, Float[np.ndarray, " properties"]] | None = None
    """Name of a crystal → its properties, NaN where the table has none."""

    def of(self, crystal: Crystal) -> Float[np.ndarray, " properties"]:
        """Return a crystal's properties, NaN where they are not known."""
        return (self.values or {}).get(crystal.name, np.full(len(self.names), np.nan))

    def unknown(self, crystals: Iterable[Crystal]) -> int:
        """Count the crystals that are not in the table."""
        return sum(crystal.name not in (self.values or {}) for crystal in crystals)

    def digest(self) -> str:
        """SHA-256 of the names and values."""
        result = hashlib.sha256(repr(self.names).encode())
        for name, values in sorted((self.values or {}).items()):
            result.update(name.encode() + b"\0" + values.tobytes())
        return result.hexdigest()


def read_properties(path: str | Path) -> Properties:
    """Read a table of id,value,… with or without a header; an empty cell is a value that is not known.

    Raises
    ------
    PropertiesError
        No table, a line with too few or too many cells, a value that is no number, an id that comes twice.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, line) for number, line in enumerate(csv.reader(file), 1) if any(line)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise PropertiesError(f"{path}: no CSV table: {error}") from error
    if not lines or len(lines[0][1]) < 2:
        raise PropertiesError(f"{path}: no table of id,value,…")
    first = [cell.strip() for cell in lines[0][1]]
    columns = len(first) - 1
    headed = any(cell and not is_number(cell) for cell in first[1:])
    names = tuple(first[1:]) if headed else tuple(f"property_{k + 1}" for k in range(columns))
    if len(set(names)) < columns or not all(names):
        raise PropertiesError(f"{path}: columns need names that differ: {', '.join(first)}")
    values: dict[str, np.ndarray] = {}
    for number, line in lines[headed:]:
        name, *cells = (cell.strip() for cell in line)
        if len(cells) != columns:
            raise PropertiesError(f"{path}, line {number}: {len(cells)} values where the first line has {columns}")
        if name in values:
            raise PropertiesError(f"{path}, line {number}: {name!r} comes twice")
        wrong = [cell for cell in cells if cell and not is_number(cell)]
        if wrong:
            raise PropertiesError(f"{path}, line {number}: {wrong[0]!r} is no number")
        values[name] = np.array([float(cell) if cell else np.nan for cell in cells])
    return Properties(names, values)


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number, or nan or inf; a header is not."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
