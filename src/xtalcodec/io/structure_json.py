"""JSON: structures of pymatgen, ASE, OPTIMADE and JARVIS, and entries, lists, maps, tables and lines of them."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from xtalcodec.crystal import CrystalError
from xtalcodec.io.found import Found, numbered
from xtalcodec.io.records import crystal_of, holders_of, is_structure, is_text, name_of

_DEEPEST = 8
"""Levels of a document that are walked down."""


def read_json(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every structure of a JSON document, or of JSON lines.

    Parameters
    ----------
    text
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    """
    found = [item for document in _documents(text) for item in _structures(document, "", 0)]
    if not found:
        raise CrystalError("it is JSON without a crystal structure")
    for k, (key, value) in enumerate(found):
        many = numbered(name, k, len(found)) if not key else f"{name}#{key}"
        yield (name if len(found) == 1 else many), partial(crystal_of, value, max_sites)


def _documents(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines):
            raise CrystalError(f"it cannot be read: {error}") from error
        return [json.loads(line) for line in lines]


def _structures(value: Any, key: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Walk down to what describes a structure, each with the name or key it was found under."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for item in value:
            yield from _structures(item, "", depth + 1)
    elif is_structure(value) and not _is_table(value):
        yield name_of(value) or key, value
    elif isinstance(value, dict):
        yield from _held(value, key, depth)


def _held(value: dict[str, Any], key: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Structures of a mapping that is none itself: a record, a table, or a map of further ones."""
    columns, rows = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        labels = value.get("index")
        for k, row in enumerate(rows):
            record = dict(zip(map(str, columns), row, strict=False))
            label = labels[k] if isinstance(labels, list) and k < len(labels) else ""
            yield from _structures(record, label if isinstance(label, str) else "", depth + 1)
        return
    holders = holders_of([str(name) for name in value])
    for holder in holders:
        held = value.get(holder)
        if is_text(held) or (isinstance(held, dict) and is_structure(held) and not _is_table(held)):
            beside = {name: field for name, field in value.items() if name not in holders}
            yield name_of(value) or key, {**beside, holder: held}
            return
        if isinstance(held, (dict, list)) and _is_column(held):
            yield from _rows(value, held)
            return
    if _is_table(value):
        yield from _rows(value, next(iter(value.values())))
        return
    for name, item in value.items():
        yield from _structures(item, str(name), depth + 1)


def _is_column(held: dict[str, Any] | list[Any]) -> bool:
    """Tell whether a mapping or list holds a structure in every row."""
    items = list(held.values() if isinstance(held, dict) else held)
    return bool(items) and all(is_structure(item) or is_text(item) or item is None for item in items)


def _is_table(value: dict[str, Any]) -> bool:
    """Tell whether a mapping holds columns of rows by the same keys, as pandas writes tables."""
    columns = list(value.values())
    if not columns or not all(isinstance(column, dict) and column for column in columns):
        return False
    keys = columns[0].keys()
    return (
        "__ndarray__" not in keys
        and len(columns) > 1
        and all(column.keys() == keys for column in columns[1:])
        and (is_structure(dict.fromkeys(value)))
    )


def _rows(table: dict[str, Any], column: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    """Turn columns into rows: {"structure": {"0": …}, "id": {"0": …}}."""
    keys: list[Any] = list(column) if isinstance(column, dict) else list(range(len(column)))
    many = {str(name): cells for name, cells in table.items() if isinstance(cells, type(column))}
    for key in keys:
        record = {name: _cell(cells, key) for name, cells in many.items()}
        yield name_of(record) or str(key), record


def _cell(column: Any, key: Any) -> Any:
    """Return a column's value in one row; None where it ends before."""
    if isinstance(column, dict):
        return column.get(key)
    return column[key] if key < len(column) else None
