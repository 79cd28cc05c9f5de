"""Those of ASE's formats that give elements and a full cell, hold no pickle, and run nothing when read.

Old trajectories and bundles may hold pickles, and CASTEP's .cell runs a program: they are not on the list.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.carried import carrying
from xtalcodec.io.found import Found, check_size, named

ASE_FORMATS = {
    ".cfg": "cfg",
    ".cube": "cube",
    ".f34": "crystal",
    ".gen": "gen",
    ".magres": "magres",
    ".pwi": "espresso-in",
    ".pwo": "espresso-out",
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
"""Suffix or name (in lower case) → ASE's format."""


def read_ase(path: Path, name: str, max_sites: int, kind: str) -> Iterator[Found]:
    """Yield every frame of a file in one of ASE's formats.

    Parameters
    ----------
    path
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    kind
        ASE's name of the format.
    """
    import ase.io

    with path.open("rb") as file:
        if kind == "traj" and not file.read(8).startswith(b"- of Ulm"):
            raise CrystalError("it is no ASE trajectory, or one so old that it holds pickled data")
    frames = ase.io.iread(str(path), index=":", format=kind)
    yield from named(name, (("", partial(_crystal, atoms, max_sites)) for atoms in frames))


def _crystal(atoms: Any, max_sites: int) -> Crystal:
    check_size(len(atoms), max_sites)
    arrays = {name: list(values) for name, values in atoms.arrays.items() if name not in ("numbers", "positions")}
    results = atoms.calc.results if atoms.calc is not None else {}
    if "occupancy" in atoms.info:
        arrays.pop("spacegroup_kinds", None)
    info = {name: value for name, value in atoms.info.items() if name != "occupancy"}
    return carrying(Crystal.from_ase(atoms), {**info, **results}, arrays)
