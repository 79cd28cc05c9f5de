"""Properties of crystals in the text of extended XYZ and CIF, in such a way that reading gives them back."""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.io.extxyz import EXTXYZ_KEY, SQUARE, TAKEN

CIF_TAGS = ("_xtalcodec_properties", "_xtalcodec_site_properties")
"""Text fields of a CIF that hold JSON: CIF has no names for most of what is known of a crystal."""

_ASE_NAMES = {"magmom": "initial_magmoms", "charge": "initial_charges"}
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


def extxyz_beside(crystal: Crystal) -> tuple[str, list[list[str]], str]:
    """Return what extended XYZ says of the properties.

    Returns
    -------
    columns
        Further `:name:kind:width` of `Properties`.
    cells
        Further cells of every row.
    pairs
        Further ` key=value` of the comment line, with what fits neither as JSON under `EXTXYZ_KEY`.
    """
    columns, pairs = "", ""
    cells: list[list[str]] = [[] for _ in range(len(crystal))]
    others: dict[str, dict[str, Any]] = {"properties": {}, "site_properties": {}}
    for name, values in crystal.site_properties.items():
        rows = [value if isinstance(value, list) else [value] for value in values]
        kind = _kind(values, rows) if _PLAIN_NAME.fullmatch(name) and name.lower() not in TAKEN else ""
        if not kind:
            others["site_properties"][name] = values
            continue
        columns += f":{_ASE_NAMES.get(name, name)}:{kind}:{len(rows[0])}"
        for own, row in zip(cells, rows, strict=True):
            own += [_word(value) for value in row]
    for name, value in crystal.properties.items():
        square = name in SQUARE
        if not _PLAIN_NAME.fullmatch(name) or name.lower() in TAKEN or (square and not _is_matrix(value)):
            others["properties"][name] = value
        elif square:
            pairs += f' {name}="{" ".join(repr(row[k]) for k in range(3) for row in value)}"'
        else:
            pairs += f" {name}={_value(value)}"
    if any(others.values()):
        pairs += f" {EXTXYZ_KEY}={_json(others)}"
    return columns, cells, pairs


def _is_matrix(value: Any) -> bool:
    """Tell whether it is three rows of three numbers."""
    rows = value if isinstance(value, list) else []
    if [len(row) if isinstance(row, list) else 0 for row in rows] != [3] * 3:
        return False
    return all(type(cell) in (int, float) for row in rows for cell in row)


def cif_beside(crystal: Crystal) -> list[str]:
    """Return lines of a CIF with the properties; none where there are none.

    The orientation of the cell comes with them, as vectors of the sites are Cartesian.
    """
    if not (crystal.properties or crystal.site_properties):
        return []
    lines = [
        f"_atom_sites_Cartn_tran_matrix_{i + 1}{j + 1} {crystal.lattice[j, i]:.12f}" for i in range(3) for j in range(3)
    ]
    lines += _moments(crystal)
    for tag, values in zip(CIF_TAGS, (crystal.properties, crystal.site_properties), strict=True):
        if values:
            lines += [tag, f";{json.dumps(values, indent=1)}", ";"]
    return lines


def _moments(crystal: Crystal) -> list[str]:
    """Return the loop of magnetic moments along the cell's axes, where every site has a vector (magCIF dictionary)."""
    moments = crystal.site_properties.get("magmom", [])
    if not moments or not all(isinstance(m, list) and len(m) == 3 and None not in m for m in moments):
        return []
    fractional = np.array(moments, dtype=float) @ np.linalg.inv(crystal.lattice)
    along_axes = fractional * np.linalg.norm(crystal.lattice, axis=1)
    rows = zip(crystal.symbols, along_axes, strict=True)
    group = ["loop_", "_space_group_symop_magn_operation.id", "_space_group_symop_magn_operation.xyz", "1 x,y,z,+1"]
    tags = ["_atom_site_moment.label", *(f"_atom_site_moment.crystalaxis_{x}" for x in "xyz")]
    return [
        *group,
        "loop_",
        *tags,
        *(f"{s}{k} {m[0]:.9f} {m[1]:.9f} {m[2]:.9f}" for k, (s, m) in enumerate(rows, start=1)),
    ]


def cif_symbols(crystal: Crystal) -> tuple[list[str], list[str]]:
    """Return the type symbol of every site, with its oxidation state where that is known, and the loop of types."""
    states = crystal.site_properties.get("oxidation_state", [None] * len(crystal))
    known = [state if isinstance(state, (int, float)) else None for state in states]
    symbols = [s if x is None else f"{s}{_charge(float(x))}" for s, x in zip(crystal.symbols, known, strict=True)]
    types = {symbol: x for symbol, x in zip(symbols, known, strict=True) if x is not None}
    if not types:
        return symbols, []
    rows = [f"{symbol} {types.get(symbol, '?')}" for symbol in dict.fromkeys(symbols)]
    return symbols, ["loop_", "_atom_type_symbol", "_atom_type_oxidation_number", *rows]


def _charge(state: float) -> str:
    """Write 3+ or 2.5-."""
    return f"{abs(state):.6g}{'-' if state < 0 else '+'}"


def _kind(values: Sequence[Any], rows: Sequence[list[Any]]) -> str:
    """Return the kind of a column: R, I, L or S; "" where the values are of several, nested, or hold blanks."""
    widths = {len(row) for row in rows}
    if len(widths) > 1 or widths == {0} or any(isinstance(value, list) != (widths != {1}) for value in values):
        return ""
    cells = [cell for row in rows for cell in row]
    for kind, of in (("L", bool), ("I", int), ("R", float)):
        if all(type(cell) is of for cell in cells):
            return kind
    return "S" if all(isinstance(cell, str) and re.fullmatch(r"[!-~]+", cell) for cell in cells) else ""


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return value if isinstance(value, str) else repr(value)


def _value(value: Any) -> str:
    """Write numbers, truths and plain words as they are, and everything else as ASE's `_JSON`, which is exact."""
    if isinstance(value, (bool, int, float)):
        return _word(value)
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z]+([ _-][A-Za-z]+)+|[A-Za-z][a-z]{5,}", value):
        return f'"{value}"'
    return _json(value)


def _json(value: Any) -> str:
    escaped = f"_JSON {json.dumps(value)}".replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
