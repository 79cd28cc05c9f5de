"""JSON: structures of pymatgen, ASE, OPTIMADE and JARVIS, and entries, lists, maps, tables and lines of them."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.found import Found, named
from xtalcodec.io.json.outline import Outline, outline_of
from xtalcodec.io.json.text import JsonText
from xtalcodec.io.records.columns import holders_of, is_structure, name_of
from xtalcodec.io.records.read import crystal_of, is_text
from xtalcodec.io.text import lines_of, opened_text, read_text

_DEEPEST = 8
"""Levels of a document that are walked down."""
_FIRST, _SMALL = 1 << 20, 1 << 24
"""Characters that tell how a document begins, and up to which it is parsed at once."""

Held = tuple[str, Any]
"""Name or key that a structure was found under, and what describes it, or the CrystalError that is there instead."""


def read_json(path: Path, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every structure of a JSON document, or of JSON lines, of which a bad one costs only itself.

    Lists, lines, tables of rows and maps are taken one structure after the other; other documents are read whole.

    Parameters
    ----------
    path
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    """
    some = False
    held = ((key, partial(_crystal, value, max_sites)) for key, value in _held_by(path))
    for found in named(name, held):
        some = True
        yield found
    if not some:
        raise CrystalError("it is JSON without a crystal structure")


def _crystal(value: Any, max_sites: int) -> Crystal:
    if isinstance(value, CrystalError):
        raise value
    return crystal_of(value, max_sites)


def _held_by(path: Path) -> Iterator[Held]:
    """Choose how to go through a file."""
    with opened_text(path) as file:
        start = file.read(_FIRST)
        if start.lstrip()[:1] == "[":
            file.seek(0)
            yield from _list(JsonText(file.read))
            return
        start += file.read(_SMALL - len(start))
        if len(start) < _SMALL:
            try:
                document = json.loads(start)
            except json.JSONDecodeError:
                pass  # lines, or what the outline says is wrong
            else:
                yield from _structures(document, "", 0)
                return
    del start
    with opened_text(path) as file:
        outline = outline_of(JsonText(file.read))
    if outline.followed:
        with opened_text(path) as file:
            yield from _lines(file)
    elif outline.is_table or outline.is_map:
        with opened_text(path) as file:
            yield from (_rows_of if outline.is_table else _map)(JsonText(file.read), outline)
    else:
        yield from _structures(json.loads(read_text(path)), "", 0)


def _list(text: JsonText) -> Iterator[Held]:
    for item in text.elements():
        yield from _structures(item, "", 1)
    text.end()


def _lines(file: TextIOWrapper) -> Iterator[Held]:
    """Structures of JSON lines; the first tells that they are such, any other may be bad."""
    known = False
    for k, line in enumerate(lines_of(file), start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError as error:
            if not known:
                raise CrystalError("it cannot be read: it holds several documents, and not each on its line") from error
            yield "", CrystalError(f"line {k} cannot be read: {error}")
        else:
            known = True
            yield from _structures(document, "", 0)


def _rows_of(text: JsonText, outline: Outline) -> Iterator[Held]:
    """Structures of a table that pandas wrote as `split`."""
    for key in text.fields():
        if key == "data":
            yield from _split(outline.columns or [], outline.labels, text.elements())
            return
        text.value()


def _map(text: JsonText, _: Outline) -> Iterator[Held]:
    """Structures of a mapping, also of the lists in it, as that of an OPTIMADE server."""
    for key in text.fields():
        if text.sign() == "[":
            for item in text.elements():
                yield from _structures(item, "", 2)
        else:
            yield from _structures(text.value(), key, 1)


def _split(columns: list[Any], labels: Any, rows: Iterable[list[Any]]) -> Iterator[Held]:
    """Structures of rows, each named by its label where that is a text."""
    for k, row in enumerate(rows):
        record = dict(zip(map(str, columns), row, strict=False))
        label = labels[k] if isinstance(labels, list) and k < len(labels) else ""
        yield from _structures(record, label if isinstance(label, str) else "", 1)


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
        yield from _split(columns, value.get("index"), rows)
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
