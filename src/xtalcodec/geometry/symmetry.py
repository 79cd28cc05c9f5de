"""Space groups and conventional cells, as moyopy finds them."""

import logging
from dataclasses import replace

import moyopy
import numpy as np
from jaxtyping import Int

from xtalcodec.crystal import SAME_SHARE, Crystal
from xtalcodec.geometry.images import wrapped
from xtalcodec.geometry.niggli import niggli_basis
from xtalcodec.geometry.orbits import Operations

SYMPREC = 0.1
"""Å: tolerance of the symmetry of what is decoded, and of what it is compared with: about ten times the error that
decoding leaves in positions. Relaxed crystals may be off their symmetry by hundredths: of Carbon-24 28 % have none
within 0.01 Å and 10 % within 0.1, of the Materials Project 1.1 and 0.8 %."""

LEAST_EDGE = 7
"""Shortest lattice vector over the tolerance: at half of that and less moyopy asks for memory without end, for every
site is then near some image of every other."""

SHARES = 0.05
"""Occupancies of sites that symmetry makes one: about twice the error that decoding leaves in them."""

SYSTEMS = (
    (2, "triclinic"),
    (15, "monoclinic"),
    (74, "orthorhombic"),
    (142, "tetragonal"),
    (167, "trigonal"),
    (194, "hexagonal"),
    (230, "cubic"),
)
"""Last space group of each crystal system (International Tables A)."""

logging.getLogger("moyo").setLevel(logging.ERROR)  # its notices are about operations that are not used here


def right_handed(crystal: Crystal) -> Crystal:
    """Return the same crystal, on -a, -b, -c if its cell is left-handed."""
    return crystal if np.linalg.det(crystal.lattice) > 0 else crystal.in_basis(-np.eye(3, dtype=np.int64))


def space_group(crystal: Crystal, symprec: float = 0.01) -> str:
    """Hermann-Mauguin symbol, or "?" where symmetry cannot be determined (atoms that coincide, a tiny cell)."""
    data = _dataset(crystal, symprec)
    return "?" if data is None else moyopy.SpaceGroupType(data.number).hm_short.replace(" ", "")


def space_group_number(crystal: Crystal, symprec: float = 0.01) -> int:
    """Number of the space group, or 0 where symmetry cannot be determined."""
    data = _dataset(crystal, symprec)
    return 0 if data is None else data.number


def crystal_system(number: int) -> str:
    """Crystal system of a space group, or "?" of none."""
    return "?" if not number else next(name for last, name in SYSTEMS if number <= last)


def symmetrised(crystal: Crystal, symprec: float) -> Crystal:
    """Return the crystal moved onto the symmetry found within `symprec` Å, on its conventional cell.

    The setting is the standard one of International Tables A: unique axis b, hexagonal axes for
    rhombohedral groups, origin choice 2. Where no symmetry can be found, as given.
    """
    found = conventional(crystal, symprec)
    return found[0] if found else crystal


def conventional(crystal: Crystal, symprec: float) -> tuple[Crystal, int, str] | None:
    """Return the conventional cell, the number and the symbol of the space group, by moyopy.

    Shared sites that symmetry makes one get the mean of their occupancies, where those are within `SHARES`. Sites are
    others, turned and moved: properties are left out.
    """
    crystal = _evened(crystal, symprec)
    data = _dataset(crystal, symprec)
    if data is None:
        return None
    standard = _on_cell(crystal, data.std_cell)
    return standard, data.number, moyopy.HallSymbolEntry(data.hall_number).hm_short


def primitive(crystal: Crystal, symprec: float = 0.01) -> Crystal:
    """Return the crystal on a primitive cell in a standard orientation; as given where no symmetry can be found.

    Properties are left out, as its sites are others.
    """
    data = _dataset(crystal, symprec)
    if data is None:
        return crystal
    return _on_cell(crystal, data.prim_std_cell)


def operations(crystal: Crystal, symprec: float = 0.01) -> Operations:
    """All operations of the space group in the crystal's cell, translations of a smaller cell among them.

    The identity alone where no symmetry can be found.
    """
    data = _dataset(crystal, symprec)
    if data is None:
        return Operations(np.eye(3)[None], np.zeros((1, 3)))
    hand = np.sign(np.linalg.det(crystal.lattice))  # moyopy saw the axes of a left-handed cell reversed
    return Operations(np.array(data.operations.rotations, float), hand * np.array(data.operations.translations))


def rotations(crystal: Crystal) -> Int[np.ndarray, "ops 3 3"]:
    """Rotations of the space group, with those that are improper, on columns of fractional coordinates.

    The identity alone where no symmetry can be found.
    """
    return np.unique(operations(crystal, 0.01).rotations.astype(np.int64), axis=0)


def _evened(crystal: Crystal, symprec: float) -> Crystal:
    """Give the shared sites of an orbit the mean of their occupancies; the content of the cell stays."""
    if crystal.occupancies is None:
        return crystal
    data = _dataset(crystal, symprec, SHARES)
    if data is None:
        return crystal
    orbits = np.unique(data.orbits, return_inverse=True)[1]
    mean = np.stack([crystal.occupancies[orbits == k].mean(0) for k in range(orbits.max() + 1)])
    return replace(crystal, occupancies=mean[orbits], numbers=1 + mean[orbits, 1:].argmax(1))


def _on_cell(crystal: Crystal, cell: moyopy.Cell) -> Crystal:
    """Return the crystal on a cell that moyopy found, whose numbers are kinds of sites."""
    _, first = np.unique(crystal.site_kinds(), return_index=True)
    site = first[np.array(cell.numbers)]  # one of the crystal's own that holds the same
    shares = None if crystal.occupancies is None else crystal.occupancies[site]
    return replace(
        crystal.without_properties(),
        lattice=np.array(cell.basis),
        frac_coords=wrapped(np.array(cell.positions)),
        numbers=crystal.numbers[site],
        occupancies=shares,
    )


def _dataset(crystal: Crystal, symprec: float, shares: float = SAME_SHARE) -> moyopy.MoyoDataset | None:
    """What moyopy finds, in the standard setting; None where it finds no symmetry, not even the identity.

    Nor is any found in cells that are not much larger than the tolerance, see `LEAST_EDGE`.

    Parameters
    ----------
    crystal
        In any cell.
    symprec
        Å.
    shares
        Sites are alike whose occupancies differ by no more.
    """
    crystal = right_handed(crystal)
    kinds = crystal.site_kinds(shares).tolist()
    cell = moyopy.Cell(crystal.lattice.tolist(), crystal.frac_coords.tolist(), kinds)
    try:
        reduced = niggli_basis(crystal.lattice) @ crystal.lattice
        if np.linalg.norm(reduced, axis=1).min() < LEAST_EDGE * symprec:
            return None
        return moyopy.MoyoDataset(cell, symprec=symprec, setting=moyopy.Setting.standard())
    except ValueError:  # two sites nearer than symprec, for one; a flat cell
        return None
