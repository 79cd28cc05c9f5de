"""CIF text → crystals, refusing whatever would make the crystal another one than the file's.

gemmi reads the syntax; what the values mean is read by the CIF core dictionary, and checked here: cell,
operations, occupancies, elements, and the crystal against the file's formula, Z and density. What had to be
assumed is told in the crystal's notes.
"""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.cif.atoms import read_atoms
from xtalcodec.io.cif.beside import with_beside
from xtalcodec.io.cif.checks import check_complete, check_content, formula_of
from xtalcodec.io.cif.elements import choose
from xtalcodec.io.cif.sharing import check_not_split, places
from xtalcodec.io.cif.symmetry import check_not_modulated, named, read_operations
from xtalcodec.io.cif.syntax import Block, blocks, number, parse
from xtalcodec.io.found import Found
from xtalcodec.io.symmetry.orbits import expand

_LONGEST_EDGE = 1e4
"""Å; beyond, linear algebra fails."""


def read_cif(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every data block that describes a crystal; of several, each is `name#block`.

    Parameters
    ----------
    text
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    """
    found = [(title, block) for title, block in blocks(text) if re.search(r"(?im)^[ \t]*_(atom_site|cell)[_.]", block)]
    if not found:
        raise CrystalError("it is no CIF with a crystal: no data block gives a cell or atoms")
    for title, block in found:
        yield (f"{name}#{title}" if len(found) > 1 else name), partial(crystal_of_block, block, max_sites)


def crystal_of_block(text: str, max_sites: int) -> Crystal:
    """Build the crystal of one data block, with all of its sites, in the cell it gives."""
    from pymatgen.core import Element

    block = parse(text)
    check_not_modulated(block)
    formula, deuterium = formula_of(block)
    atoms = read_atoms(block, set(formula), max_sites)
    lattice = _lattice(block)
    operations, listed, notes = read_operations(block, lattice @ lattice.T)
    shared = places(atoms, lattice)
    sites = expand(shared.positions, shared.digits, shared.labels, operations, lattice, max_sites)
    amounts = np.bincount(sites.rows)[shared.of_row] * shared.occupancies
    symbols, assumed = choose(atoms.readings, amounts, formula)
    on_place: list[list[tuple[int, float]]] = [[] for _ in shared.labels]
    for place, symbol, occupancy in zip(shared.of_row, symbols, shared.occupancies.tolist(), strict=True):
        on_place[place].append((Element(symbol).Z, occupancy))
    assumed = notes + sites.notes + atoms.notes + shared.notes + assumed
    crystal = Crystal.of_shares(lattice, sites.frac_coords, [on_place[k] for k in sites.rows], notes=assumed)
    check_not_split(crystal, [shared.labels[k] for k in sites.rows])
    proven = check_content(block, crystal, formula, deuterium)
    if listed:
        check_complete(crystal, named(block, listed=True), operations, proven=proven)
    listed_as = [[atoms.rows[row] for row in own] for own in shared.rows]
    return with_beside(crystal, block, listed_as, sites, operations)


def _lattice(block: Block) -> Float[np.ndarray, "3 3"]:
    """Return the cell vectors, in pymatgen's orientation: a in the xz-plane, c along z."""
    from pymatgen.core import Lattice

    lengths = [number(block.one(f"_cell_length_{x}"), f"cell length {x}").value for x in "abc"]
    angles = [number(block.one(f"_cell_angle_{x}"), f"cell angle {x}").value for x in ("alpha", "beta", "gamma")]
    x, y, z = np.cos(np.radians(angles))
    # The square of the volume of a cell with unit edges; an impossible cell would be clipped to a flat one.
    flat = 1 - x * x - y * y - z * z + 2 * x * y * z < 1e-9
    if flat or min(angles) <= 0 or max(angles) >= 180 or min(lengths) <= 0 or max(lengths) > _LONGEST_EDGE:
        cell = ", ".join(f"{value:g}" for value in lengths + angles)
        raise CrystalError(f"its cell is impossible: {cell}")
    return np.array(Lattice.from_parameters(*lengths, *angles).matrix)
