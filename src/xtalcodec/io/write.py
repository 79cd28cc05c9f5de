"""Crystals to files: CIF, POSCAR, extended XYZ, JSON, parquet. A file is whole or not there."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.images import wrapped
from xtalcodec.geometry.symmetry import conventional, right_handed, symmetrised
from xtalcodec.io.atomic import atomic
from xtalcodec.io.carried_text import cif_beside, cif_symbols, extxyz_beside
from xtalcodec.io.read import Unusable, quiet

SUFFIXES = {"cif": ".cif", "poscar": ".vasp", "extxyz": ".extxyz", "json": ".json"}
"""What can be written, and how such a file's name ends."""

ORDERED_ONLY = ("poscar", "extxyz")
"""Formats that cannot hold a site shared by elements, or partly empty."""

_LONGEST_NAME = 120
"""Bytes; file systems take 255, into which the suffixes of a temporary file must fit too."""
_ROWS = 1000
"""Crystals written to parquet at a time."""


def write(crystal: Crystal, path: str | Path, fmt: str, symprec: float | None = None) -> None:
    """Write one crystal.

    Parameters
    ----------
    crystal
        A left-handed cell is written as the same crystal on -a, -b, -c: CIF has no handedness
        and VASP refuses it, so that its mirror image would be read.
    path
        Folders are made; a file that is there is replaced once the new one is whole.
    fmt
        cif, poscar, extxyz or json.
    symprec
        With a tolerance in Å, the crystal is symmetrised to the space group found within it
        and written on its conventional cell (`symmetrised`), a CIF with the group's operations
        and one site per orbit. Without it, as given, in P1.

    Raises
    ------
    ValueError
        An unknown format.
    """
    text = text_of(crystal, fmt, symprec)
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def text_of(crystal: Crystal, fmt: str, symprec: float | None = None) -> str:
    """Return what `write` writes.

    Parameters
    ----------
    crystal, fmt, symprec
        As of `write`.

    Raises
    ------
    ValueError
        An unknown format, or one that cannot hold the crystal.
    """
    if fmt not in SUFFIXES:
        raise ValueError(f"no format {fmt!r}; have {', '.join(SUFFIXES)}")
    with quiet():
        return _text(right_handed(crystal), fmt, symprec)


def write_many(
    crystals: Iterable[Crystal],
    folder: str | Path,
    fmt: str,
    symprec: float | None = None,
    refused: list[Unusable] | None = None,
) -> list[Path]:
    """Write every crystal to its own file in `folder`, named after it, and return the paths.

    Characters that some file system refuses become _; the second of a name gets -2, the third -3.

    Parameters
    ----------
    crystals
        Each is written as soon as it comes.
    folder
        Made if it is not there.
    fmt, symprec
        As in `write`.
    refused
        Takes the crystals that the format cannot hold, while the others are written.

    Raises
    ------
    ValueError
        A crystal that the format cannot hold, without `refused`.
    """
    taken: set[str] = set()
    paths = []
    for crystal in crystals:
        if refused is not None and not crystal.is_ordered and fmt in ORDERED_ONLY:
            refused.append(Unusable(crystal.name, f"it is disordered, which {fmt} cannot hold: cif or json can"))
            continue
        path = Path(folder, _unused(_safe(crystal.name), taken) + SUFFIXES.get(fmt, ""))
        write(crystal, path, fmt, symprec)
        paths.append(path)
    return paths


def write_parquet(crystals: Iterable[Crystal], path: str | Path) -> int:
    """Write crystals as a table, one a row, and return how many.

    Columns: material_id (the name; the second of a name gets -2), numbers, frac_coords (n x 3
    flattened, wrapped into [0, 1)), lattice (3 x 3 flattened, rows a, b, c in Å), notes (what reading it
    assumed), properties and site_properties (JSON text of a mapping; null where there are none), occupancies (of the
    sites of a disordered crystal that are shared or partly empty, from 0: atomic number and occupancy of each
    element; null for an ordered one). Zstd.
    """
    import pyarrow as pa
    import pyarrow.parquet

    fields = {"material_id": pa.string(), "numbers": pa.list_(pa.uint8())}
    fields |= {"frac_coords": pa.list_(pa.float64()), "lattice": pa.list_(pa.float64())}
    fields |= {"notes": pa.list_(pa.string()), "properties": pa.string(), "site_properties": pa.string()}
    share = [("site", pa.int32()), ("element", pa.uint8()), ("occupancy", pa.float64())]
    fields["occupancies"] = pa.list_(pa.struct(share))
    schema = pa.schema(list(fields.items()))
    taken: set[str] = set()
    rows: list[dict[str, Any]] = []
    count = 0
    with atomic(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema, compression="zstd") as file:
        for count, crystal in enumerate(crystals, start=1):  # noqa: B007 - the count is returned
            rows.append(
                {
                    "material_id": _unused(crystal.name or "crystal", taken),
                    "numbers": crystal.numbers.astype(np.uint8),
                    "frac_coords": wrapped(crystal.frac_coords).ravel(),
                    "lattice": crystal.lattice.ravel(),
                    "notes": list(crystal.notes),
                    "occupancies": _occupancies(crystal),
                    "properties": json.dumps(crystal.properties) if crystal.properties else None,
                    "site_properties": json.dumps(crystal.site_properties) if crystal.site_properties else None,
                }
            )
            if len(rows) == _ROWS:
                file.write_table(pa.Table.from_pylist(rows, schema))
                rows.clear()
        file.write_table(pa.Table.from_pylist(rows, schema))
    return count


def _occupancies(crystal: Crystal) -> list[dict[str, Any]] | None:
    """Elements and occupancies of the sites that are shared or partly empty; None for an ordered crystal."""
    if crystal.is_ordered:
        return None
    sites = enumerate(crystal.sites_shares())
    return [{"site": k, "element": z, "occupancy": x} for k, site in sites for z, x in site if len(site) > 1 or x < 1]


def _text(crystal: Crystal, fmt: str, symprec: float | None) -> str:
    if fmt == "cif":
        return _cif(crystal, symprec)
    if symprec:
        crystal = symmetrised(crystal, symprec)
    if not crystal.is_ordered and fmt in ORDERED_ONLY:
        raise ValueError(f"{crystal.name or crystal.formula} is disordered, which {fmt} cannot hold: cif or json can")
    return {"poscar": _poscar, "extxyz": _extxyz, "json": _json}[fmt](crystal)


def _cif(crystal: Crystal, symprec: float | None) -> str:
    """CIF text with twelve decimals, so that reading gives the crystal again."""
    from pymatgen.core import SymmOp
    from pymatgen.core.lattice import Lattice

    rotations, shifts = np.eye(3)[None], np.zeros((1, 3))
    number, symbol, first = 1, "P 1", np.arange(len(crystal))
    multiplicity = np.ones(len(crystal), dtype=np.int64)
    found = conventional(crystal, symprec) if symprec else None
    if found:
        operations = _standard_operations(found[1])
        orbits = _orbits(found[0], *operations)
        if orbits is not None:
            (crystal, number, symbol), (rotations, shifts) = found, operations
            first, multiplicity = orbits
    lattice = Lattice(crystal.lattice)
    cell = zip(
        ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"),
        lattice.parameters,
        strict=True,
    )
    types, loop_of_types = cif_symbols(crystal)
    rows = _rows(crystal, types, first, multiplicity)
    setting = (
        "cell and positions as given" if number == 1 else "standard setting: axis b, hexagonal axes, origin choice 2"
    )
    xyz = [SymmOp.from_rotation_and_translation(r, t).as_xyz_str() for r, t in zip(rotations, shifts, strict=True)]
    lines = [
        f"# {setting}",
        f"data_{re.sub(r'[^!-~]', '_', crystal.name) or 'crystal'}",
        f"_symmetry_space_group_name_H-M '{symbol}'",
        f"_symmetry_Int_Tables_number {number}",
        *(f"_cell_{key} {value:.12f}" for key, value in cell),
        f"_cell_volume {crystal.volume:.8f}",
        f"_chemical_formula_sum '{_sum_formula(crystal)}'",
        *("loop_", "_symmetry_equiv_pos_site_id", "_symmetry_equiv_pos_as_xyz"),
        *(f"{k + 1} '{operation}'" for k, operation in enumerate(xyz)),
        *loop_of_types,
        *("loop_", "_atom_site_type_symbol", "_atom_site_label", "_atom_site_symmetry_multiplicity"),
        *("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z", "_atom_site_occupancy"),
        *rows,
        *cif_beside(crystal),
    ]
    return "\n".join(lines) + "\n"


def _sum_formula(crystal: Crystal) -> str:
    """Atoms of the cell by element, in the order of their symbols."""
    from ase.data import chemical_symbols

    elements = sorted(crystal.elements, key=lambda z: chemical_symbols[z])
    return " ".join(f"{chemical_symbols[z]}{crystal.content[z].round(8):g}" for z in elements)


def _rows(
    crystal: Crystal, types: Sequence[str], first: Int[np.ndarray, " orbits"], multiplicity: Int[np.ndarray, " orbits"]
) -> list[str]:
    """Lines of the loop of atoms: one for each element on a site; those that share a site have its label's number.

    Parameters
    ----------
    crystal
        To be written.
    types
        Type symbols of its sites, of those that are one element's.
    first, multiplicity
        A site of each orbit, and how many the orbit has.
    """
    from ase.data import chemical_symbols

    shares = crystal.sites_shares()
    lines = []
    for k, m in zip(first, multiplicity, strict=True):
        x, y, z = crystal.frac_coords[k]
        for element, share in _written(shares[k]):
            symbol = chemical_symbols[element]
            kind = types[k] if len(shares[k]) == 1 else symbol
            lines.append(f"{kind} {symbol}{k + 1} {m} {x:.12f} {y:.12f} {z:.12f} {share:.10g}")
    return lines


def _written(shares: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Occupancies of a site to ten digits, and not a bit more than 1 in all, which pymatgen refuses."""
    written = [(z, round(share, 10)) for z, share in shares]
    over = sum(share for _, share in written) - 1
    if over <= 0:
        return written
    largest = max(range(len(written)), key=lambda k: written[k][1])
    z, share = written[largest]
    written[largest] = (z, math.floor((share - over) * 1e10) / 1e10)
    return written


def _standard_operations(number: int) -> tuple[Float[np.ndarray, "ops 3 3"], Float[np.ndarray, "ops 3"]]:
    import moyopy

    operations = moyopy.operations_from_number(number, setting=moyopy.Setting.standard(), primitive=False)
    return np.array(operations.rotations, dtype=np.float64), np.array(operations.translations, dtype=np.float64)


def _orbits(
    crystal: Crystal, rotations: Float[np.ndarray, "ops 3 3"], shifts: Float[np.ndarray, "ops 3"]
) -> tuple[Int[np.ndarray, " orbits"], Int[np.ndarray, " orbits"]] | None:
    """Return the first site and the number of sites of every orbit; None if an image meets no site."""
    first, sizes = [], []
    kinds = crystal.site_kinds()
    left = np.ones(len(crystal), dtype=bool)
    while left.any():
        k = int(left.argmax())
        images = rotations @ crystal.frac_coords[k] + shifts
        away = images[:, None] - crystal.frac_coords
        meets = (abs(away - np.round(away)).max(-1) < 1e-5) & (kinds == kinds[k])
        if not meets.any(1).all() or not left[meets.any(0)].all():
            return None
        first.append(k)
        sizes.append(int(meets.any(0).sum()))
        left &= ~meets.any(0)
    return np.array(first), np.array(sizes)


def _poscar(crystal: Crystal) -> str:
    """POSCAR text (VASP 5): one block for each element, in the order in which they first come, as a POTCAR is made."""
    from pymatgen.io.vasp.inputs import Poscar

    comment = " ".join(crystal.name.split()) or crystal.formula
    _, first, element = np.unique(crystal.numbers, return_index=True, return_inverse=True)
    order = np.argsort(first[element], kind="stable")
    grouped = Crystal(crystal.lattice, crystal.frac_coords[order], crystal.numbers[order])
    return Poscar(grouped.to_pymatgen(), comment=comment, sort_structure=False).get_str(significant_figures=15)


def _extxyz(crystal: Crystal) -> str:
    lattice = " ".join(map(repr, crystal.lattice.ravel().tolist()))
    positions = (crystal.frac_coords @ crystal.lattice).tolist()
    columns, cells, beside = extxyz_beside(crystal)
    places = (f"{s} {x!r} {y!r} {z!r}" for s, (x, y, z) in zip(crystal.symbols, positions, strict=True))
    rows = (" ".join([place, *own]) for place, own in zip(places, cells, strict=True))
    head = f'Lattice="{lattice}" Properties=species:S:1:pos:R:3{columns} pbc="T T T"{beside}'
    return "\n".join([str(len(crystal)), head, *rows]) + "\n"


def _json(crystal: Crystal) -> str:
    """JSON of a pymatgen `Structure`: properties and notes, those of sites, oxidation states in the species."""
    document = crystal.to_pymatgen().as_dict()
    properties = dict(crystal.properties)
    if isinstance(properties.get("charge"), (int, float)):
        document["charge"] = properties.pop("charge")
    if crystal.notes:
        properties["notes"] = list(crystal.notes)
    document["properties"] = properties
    for k, site in enumerate(document["sites"]):
        own = {name: values[k] for name, values in crystal.site_properties.items()}
        if isinstance(own.get("oxidation_state"), (int, float)):
            for species in site["species"]:
                species["oxidation_state"] = own["oxidation_state"]
        site["properties"] = {name: value for name, value in own.items() if name != "oxidation_state"}
    return json.dumps(document, allow_nan=False)


def _safe(name: str) -> str:
    """Return the name without what a file system refuses or takes for a folder or a hidden file."""
    name = re.sub(r"[^\w.+\-=@#()\[\] ]", "_", name).strip(". ")
    name = name.encode()[:_LONGEST_NAME].decode(errors="ignore").rstrip(". ")
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name):  # devices on Windows
        name = f"_{name}"
    return name or "crystal"


def _unused(name: str, taken: set[str]) -> str:
    """Return the name, with -2, -3, … where it is taken; case does not tell names apart everywhere."""
    choice, k = name, 1
    while choice.casefold() in taken:
        k += 1
        choice = f"{name}-{k}"
    taken.add(choice.casefold())
    return choice
