"""What a CIF says beside the structure: oxidation states, magnetic moments, ids, and properties that we wrote."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.carried import carrying
from xtalcodec.io.carried_text import CIF_TAGS
from xtalcodec.io.cif.syntax import UNKNOWN, Block, number
from xtalcodec.io.symmetry.operations import Operations
from xtalcodec.io.symmetry.orbits import COPIES, Sites

_IDS = r"_(database_code_(?!depnum)\w+|(cod|amcsd|icsd|ccdc|csd)_database_code|chemical_name_\w+|diffrn_ambient_\w+)$"
"""Codes of databases, names of the compound, and the temperature and pressure of the measurement."""
_MOMENTS = tuple(f"_atom_site_moment_crystalaxis_{x}" for x in "xyz")


_LEFT_OUT = "magnetic moments are left out: no magnetic operations are listed, or moments and operations disagree"
_TURNED = 0.1
"""μB; how far the moment of a site may be from its image under an operation that keeps the site."""


def with_beside(
    crystal: Crystal, block: Block, places: list[list[int]], sites: Sites, operations: Operations
) -> Crystal:
    """Return the crystal with what its data block says beside the sites.

    Parameters
    ----------
    crystal
        As read.
    block
        Its data block.
    places
        The rows of the loop of atoms that stand at each place.
    sites
        Which place and which operation each site comes from.
    operations
        Of the space group; with time reversal where they are magnetic.
    """
    fields: dict[str, Any] = {tag.removeprefix("_"): block.one(tag) for tag in block.matching(_IDS)}
    crystal, written = _as_written(crystal, block)
    of_sites: dict[str, list[Any]] = {}
    rows_states = _oxidation_states(block)
    states = [_agreed([rows_states[row] for row in own]) for own in places] if rows_states else []
    if any(state is not None for state in states):
        of_sites["oxidation_state"] = [states[row] for row in sites.rows]
    if any(block.one(tag) for tag in block.matching(r"_atom_site_moment_(?!label$)")):
        moments = _moments(block, places, sites, operations, crystal.lattice)
        if moments is None:
            crystal = replace(crystal, notes=(_LEFT_OUT, *crystal.notes))
        else:
            of_sites["magmom"] = moments
    own = written.pop("site_properties", {})
    per_site = {name: values for name, values in own.items() if isinstance(values, list)}
    rows = {
        name: [values[row] for row in sites.rows] for name, values in per_site.items() if len(values) == len(places)
    }
    return carrying(crystal, fields | written, of_sites | rows)


def _as_written(crystal: Crystal, block: Block) -> tuple[Crystal, dict[str, Any]]:
    """Return what our own text fields hold, and the crystal in the orientation that it had when they were written."""
    found = [_mapping(block.one(tag)) for tag in CIF_TAGS]
    if not any(found):
        return crystal, {}
    tags = [[f"_atom_sites_cartn_tran_matrix_{i}{j}" for i in (1, 2, 3)] for j in (1, 2, 3)]
    if all(block.one(tag) for row in tags for tag in row):
        lattice = np.array([[number(block.one(tag), tag).value for tag in row] for row in tags])
        if np.allclose(lattice @ lattice.T, crystal.lattice @ crystal.lattice.T, rtol=1e-6, atol=1e-6):
            crystal = replace(crystal, lattice=lattice)
    return crystal, {**found[0], "site_properties": found[1]}


def _mapping(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _oxidation_states(block: Block) -> list[float | None]:
    """Return the oxidation state of every row, by the loop of types, or as its type symbol says it; none at all."""
    numbers = _numbers(block, "_atom_type_oxidation_number")
    of_type = dict(zip(block.values.get("_atom_type_symbol", []), numbers, strict=False))
    types = block.values.get("_atom_site_type_symbol", [])
    return [of_type[text] if of_type.get(text) is not None else _charge(text) for text in types]


def _agreed(values: list[Any]) -> Any:
    """Return what all rows of a place say; None where they differ."""
    return values[0] if all(value == values[0] for value in values) else None


def _charge(symbol: str) -> float | None:
    """Read the charge of Fe3+, O2- or Na+, which is 1; none of Fe, which says nothing."""
    match = re.fullmatch(r"[A-Za-z]{1,2}(\d+\.?\d*)?([+-])", symbol)
    return float(match[2] + (match[1] or "1")) if match else None


def _numbers(block: Block, tag: str) -> list[float | None]:
    """Read a column of numbers, None where one is not known or is none."""
    found: list[float | None] = []
    for text in block.values.get(tag, []):
        try:
            found.append(None if text in UNKNOWN else number(text, tag).value)
        except CrystalError:
            found.append(None)
    return found


def _moments(
    block: Block, places: list[list[int]], sites: Sites, operations: Operations, lattice: Float[np.ndarray, "3 3"]
) -> list[list[float]] | None:
    """Return the Cartesian moments in μB, 0 for sites that are not listed; None where they cannot be told.

    The file has components along the unit vectors of the cell's axes. A moment is an axial vector that time reversal
    turns round: operation R with reversal θ makes θ det(R) R m of it (magCIF dictionary, `_atom_site_moment`).
    """
    names, parts = block.values.get("_atom_site_moment_label", []), [_numbers(block, tag) for tag in _MOMENTS]
    reversal = operations.reversal if len(operations) > 1 else np.ones(1)
    if reversal is None or {len(part) for part in parts} != {len(names)} or any(None in part for part in parts):
        return None
    given = dict(zip(names, zip(*parts, strict=True), strict=True))
    labels = block.values.get("_atom_site_label") or block.column("_atom_site_type_symbol")
    own = [list(dict.fromkeys(labels[row] for row in rows)) for rows in places]
    of_place = [[given[label] for label in some if label in given] or [(0.0, 0.0, 0.0)] for some in own]
    everyone = [label for some in own for label in some]
    told = set(given) <= set(everyone) and len(set(everyone)) == len(everyone)
    if not told or any(_agreed(moments) is None for moments in of_place):
        return None
    along_axes = np.array([moments[0] for moments in of_place])
    fractional = (along_axes / np.linalg.norm(lattice, axis=1))[sites.rows]
    rotations = operations.rotations[sites.operations]
    signs = reversal * np.round(np.linalg.det(operations.rotations))
    moments = signs[sites.operations, None] * np.einsum("sij,sj->si", rotations, fractional)
    for site, moment in zip(sites.frac_coords, moments, strict=True):
        away = operations.images(site[None])[0] - site
        kept = np.linalg.norm((away - np.round(away)) @ lattice, axis=1) < COPIES
        images = signs[kept, None] * (operations.rotations[kept] @ moment)
        if np.linalg.norm((images - moment) @ lattice, axis=1).max() > _TURNED:
            return None
    return (moments @ lattice).tolist()
