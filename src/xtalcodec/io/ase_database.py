"""ASE databases (SQLite), opened read-only, without ASE's code that may create tables in them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.carried import PER_SITE, carrying
from xtalcodec.io.found import Found, check_size
from xtalcodec.io.records.arrays import from_positions
from xtalcodec.io.records.columns import name_of

_NUMBERS = ("energy", "free_energy", "magmom")
_ARRAYS = ("initial_magmoms", "initial_charges", "magmoms", "charges", "forces", "stress", "dipole")
"""Columns beside the structure, of numbers and of arrays."""


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
        further = [column for column in ("key_value_pairs", *_NUMBERS, *_ARRAYS) if column in columns]
        chosen = ", ".join(["id", "numbers", "positions", "cell", "pbc", *further])
        rows = connection.execute(f"SELECT {chosen} FROM systems ORDER BY id")  # noqa: S608 - words of ours
        for key, numbers, positions, cell, pbc, *beside in rows:
            record = dict(zip(further, beside, strict=True))
            pairs = _pairs(record.pop("key_value_pairs", None))
            own = name_of(pairs) or f"{name}#{key}"
            yield own, partial(_crystal, numbers, positions, cell, pbc, record, pairs, max_sites)


def _pairs(text: object) -> dict[str, Any]:
    """Return the key-value pairs of a row; none where they cannot be read."""
    try:
        record = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _crystal(
    numbers: bytes,
    positions: bytes,
    cell: bytes,
    pbc: int,
    beside: dict[str, Any],
    pairs: dict[str, Any],
    max_sites: int,
) -> Crystal:
    """ASE stores little-endian arrays, and the three periodic directions as bits."""
    species = np.frombuffer(numbers, "<i4")
    check_size(len(species), max_sites)
    places = np.frombuffer(positions, "<f8").reshape(-1, 3)
    lattice, periodic = np.frombuffer(cell, "<f8").reshape(3, 3), [bool(pbc & bit) for bit in (1, 2, 4)]
    crystal = from_positions(species, places, lattice, periodic)
    found = {name: value for name, value in beside.items() if name in _NUMBERS}
    found |= {name: _array(value, name, len(crystal)) for name, value in beside.items() if isinstance(value, bytes)}
    return carrying(crystal, {**found, **pairs})


def _array(stored: bytes, name: str, sites: int) -> list[Any] | bytes:
    """Turn an array into lists: vectors where there are three numbers a site; a damaged one stays as it is."""
    values = np.frombuffer(stored[: len(stored) // 8 * 8], "<f8")
    if len(stored) % 8 or (name in PER_SITE and values.size not in (sites, 3 * sites)):
        return stored
    return (values.reshape(sites, -1) if name in PER_SITE and values.size > sites else values).tolist()
