"""A record of any source as a crystal: the structures of pymatgen, ASE, OPTIMADE and JARVIS, plain columns, or text.

Everything is read as plain data; no object that a record names is decoded.
"""

import json
import re
from typing import Any

from xtalcodec.crystal import Crystal, CrystalError, check_periodic
from xtalcodec.io.carried import carrying
from xtalcodec.io.records.arrays import cartesian, fractional, jarvis
from xtalcodec.io.records.columns import beside, holders_of, holds_sites, is_structure, kind_of
from xtalcodec.io.records.optimade import optimade
from xtalcodec.io.records.structure import crystal_of_structure
from xtalcodec.io.records.values import repeats

_ENVELOPE = frozenset({"links", "relationships", "meta", "type"})
"""What an OPTIMADE server puts around the attributes of an entry."""
_BUILDERS = {"optimade": optimade, "jarvis": jarvis, "fractional": fractional, "cartesian": cartesian}


def crystal_of(value: Any, max_sites: int) -> Crystal:
    """Build the crystal of a structure's mapping, of a record that holds one, or of text.

    Raises
    ------
    CrystalError
        What is no structure, or no crystal that can be told.
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
    if holds_sites(value):
        return crystal_of_structure(value, max_sites)
    record = {str(key).lower(): field for key, field in value.items()}
    kind = kind_of(record.keys())
    check_periodic(repeats(record.get("pbc")))
    return carrying(_BUILDERS[kind](record, max_sites), beside(value))


def is_text(value: Any) -> bool:
    """Tell whether a string may be a structure: several lines, or JSON."""
    return isinstance(value, str) and (value.count("\n") > 5 or value.lstrip()[:1] in ("{", "["))


def _from_text(text: str, max_sites: int) -> Crystal:
    """Build from CIF, POSCAR or JSON text, or from what Python prints of a mapping."""
    import ast

    from xtalcodec.io.cif.read import read_cif
    from xtalcodec.io.poscar import looks_like_poscar, poscar_crystal

    start = text.lstrip()[:1]
    if start == "{":
        try:
            return crystal_of(json.loads(text), max_sites)
        except json.JSONDecodeError:
            return crystal_of(ast.literal_eval(text.strip()), max_sites)
    if not re.search(r"(?im)^[^\S\n]*data_", text) and looks_like_poscar(text):
        return poscar_crystal(text, max_sites)
    found = list(read_cif(text, "", max_sites))
    if len(found) != 1:
        raise CrystalError(f"its CIF describes {len(found)} crystals")
    return found[0][1]()
