"""ASE databases (SQLite), opened read-only, without ASE's code that may create tables in them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.found import Found, check_size
from xtalcodec.io.records import from_positions, name_of


def read_database(path: Path, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every row, named by its `material_id` or another id among its key-value pairs, or else by its number.

    Parameters
    ----------
    path
        Of the database.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    """
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise CrystalError("it is no ASE database (SQLite)")
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(systems)")}
        pairs = "key_value_pairs" if "key_value_pairs" in columns else "NULL"
        rows = connection.execute(f"SELECT id, numbers, positions, cell, pbc, {pairs} FROM systems ORDER BY id")  # noqa: S608 - one of two words
        for key, numbers, positions, cell, pbc, pairs_text in rows:
            own = _id(pairs_text)
            yield own or f"{name}#{key}", partial(_crystal, numbers, positions, cell, pbc, max_sites)


def _id(pairs: object) -> str | None:
    try:
        record = json.loads(pairs) if isinstance(pairs, str) else None
    except ValueError:
        return None
    return name_of(record) if isinstance(record, dict) else None


def _crystal(numbers: bytes, positions: bytes, cell: bytes, pbc: int, max_sites: int) -> Crystal:
    """ASE stores little-endian arrays, and the three periodic directions as bits."""
    species = np.frombuffer(numbers, "<i4")
    check_size(len(species), max_sites)
    places = np.frombuffer(positions, "<f8").reshape(-1, 3)
    return from_positions(
        species, places, np.frombuffer(cell, "<f8").reshape(3, 3), [bool(pbc & bit) for bit in (1, 2, 4)]
    )
