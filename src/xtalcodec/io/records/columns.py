"""Which columns of a record describe its crystal, which one names it, and which are carried beside it."""

import re
from collections.abc import Sequence
from typing import Any

_IDS = ("material_id", "immutable_id", "mp_id", "mpid", "entry_id", "jid", "cif_id", "id", "name", "identifier", "_id")
"""Columns that name a record, the surest first."""
_HOLDER = re.compile(
    r"(?:.*[_. -])?(structures?|cif|poscar|contcar|atoms|crystal|attributes)"
    r"(?:[_. -]?(string|str|text|json|dict))?"
)
"""Columns that hold a whole structure, in lower case."""
NUMBERS = ("numbers", "atomic_numbers", "atomic_number", "symbols", "species", "elements")
"""Columns of what is on each site; `elements` is last, for it may list each element once."""
POSITIONS = ("positions", "pos", "cart_coords", "cartesian_positions")
FRACTIONAL = ("frac_coords", "scaled_positions", "fractional_coordinates", "frac_pos")
CELLS = ("cell", "lattice", "lattice_vectors", "lattice_mat", "lattice_matrix")
_ARRAYS = frozenset((*NUMBERS, *POSITIONS, *FRACTIONAL, *CELLS, "pbc", "coords", "cartesian", "sites"))
"""What describes the structure in every kind of record; the rest is carried."""
_FURTHER = {
    "optimade": "cartesian_site_positions species_at_sites dimension_types nperiodic_dimensions nelements nsites "
    "elements_ratios chemical_formula_reduced chemical_formula_anonymous chemical_formula_hill "
    "chemical_formula_descriptive structure_features assemblies",
    "jarvis": "abc angles props",
    "fractional": "occupancies",
    "cartesian": "unique_id ctime mtime user calculator calculator_parameters constraints",
}
"""Names that repeat the structure, or tell of the record, in one kind."""
Record = dict[str, Any]


def name_of(record: Record) -> str | None:
    """Return what a record calls itself."""
    lower = {str(key).lower(): value for key, value in record.items()}
    sources = [lower, *(lower[key] for key in ("key_value_pairs", "attributes") if isinstance(lower.get(key), dict))]
    for source in sources:
        for key in _IDS:
            value = source.get(key)
            if (isinstance(value, str) and value.strip()) or (isinstance(value, int) and not isinstance(value, bool)):
                return str(value).strip()
    return None


def without_name(record: Record) -> Record:
    """Return a row of a table less the column that names it."""
    name = name_of(record)
    keys = sorted((key for key in record if key.lower() in _IDS), key=lambda key: _IDS.index(key.lower()))
    used = next((key for key in keys if str(record[key]).strip() == name), None)
    return {key: value for key, value in record.items() if key != used}


def holders_of(columns: Sequence[str]) -> list[str]:
    """Return the columns that may hold a whole structure, the surest first."""
    return sorted((c for c in columns if _HOLDER.fullmatch(c.lower())), key=lambda c: (len(c), list(columns).index(c)))


def columns_of(columns: Sequence[str]) -> list[str]:
    """Choose the columns of a table to read: all but further descriptions; none where it describes no crystal."""
    holders = holders_of(columns)
    further = holders if kind_of(columns) else holders[1:]
    return [column for column in columns if column not in further] if holders or kind_of(columns) else []


def is_structure(value: Any) -> bool:
    """Tell whether a mapping describes a structure itself; a number of sites does not."""
    return isinstance(value, dict) and (holds_sites(value) or bool(kind_of(value.keys())))


def holds_sites(value: Record) -> bool:
    """Tell whether it lists sites, as pymatgen does, or holds no more than their number."""
    return "sites" in value and not isinstance(value["sites"], int | float)


def kind_of(columns: Any) -> str:
    """Say which arrays describe the structure; "" where they describe none."""
    here = {str(column).lower() for column in columns}
    if {"cartesian_site_positions", "species_at_sites", "lattice_vectors"} <= here:
        return "optimade"
    if {"lattice_mat", "coords", "elements"} <= here:
        return "jarvis"
    if here & set(NUMBERS):
        if here & set(FRACTIONAL) and here & set(CELLS):
            return "fractional"
        if here & set(POSITIONS):
            return "cartesian"
    return ""


def beside(record: Record) -> Record:
    """Return what a row says beside its structure, which it may describe in several ways."""
    names = [str(name).lower() for name in record]
    known = _ARRAYS.union(_FURTHER.get(kind_of(names), "").split(), holders_of(names))
    return {str(name): field for name, field in record.items() if str(name).lower() not in known}
