"""Readers of every format but CIF: each yields the names of a file's crystals and how to build them.

Nothing here unpickles: formats that may hold pickles (old ASE trajectories, bundles) or run a
program when read (CASTEP's .cell) are not on the list, JSON is read as plain data, and ASE
databases are opened read-only by SQLite.
"""

import csv
import io
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.cif import Found, check_size, read_cif
from xtalcodec.crystal import Crystal, CrystalError

ASE_FORMATS = {
    ".cfg": "cfg",
    ".cube": "cube",
    ".f34": "crystal",
    ".gen": "gen",
    ".magres": "magres",
    ".pwi": "espresso-in",
    ".pwo": "espresso-out",
    ".res": "res",
    ".struct": "struct",
    ".struct_out": "struct_out",
    ".traj": "traj",
    ".xsd": "xsd",
    ".xsf": "xsf",
    ".xv": "siesta-xv",
    "geometry.in": "aims",
    "geometry.out": "elk",
    "outcar": "vasp-out",
    "vasprun.xml": "vasp-xml",
    "xdatcar": "vasp-xdatcar",
}
"""Suffix or name (in lower case) → ASE's format. All give elements and a full cell, and hold no pickle."""

_LONGEST_FIELD = 1 << 26
"""Bytes in one CSV field; the CIF of 2000 sites takes 200,000."""


def numbered(name: str, index: int, count: int) -> str:
    """Name the crystal `index` (from 0) of `count` in one file."""
    return name if count == 1 else f"{name}#{index + 1}"


def read_poscar(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield the crystal of a POSCAR, CONTCAR or .vasp file."""
    yield name, partial(_poscar, text, max_sites)


def _poscar(text: str, max_sites: int) -> Crystal:
    from pymatgen.core import Element
    from pymatgen.io.vasp.inputs import Poscar

    lines = text.splitlines()
    if len(lines) < 8:
        raise CrystalError("it ends too early for a POSCAR")
    if len(lines[1].split()) == 3:
        raise CrystalError("it has three scaling factors, which are not supported; multiply them into the cell")
    first = next((k for k in range(5, len(lines)) if re.match(r"\s*[-+]?\d", lines[k])), len(lines))
    rows = max(first - 5, 1)
    counts = [int(word) for line in lines[first : first + rows] for word in line.split("!")[0].split()]
    if first > 5 and len(" ".join(lines[5:first]).split()) != len(counts):
        raise CrystalError("it does not give one number of sites per element")
    if not counts or min(counts) < 0:
        raise CrystalError("it does not give the numbers of sites")
    check_size(sum(counts), max_sites)
    species = lines[0].split()
    if first == 5 and len(species) == len(counts) and all(map(Element.is_valid_symbol, species)):
        lines.insert(5, lines[0])  # VASP 4 writes the elements into the comment
    try:
        poscar = Poscar.from_str("\n".join(lines), read_velocities=False)
    except KeyError as error:
        raise CrystalError(f"it names {error}, which is no element") from error
    if not poscar.true_names:  # pymatgen has made up H, He, Li, …
        raise CrystalError("it does not name its elements")
    return Crystal.from_pymatgen(poscar.structure)


def read_extxyz(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every frame of an (extended) XYZ file; a bad frame costs only itself."""
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    starts = [0]
    while starts[-1] < len(lines):
        count = lines[starts[-1]].strip()
        if not count.isdecimal() or len(count) > 12:
            raise CrystalError(f"line {starts[-1] + 1} is {count[:30]!r}, not a number of sites")
        starts.append(starts[-1] + int(count) + 2)
    for k, (start, end) in enumerate(pairwise(starts)):
        yield numbered(name, k, len(starts) - 1), partial(_xyz_frame, lines[start:end], max_sites)


def _xyz_frame(frame: list[str], max_sites: int) -> Crystal:
    from ase.io.extxyz import read_xyz

    check_size(int(frame[0]), max_sites)
    if len(frame) != int(frame[0]) + 2:
        raise CrystalError(f"it ends after {max(len(frame) - 2, 0)} of {int(frame[0])} sites")
    if "Lattice" not in frame[1]:
        raise CrystalError("it gives no Lattice: a molecule, or plain XYZ")
    if "Properties" not in frame[1] or re.search(r"Properties=\"?species:S:1", frame[1]):
        frame = frame[:2] + [re.sub(r"^\s*[DT](?=\s)", "H", line) for line in frame[2:]]  # ASE knows no isotopes
    try:
        (atoms,) = read_xyz(io.StringIO("\n".join(frame) + "\n"), index=slice(None))
    except KeyError as error:
        raise CrystalError(f"it names {error}, which is no element") from error
    return Crystal.from_ase(atoms)


def read_ase(path: Path, name: str, max_sites: int, kind: str) -> Iterator[Found]:
    """Yield every frame of a file in one of ASE's formats."""
    import ase.io

    with path.open("rb") as file:
        if kind == "traj" and not file.read(8).startswith(b"- of Ulm"):
            raise CrystalError("it is no ASE trajectory, or one so old that it holds pickled data")
    frames = list(ase.io.iread(str(path), index=":", format=kind))
    for k, atoms in enumerate(frames):
        yield numbered(name, k, len(frames)), partial(_from_atoms, atoms, max_sites)


def _from_atoms(atoms: Any, max_sites: int) -> Crystal:
    check_size(len(atoms), max_sites)
    return Crystal.from_ase(atoms)


def read_json(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every structure of a JSON document: pymatgen's, entries with one, lists and maps of them, or ASE's."""
    found = list(_structures(json.loads(text), ""))
    if not found:
        raise CrystalError("it is JSON without a crystal structure")
    for k, (key, value) in enumerate(found):
        many = numbered(name, k, len(found)) if not key else f"{name}#{key}"
        yield (name if len(found) == 1 else many), partial(json_crystal, value, max_sites)


def _structures(value: Any, key: str, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk down to the dicts that describe a structure, each with the key it was found under."""
    if depth > 6:
        return
    if isinstance(value, list):
        for item in value:
            yield from _structures(item, "", depth + 1)
    elif isinstance(value, dict):
        if "sites" in value or {"numbers", "positions"} <= value.keys():
            yield key, value
        elif isinstance(value.get("structure"), dict):
            names = (value.get(k) for k in ("material_id", "entry_id", "name"))
            yield next((n for n in names if isinstance(n, str) and n), key), value["structure"]
        else:
            for k, item in value.items():
                yield from _structures(item, k, depth + 1)


def json_crystal(value: dict[str, Any], max_sites: int) -> Crystal:
    """Build from the plain dict of a pymatgen `Structure`, or of ASE's `Atoms`, decoding no other object in it."""
    from pymatgen.core import Lattice

    if "sites" not in value:
        return _ase_json(value, max_sites)
    check_size(len(value["sites"]), max_sites)
    if not isinstance(value.get("lattice"), dict):
        raise CrystalError("it has sites but no lattice: a molecule")
    lattice = Lattice.from_dict({k: v for k, v in value["lattice"].items() if not k.startswith("@")})
    if not all(lattice.pbc):
        raise CrystalError("it is not periodic in three directions")
    frac_coords, numbers = [], []
    for k, site in enumerate(value["sites"]):
        species = site["species"]
        if len(species) != 1 or species[0]["occu"] != 1:
            mix = ", ".join(f"{s['element']} {s['occu']:g}" for s in species)
            raise CrystalError(f"site {k} ({mix[:60]}) is disordered or partly occupied")
        numbers.append(_atomic_number(species[0]["element"], k))
        frac_coords.append(site["abc"] if "abc" in site else lattice.get_fractional_coords(site["xyz"]))
    return Crystal(lattice.matrix, np.array(frac_coords, dtype=float), np.array(numbers, dtype=int))


def _atomic_number(symbol: str, site: int) -> int:
    from pymatgen.core import Element

    if not Element.is_valid_symbol(symbol):
        raise CrystalError(f"site {site} holds {symbol[:30]!r}, which is no element")
    return Element(symbol).Z


def _ase_json(value: dict[str, Any], max_sites: int) -> Crystal:
    """Build from what ASE writes as JSON, where an array is {"__ndarray__": [shape, type, numbers]}."""

    def array(field: Any) -> Any:
        field = field.get("array", field) if isinstance(field, dict) else field
        if isinstance(field, dict):
            shape, _, flat = field["__ndarray__"]
            return np.array(flat).reshape(shape)
        return np.array(field)

    numbers = array(value["numbers"])
    check_size(numbers.size, max_sites)
    return from_positions(numbers, array(value["positions"]), array(value.get("cell", [])), array(value["pbc"]))


def from_positions(numbers: Any, positions: Any, cell: Any, periodic: Any) -> Crystal:
    """Build a crystal from Cartesian positions in Å, if its cell is three-dimensional."""
    from ase import Atoms

    if np.shape(cell) != (3, 3) or not np.isfinite(cell).all():
        raise CrystalError("it has no finite cell of three vectors")
    return Crystal.from_ase(Atoms(numbers=numbers, positions=positions, cell=cell, pbc=periodic))


def read_database(path: Path, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every row of an ASE database (SQLite), without ASE's code that may create tables in it."""
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise CrystalError("it is no ASE database (SQLite)")
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT id, numbers, positions, cell, pbc FROM systems ORDER BY id")
        for key, numbers, positions, cell, pbc in rows:
            yield f"{name}#{key}", partial(_database_row, numbers, positions, cell, pbc, max_sites)


def _database_row(numbers: bytes, positions: bytes, cell: bytes, pbc: int, max_sites: int) -> Crystal:
    """ASE stores little-endian arrays, and the three periodic directions as bits."""
    species = np.frombuffer(numbers, "<i4")
    check_size(len(species), max_sites)
    places = np.frombuffer(positions, "<f8").reshape(-1, 3)
    return from_positions(
        species, places, np.frombuffer(cell, "<f8").reshape(3, 3), [bool(pbc & bit) for bit in (1, 2, 4)]
    )


def read_parquet(path: Path, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every row of a parquet file with the columns numbers, frac_coords, lattice (and material_id)."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        here = file.schema_arrow.names
        if missing := [column for column in ("numbers", "frac_coords", "lattice") if column not in here]:
            raise CrystalError(f"it has no column {', '.join(missing)}")
        wanted = [c for c in ("material_id", "numbers", "frac_coords", "lattice") if c in here]
        row = 0
        for batch in file.iter_batches(batch_size=1000, columns=wanted):
            for record in batch.to_pylist():
                row += 1
                key = record.get("material_id")
                yield str(key) if key else f"{name}#{row}", partial(_record, record, max_sites)


def _record(record: dict[str, Any], max_sites: int) -> Crystal:
    numbers, frac_coords, lattice = (record[k] for k in ("numbers", "frac_coords", "lattice"))
    if numbers is None or frac_coords is None or lattice is None:
        raise CrystalError("one of its columns is null")
    check_size(len(numbers), max_sites)
    coordinates = np.array(frac_coords, dtype=float).reshape(-1)
    cell = np.array(lattice, dtype=float).reshape(-1)
    if len(coordinates) != 3 * len(numbers) or len(cell) != 9:
        raise CrystalError(f"{len(coordinates)} coordinates and {len(cell)} of the cell for {len(numbers)} sites")
    return Crystal(cell.reshape(3, 3), coordinates.reshape(-1, 3), np.array(numbers, dtype=int))


def read_csv(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every row of a CSV with a column `cif` (and `material_id`), as CDVAE's data sets."""
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if "cif" not in (rows.fieldnames or []):
        raise CrystalError("it has no column cif")
    for k, row in enumerate(rows):
        key = row.get("material_id") or f"{name}#{k + 1}"
        yield key, partial(_only_crystal, row["cif"] or "", max_sites)


def _only_crystal(cif: str, max_sites: int) -> Crystal:
    found = list(read_cif(cif, "", max_sites))
    if len(found) != 1:
        raise CrystalError(f"its CIF describes {len(found)} crystals")
    return found[0][1]()
