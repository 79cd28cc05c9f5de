"""Crystals to files: CIF, POSCAR, extended XYZ, JSON, parquet. A file is whole or not there."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.images import wrapped
from xtalcodec.geometry.symmetry import right_handed, symmetrised
from xtalcodec.io.atomic import atomic
from xtalcodec.io.carried_text import extxyz_beside
from xtalcodec.io.cif.text import cif_text
from xtalcodec.io.read import Unusable, quiet

SUFFIXES = {"cif": ".cif", "poscar": ".vasp", "extxyz": ".extxyz", "json": ".json"}
"""What can be written, and how such a file's name ends."""

ORDERED_ONLY = ("poscar", "extxyz")
"""Formats that cannot hold a site shared by elements, or partly empty."""

_ENDINGS = re.compile(r"(?i)(\.(cif|mcif|vasp|poscar|xyz|extxyz|json|res|gz))+$")
_VASP = re.compile("(?i)poscar|contcar|chgcar|locpot|outcar|xdatcar")
"""What ASE and pymatgen tell formats by, wherever it stands in a name."""
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
    taken: dict[str, int] = {}
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
    taken: dict[str, int] = {}
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
        return cif_text(crystal, symprec)
    if symprec:
        crystal = symmetrised(crystal, symprec)
    if not crystal.is_ordered and fmt in ORDERED_ONLY:
        raise ValueError(f"{crystal.called} is disordered, which {fmt} cannot hold: cif or json can")
    return {"poscar": _poscar, "extxyz": _extxyz, "json": _json}[fmt](crystal)


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
    """Return the name without what a file system refuses or takes for a folder, a hidden file or another format."""
    name = re.sub(r"[^\w.+\-=@#()\[\] ]", "_", name).strip(". ")
    name = _VASP.sub("vasp", _ENDINGS.sub(lambda end: end[0].replace(".", "_"), name))
    name = name.encode()[:_LONGEST_NAME].decode(errors="ignore").rstrip(". ")
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name):  # devices on Windows
        name = f"_{name}"
    return name or "crystal"


def _unused(name: str, taken: dict[str, int]) -> str:
    """Return the name, with -2, -3, … where it is taken; case does not tell names apart everywhere.

    `taken` has every name that was returned, without case, and the number that it was given last.
    """
    choice, k = name, taken.get(name.casefold(), 1)
    while choice.casefold() in taken:
        k += 1
        choice = f"{name}-{k}"
    taken |= {choice.casefold(): 1, name.casefold(): k}
    return choice
