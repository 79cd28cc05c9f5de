"""A record of any source as a crystal: the structures of pymatgen, ASE, OPTIMADE and JARVIS, plain columns, or text.

Everything is read as plain data; no object that a record names is decoded.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError, check_periodic
from xtalcodec.io.carried import carrying, columns
from xtalcodec.io.found import check_size

_IDS = ("material_id", "immutable_id", "mp_id", "mpid", "entry_id", "jid", "cif_id", "id", "name", "identifier", "_id")
"""Columns that name a record, the surest first."""
_HOLDER = re.compile(
    r"(?:.*[_. -])?(structures?|cif|poscar|contcar|atoms|crystal|attributes)"
    r"(?:[_. -]?(string|str|text|json|dict))?"
)
"""Columns that hold a whole structure, in lower case."""
_NUMBERS = ("numbers", "atomic_numbers", "atomic_number", "symbols", "species", "elements")
"""Columns of what is on each site; `elements` is last, for it may list each element once."""
_POSITIONS = ("positions", "pos", "cart_coords", "cartesian_positions")
_FRACTIONAL = ("frac_coords", "scaled_positions", "fractional_coordinates", "frac_pos")
_CELLS = ("cell", "lattice", "lattice_vectors", "lattice_mat", "lattice_matrix")
_ARRAYS = frozenset((*_NUMBERS, *_POSITIONS, *_FRACTIONAL, *_CELLS, "pbc", "coords", "cartesian", "notes", "sites"))
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
_ENVELOPE = frozenset({"links", "relationships", "meta", "type"})
"""What an OPTIMADE server puts around the attributes of an entry."""

Record = dict[str, Any]


def without_name(record: Record) -> Record:
    """Return a row of a table less the column that names it."""
    name = name_of(record)
    keys = sorted((key for key in record if key.lower() in _IDS), key=lambda key: _IDS.index(key.lower()))
    used = next((key for key in keys if str(record[key]).strip() == name), None)
    return {key: value for key, value in record.items() if key != used}


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


def is_structure(value: Any) -> bool:
    """Tell whether a mapping describes a structure itself; a number of sites does not."""
    return isinstance(value, dict) and (_holds_sites(value) or bool(_arrays(value.keys())))


def _holds_sites(value: Record) -> bool:
    return "sites" in value and not isinstance(value["sites"], int | float)


def columns_of(columns: Sequence[str]) -> list[str]:
    """Choose the columns of a table to read: all but further descriptions; none where it describes no crystal."""
    holders = holders_of(columns)
    further = holders if _arrays(columns) else holders[1:]
    return [column for column in columns if column not in further] if holders or _arrays(columns) else []


def holders_of(columns: Sequence[str]) -> list[str]:
    """Return the columns that may hold a whole structure, the surest first."""
    return sorted((c for c in columns if _HOLDER.fullmatch(c.lower())), key=lambda c: (len(c), list(columns).index(c)))


def is_text(value: Any) -> bool:
    """Tell whether a string may be a structure: several lines, or JSON."""
    return isinstance(value, str) and (value.count("\n") > 5 or value.lstrip()[:1] in ("{", "["))


def crystal_of(value: Any, max_sites: int) -> Crystal:
    """Build the crystal of a structure's mapping, of a record that holds one, or of text.

    Raises
    ------
    CrystalError
        What is no structure, or no ordered crystal.
    """
    if isinstance(value, str):
        return _from_text(value, max_sites)
    if not isinstance(value, dict):
        raise CrystalError("one of its columns is null" if value is None else "it holds no structure")
    if not is_structure(value):
        holders = holders_of([str(key) for key in value])
        if not holders:
            raise CrystalError("it holds no structure")
        around = _ENVELOPE if holders[0] == "attributes" else ()
        other = {str(key): field for key, field in value.items() if key not in holders and key not in around}
        return carrying(crystal_of(value[holders[0]], max_sites), other)
    if _holds_sites(value):
        return _pymatgen(value, max_sites)
    record = {str(key).lower(): field for key, field in value.items()}
    kind = _arrays(record.keys())
    check_periodic(repeats(record.get("pbc")))
    return carrying(_BUILDERS[kind](record, max_sites), beside(value))


def beside(record: Record) -> Record:
    """Return what a row says beside its structure, which it may describe in several ways."""
    names = [str(name).lower() for name in record]
    known = _ARRAYS.union(_FURTHER.get(_arrays(names), "").split(), holders_of(names))
    return {str(name): field for name, field in record.items() if str(name).lower() not in known}


def repeats(pbc: Any) -> list[bool]:
    """Tell along which cell vectors it repeats: of `T T T`, `True,True,True`, `[1, 1, 1]`; None means a crystal."""
    if isinstance(pbc, dict):
        pbc = pbc["__ndarray__"][2]
    words = re.findall(r"[\w.]+", "T" if pbc is None else str(np.ravel(pbc).tolist()))
    return [_is_true(word) for word in (words * 3 if len(words) == 1 else words)]


def _is_true(value: Any) -> bool:
    """Read a truth value that a table may have made a text."""
    return str(value).strip().lower() in ("t", "true", "1", "1.0", ".true.")


def from_positions(numbers: Any, positions: Any, cell: Any, periodic: Any, notes: tuple[str, ...] = ()) -> Crystal:
    """Build a crystal from Cartesian positions, if its cell is three-dimensional.

    Parameters
    ----------
    numbers
        Atomic numbers.
    positions
        Cartesian, sites × 3, in Å.
    cell
        Rows are the cell vectors, in Å.
    periodic
        Whether it repeats, for each cell vector.
    notes
        What was assumed.

    Raises
    ------
    CrystalError
        No cell of three vectors, or not periodic along all.
    """
    from ase import Atoms

    if np.shape(cell) != (3, 3) or not np.isfinite(cell).all():
        raise CrystalError("it has no finite cell of three vectors")
    crystal = Crystal.from_ase(Atoms(numbers=numbers, positions=positions, cell=cell, pbc=periodic))
    return Crystal(crystal.lattice, crystal.frac_coords, crystal.numbers, notes=notes)


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


def _arrays(columns: Any) -> str:
    """Say which arrays describe the structure; "" where they describe none."""
    here = {str(column).lower() for column in columns}
    if {"cartesian_site_positions", "species_at_sites", "lattice_vectors"} <= here:
        return "optimade"
    if {"lattice_mat", "coords", "elements"} <= here:
        return "jarvis"
    if here & set(_NUMBERS):
        if here & set(_FRACTIONAL) and here & set(_CELLS):
            return "fractional"
        if here & set(_POSITIONS):
            return "cartesian"
    return ""


def _field(record: Record, names: Sequence[str], width: int = 0) -> Any:
    """Return the first of these fields, as an array of rows of `width` where that is not 0."""
    name = next((name for name in names if name in record), names[0])
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


def _own_notes(record: Record) -> tuple[str, ...]:
    """Return the notes that were kept beside a crystal."""
    notes = record.get("notes")
    return tuple(note for note in notes if isinstance(note, str)) if isinstance(notes, (list, tuple)) else ()


def _fractional(record: Record, max_sites: int) -> Crystal:
    values = _field(record, _NUMBERS)
    check_size(len(values), max_sites)
    numbers, notes = atomic_numbers(values)
    coordinates, cell = _field(record, _FRACTIONAL, 1).ravel(), _field(record, _CELLS, 1).ravel()
    if len(coordinates) != 3 * len(numbers) or len(cell) != 9:
        raise CrystalError(f"{len(coordinates)} coordinates and {len(cell)} of the cell for {len(numbers)} sites")
    own = _own_notes(record) + notes
    shares = _with_occupancies(numbers, record.get("occupancies"))
    return Crystal.of_shares(cell.reshape(3, 3), coordinates.reshape(-1, 3), shares, notes=own)


def _with_occupancies(numbers: list[int], listed: Any) -> list[list[tuple[int, float]]]:
    """Occupancies of all sites, of those that are shared as a column `occupancies` lists them."""
    shared: dict[int, list[tuple[int, float]]] = {}
    for entry in [] if listed is None else listed:
        shared.setdefault(int(entry["site"]), []).append((int(entry["element"]), float(entry["occupancy"])))
    if shared and not 0 <= min(shared) <= max(shared) < len(numbers):
        raise CrystalError(f"its occupancies name site {max(shared)} of {len(numbers)}")
    return [shared.get(k, [(z, 1.0)]) for k, z in enumerate(numbers)]


def _cartesian(record: Record, max_sites: int) -> Crystal:
    values = _field(record, _NUMBERS)
    check_size(len(values), max_sites)
    numbers, notes = atomic_numbers(values)
    cell = next((_field(record, [name], 3) for name in _CELLS if record.get(name) is not None), np.zeros((0, 3)))
    return from_positions(numbers, _field(record, _POSITIONS, 3), cell, [True] * 3, _own_notes(record) + notes)


def _jarvis(record: Record, max_sites: int) -> Crystal:
    check_size(len(_field(record, ["elements"])), max_sites)
    numbers, notes = atomic_numbers([str(symbol).strip() for symbol in _field(record, ["elements"])])
    cell, places = _field(record, ["lattice_mat"], 3), _field(record, ["coords"], 3)
    if _is_true(record.get("cartesian")):
        return from_positions(numbers, places, cell, [True] * 3, notes)
    return Crystal(cell, places, np.array(numbers), notes=notes)


def _optimade(record: Record, max_sites: int) -> Crystal:
    """Build by the OPTIMADE specification, 7.2: `species_at_sites` names entries of `species`."""
    names = _field(record, ["species_at_sites"])
    check_size(len(names), max_sites)
    directions = record.get("dimension_types")
    if directions is not None:
        check_periodic(repeats(_field(record, ["dimension_types"])))
    if record.get("assemblies"):
        raise CrystalError("some of its sites are alternatives to others (assemblies)")
    species = _field(record, ["species"]) if record.get("species") else []
    shares, notes = _of_species(names, [entry for entry in species if isinstance(entry, dict)])
    cell, places = _field(record, ["lattice_vectors"], 3), _field(record, ["cartesian_site_positions"], 3)
    full = from_positions([site[0][0] for site in shares], places, cell, [True] * 3)
    return Crystal.of_shares(full.lattice, full.frac_coords, shares, notes=notes)


def _of_species(
    names: Sequence[str], species: Sequence[Record]
) -> tuple[list[list[tuple[int, float]]], tuple[str, ...]]:
    """Elements and occupancies of sites by the names of their species, and what was assumed; vacancies are empty."""
    known: dict[str, list[tuple[int, float]]] = {}
    assumed: tuple[str, ...] = ()
    for entry in species:
        if any(entry.get("nattached") or []):
            name = entry["name"][:30]
            raise CrystalError(f"atoms without positions of their own are attached to species {name!r}")
        given = entry["chemical_symbols"]
        pairs = zip(given, entry.get("concentration") or [1.0] * len(given), strict=True)
        some = [(s, float(x)) for s, x in pairs if s != "vacancy" and x > 0]
        elements, notes = atomic_numbers([s for s, _ in some])
        assumed += tuple(note for note in notes if note not in assumed)
        known[entry["name"]] = [(z, x) for z, (_, x) in zip(elements, some, strict=True)]
    missing = [name for name in dict.fromkeys(names) if name not in known]
    elements, notes = atomic_numbers(missing)
    known |= {name: [(z, 1.0)] for name, z in zip(missing, elements, strict=True)}
    empty = next((name for name in names if not known[name]), None)
    if empty is not None:
        raise CrystalError(f"species {empty[:30]!r} is nothing but a vacancy")
    return [known[name] for name in names], assumed + tuple(note for note in notes if note not in assumed)


def _pymatgen(value: Record, max_sites: int) -> Crystal:
    """Build from the mapping of a pymatgen `Structure`."""
    from pymatgen.core import Lattice

    check_size(len(value["sites"]), max_sites)
    if not isinstance(value.get("lattice"), dict):
        raise CrystalError("it has sites but no lattice: a molecule")
    lattice = Lattice.from_dict({k: v for k, v in value["lattice"].items() if not k.startswith("@")})
    check_periodic(lattice.pbc)
    frac_coords, shares = [], []
    notes: tuple[str, ...] = ()
    for site in value["sites"]:
        species = site["species"]
        elements, isotopes = atomic_numbers([str(entry["element"]) for entry in species])
        notes += tuple(note for note in isotopes if note not in notes)
        shares.append([(z, float(entry["occu"])) for z, entry in zip(elements, species, strict=True)])
        frac_coords.append(site["abc"] if site.get("abc") is not None else lattice.get_fractional_coords(site["xyz"]))
    properties = value.get("properties")
    notes = (_own_notes(properties) if isinstance(properties, dict) else ()) + notes
    crystal = Crystal.of_shares(lattice.matrix, np.array(frac_coords, dtype=float), shares, notes=notes)
    beside = {key: field for key, field in value.items() if key not in ("lattice", "sites") and field is not None}
    if not beside.get("charge"):
        beside.pop("charge", None)  # pymatgen writes 0 where none was given
    return carrying(crystal, beside, columns(_beside_site(site) for site in value["sites"]))


def _beside_site(site: Record) -> Record:
    """Return the properties of a pymatgen site, with the oxidation state and spin that all of its species have."""
    species = [{**(one.get("properties") or {}), **one} for one in site["species"]]
    values = {key: species[0].get(key) for key in ("oxidation_state", "spin")}
    own = {k: x for k, x in values.items() if x is not None and all(one.get(k) == x for one in species)}
    return {**own, **(site.get("properties") or {})}


def _from_text(text: str, max_sites: int) -> Crystal:
    """Build from CIF, POSCAR or JSON text, or from what Python prints of a mapping."""
    import ast

    from xtalcodec.io.cif import read_cif
    from xtalcodec.io.poscar import looks_like_poscar, poscar_crystal

    start = text.lstrip()[:1]
    if start == "{":
        try:
            return crystal_of(json.loads(text), max_sites)
        except json.JSONDecodeError:
            return crystal_of(ast.literal_eval(text.strip()), max_sites)
    if not re.search(r"(?im)^\s*data_", text) and looks_like_poscar(text):
        return poscar_crystal(text, max_sites)
    found = list(read_cif(text, "", max_sites))
    if len(found) != 1:
        raise CrystalError(f"its CIF describes {len(found)} crystals")
    return found[0][1]()


_BUILDERS = {"optimade": _optimade, "jarvis": _jarvis, "fractional": _fractional, "cartesian": _cartesian}
