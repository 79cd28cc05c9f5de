"""Crystals of plain columns, one array each: ours, ASE's, JARVIS's, and those of anyone who names them alike."""

from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.found import check_size
from xtalcodec.io.records.columns import CELLS, FRACTIONAL, NUMBERS, POSITIONS, Record
from xtalcodec.io.records.values import atomic_numbers, field_of, is_true, own_notes


def fractional(record: Record, max_sites: int) -> Crystal:
    """Build from fractional coordinates and a cell, in Å; sites may be shared, as `occupancies` lists them."""
    values = field_of(record, NUMBERS)
    check_size(len(values), max_sites)
    numbers, notes = atomic_numbers(values)
    coordinates, cell = field_of(record, FRACTIONAL, 1).ravel(), field_of(record, CELLS, 1).ravel()
    if len(coordinates) != 3 * len(numbers) or len(cell) != 9:
        raise CrystalError(f"{len(coordinates)} coordinates and {len(cell)} of the cell for {len(numbers)} sites")
    own = own_notes(record) + notes
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


def cartesian(record: Record, max_sites: int) -> Crystal:
    """Build from Cartesian positions and a cell, in Å."""
    values = field_of(record, NUMBERS)
    check_size(len(values), max_sites)
    numbers, notes = atomic_numbers(values)
    cell = next((field_of(record, [name], 3) for name in CELLS if record.get(name) is not None), np.zeros((0, 3)))
    return from_positions(numbers, field_of(record, POSITIONS, 3), cell, [True] * 3, own_notes(record) + notes)


def jarvis(record: Record, max_sites: int) -> Crystal:
    """Build from the `atoms` of JARVIS: `elements`, and `coords` that are fractional or Cartesian."""
    check_size(len(field_of(record, ["elements"])), max_sites)
    numbers, notes = atomic_numbers([str(symbol).strip() for symbol in field_of(record, ["elements"])])
    cell, places = field_of(record, ["lattice_mat"], 3), field_of(record, ["coords"], 3)
    if is_true(record.get("cartesian")):
        return from_positions(numbers, places, cell, [True] * 3, notes)
    return Crystal(cell, places, np.array(numbers), notes=notes)


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
