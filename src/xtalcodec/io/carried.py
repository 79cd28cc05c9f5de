"""What a crystal is beside its sites: kept as plain JSON-like values, under the source's names and in its units.

Nothing is interpreted and no unit is guessed. Two names are made one across formats, as pymatgen's adaptor for
ASE has them: `initial_magmoms` is `magmom`, and `initial_charges` is `charge`.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal

MOST_BYTES = 1 << 20
"""Longest JSON text of one property; longer ones are left out with a note."""

PER_SITE = frozenset({"forces", "momenta", "velocities", "masses", "tags", "selective_dynamics", "coordination_no"})
PER_SITE |= {"magmom", "magmoms", "magnetic_moment", "magnetic_moments", "initial_magmoms"}
PER_SITE |= {"charge", "charges", "initial_charges", "oxidation_state", "oxidation_states"}
"""Names that mean one value for each site wherever they hold as many as there are sites."""

_ONE_NAME = {"initial_magmoms": "magmom", "initial_charges": "charge"}
_NUMBER = re.compile(r"[-+]?(?=\.?\d)(?:0|[1-9]\d*)?(?P<decimals>\.\d*)?(?P<power>[eE][-+]?\d+)?", re.ASCII)
_DEEPEST = 8
"""Levels of lists and mappings within a property."""


def carrying(
    crystal: Crystal, fields: Mapping[str, Any], site_fields: Mapping[str, Sequence[Any]] | None = None
) -> Crystal:
    """Return the crystal with further properties; what it has already stays.

    Parameters
    ----------
    crystal
        Of one structure.
    fields
        Of the crystal, by name. Those of `PER_SITE` that hold one value for each site are of the sites; a mapping
        called `properties` or `site_properties` (or its JSON text) is spread. Nulls are left out.
    site_fields
        Of the sites, one value for each.
    """
    given, of_sites = _spread(fields)
    own, left = _kept(given)
    sites, left_sites = _kept(of_sites | dict(site_fields or {}))
    for name in [name for name in own if name.lower() in PER_SITE and _counts(own[name], crystal)]:
        sites.setdefault(name, own.pop(name))
    for name in [name for name, values in sites.items() if not _counts(values, crystal)]:
        own.setdefault(name, sites.pop(name))
    sites = {_ONE_NAME.get(name, name): values for name, values in sites.items()}
    left += left_sites
    notes = (f"properties left out, too large or no plain values: {', '.join(left)[:80]}",) if left else ()
    if not (own or sites or notes):
        return crystal
    return replace(
        crystal,
        properties={**own, **crystal.properties},
        site_properties={**sites, **crystal.site_properties},
        notes=crystal.notes + notes,
    )


def columns(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn one mapping for each site into one list for each name, with None where a site has no value."""
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def cell_value(text: str) -> Any:
    """Read a cell of a CSV: a number that begins with no needless 0, as ids do, else text, and None of nothing."""
    text = text.strip()
    number = _NUMBER.fullmatch(text)
    try:
        return (float(text) if number["decimals"] or number["power"] else int(text)) if number else text or None
    except ValueError:  # more digits than Python makes a number of
        return text


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON has it; a number that is not finite is None.

    Raises
    ------
    ValueError
        What JSON has no value for, or lists within lists within lists.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()  # bytes and objects stay what they are, and are refused below
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        if "__ndarray__" in value:  # ASE writes an array as {"__ndarray__": [shape, type, numbers]}
            shape, _, flat = value["__ndarray__"]
            return plain(np.array(flat).reshape(shape), depth)
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if hasattr(value, "isoformat"):  # dates, of tables
        return value.isoformat()
    raise ValueError(f"{type(value).__name__} is no plain value")


def _spread(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take apart mappings of properties, and leave what begins with @ (names of Python classes) and notes out."""
    given: dict[str, Any] = {}
    of_sites: dict[str, Any] = {}
    for name, value in fields.items():
        inner = _mapping(value) if name in ("properties", "site_properties", "key_value_pairs") else None
        if inner is None:
            given[name] = value
        else:
            (of_sites if name == "site_properties" else given).update(inner)
    return {k: v for k, v in given.items() if k and k[0] != "@" and not (k == "notes" and _are_notes(v))}, of_sites


def _are_notes(value: Any) -> bool:
    """Whether it is a list of texts, which are read as the crystal's notes; notes of another kind are a property."""
    return isinstance(value, (list, tuple)) and all(isinstance(note, str) for note in value)


def _mapping(value: Any) -> dict[str, Any] | None:
    """Return a mapping, or that of a JSON text."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else None


def _counts(values: Any, crystal: Crystal) -> bool:
    """Tell whether there is one value for each site."""
    return isinstance(values, list) and len(values) == len(crystal)


def _kept(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what can be kept, and the names of what cannot."""
    kept: dict[str, Any] = {}
    left: list[str] = []
    for name, value in fields.items():
        try:
            value = plain(value)  # noqa: PLW2901 - as JSON has it
            if isinstance(value, (str, list, dict)) and len(json.dumps(value)) > MOST_BYTES:
                left.append(name)
            elif value is not None:
                kept[name] = value
        except (ValueError, TypeError, RecursionError):
            left.append(name)
    return kept, left
