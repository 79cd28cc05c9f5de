"""Values of a record: numbers in rows, elements by symbol or number, and along which cell vectors it repeats."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from xtalcodec.crystal import CrystalError
from xtalcodec.io.records.columns import Record


def field_of(record: Record, names: Sequence[str], width: int = 0) -> Any:
    """Return the first of some fields that is not null.

    Parameters
    ----------
    record
        With names in lower case.
    names
        Of the fields.
    width
        Numbers in a row of an array; 0 for the value as it is.

    Raises
    ------
    CrystalError
        Nulls alone, or no multiple of `width` numbers.
    """
    name = next((name for name in names if record.get(name) is not None), names[0])
    value = record.get(name)
    if isinstance(value, str):
        value = json.loads(value)
    value = value.get("array", value) if isinstance(value, dict) else value
    if value is None:
        raise CrystalError("one of its columns is null")
    if isinstance(value, dict):  # ASE writes an array as {"__ndarray__": [shape, type, numbers]}
        shape, _, flat = value["__ndarray__"]
        value = np.array(flat).reshape(shape)
    if not width:
        return value
    numbers = np.array([np.ravel(row) for row in value] if np.ndim(value) != 1 else value, dtype=float).reshape(-1)
    if numbers.size % width:
        raise CrystalError(f"its {name} holds {numbers.size} numbers, no multiple of {width}")
    return numbers.reshape(-1, width)


def atomic_numbers(symbols: Iterable[Any]) -> tuple[list[int], tuple[str, ...]]:
    """Turn symbols or numbers into atomic numbers; isotopes become their element, which is noted."""
    from pymatgen.core import Element

    numbers, isotopes = [], False
    for k, symbol in enumerate(symbols):
        if isinstance(symbol, (int, np.integer)) or (isinstance(symbol, str) and symbol.isdecimal()):
            numbers.append(int(symbol))
            continue
        text = str(symbol)
        isotopes |= text in ("D", "T")
        if not Element.is_valid_symbol(text) and text not in ("D", "T"):
            raise CrystalError(f"site {k} holds {text[:30]!r}, which is no element")
        numbers.append(1 if text in ("D", "T") else Element(text).Z)
    return numbers, ("isotopes are read as their element: D or T",) if isotopes else ()


def repeats(pbc: Any) -> list[bool]:
    """Tell along which cell vectors it repeats: of `T T T`, `True,True,True`, `[1, 1, 1]`; None means a crystal."""
    if isinstance(pbc, dict):
        pbc = pbc["__ndarray__"][2]
    words = re.findall(r"[\w.]+", "T" if pbc is None else str(np.ravel(pbc).tolist()))
    return [is_true(word) for word in (words * 3 if len(words) == 1 else words)]


def is_true(value: Any) -> bool:
    """Read a truth value that a table may have made a text."""
    return str(value).strip().lower() in ("t", "true", "1", "1.0", ".true.")


def own_notes(record: Record) -> tuple[str, ...]:
    """Return the notes that were kept beside a crystal."""
    notes = record.get("notes")
    return tuple(note for note in notes if isinstance(note, str)) if isinstance(notes, (list, tuple)) else ()
