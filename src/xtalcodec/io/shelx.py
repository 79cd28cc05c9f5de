"""SHELX .res and .ins: cell, LATT and SYMM, SFAC, and the list of atoms; also the .res files of AIRSS and CASTEP.

By the SHELX-97 manual (G. M. Sheldrick), chapter 7: coordinates and occupancies of 10 + x are fixed at x,
those of 10 m + x are x times free variable m, and -(10 m + x) is x times one minus it.
"""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.found import Found, check_size
from xtalcodec.io.records.values import atomic_numbers
from xtalcodec.io.symmetry.operations import Operations, check_group, from_triplets
from xtalcodec.io.symmetry.orbits import expand

_CENTRINGS = {
    1: ["x,y,z"],
    2: ["x,y,z", "x+1/2,y+1/2,z+1/2"],
    3: ["x,y,z", "x+2/3,y+1/3,z+1/3", "x+1/3,y+2/3,z+2/3"],
    4: ["x,y,z", "x,y+1/2,z+1/2", "x+1/2,y,z+1/2", "x+1/2,y+1/2,z"],
    5: ["x,y,z", "x,y+1/2,z+1/2"],
    6: ["x,y,z", "x+1/2,y,z+1/2"],
    7: ["x,y,z", "x+1/2,y+1/2,z"],
}
"""LATT 1 to 7: P, I, rhombohedral obverse on hexagonal axes, F, A, B, C; negative without an inversion centre."""
_INSTRUCTIONS = frozenset(
    """ABIN ACTA AFIX ANIS ANSC ANSR BASF BEDE BIND BLOC BOND BUMP CELL CGLS CHIV CONF CONN DAMP DANG DEFS DELU DFIX
    DISP EADP EQIV EXTI EXYZ FEND FLAT FMAP FRAG FREE FVAR GRID HFIX HKLF HOPE HTAB ISOR LATT LAUE LIST LONE L.S. MERG
    MOLE MORE MOVE MPLA NCSY NEUT OMIT PART PATT PLAN PRIG RESI RIGU RTAB SADI SAME SFAC SHEL SIMU SIZE SPEC STIR SUMP
    SWAT SYMM TEMP TIME TREF TWIN TWST UNIT WGHT WIGL WPDB XNPD ZERR""".split()  # noqa: SIM905 - reads as the manual's index
)
_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)(E[-+]?\d+)?(\(\d+\))?"
_ATOM = re.compile(rf"[A-Z]\S* \d{{1,3}}( {_NUMBER}){{3}}( {_NUMBER}( .*)?)?", re.IGNORECASE)
"""A row of an atom: label, number in SFAC, coordinates, occupancy and more; standard uncertainties in parentheses."""
_FULL = 0.01
"""How far an occupancy may be from that of a full site; special positions are rounded to five digits."""


def read_shelx(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield the crystal of a SHELX file.

    Parameters
    ----------
    text
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    """
    yield name, partial(_crystal, text, max_sites)


def _crystal(text: str, max_sites: int) -> Crystal:
    from pymatgen.core import Lattice

    lines = _instructions(text)
    cell = _numbers(lines, "CELL")
    if len(cell) != 7:
        raise CrystalError("its CELL does not give a wavelength and six cell parameters")
    with np.errstate(all="ignore"):
        lattice = np.array(Lattice.from_parameters(*cell[1:]).matrix)
    if not np.isfinite(lattice).all() or abs(np.linalg.det(lattice)) < 1e-3 or abs(lattice).max() > 1e4:
        raise CrystalError(f"its cell is impossible: {', '.join(f'{x:g}' for x in cell[1:])}")
    operations = _operations(lines)
    check_group(operations, lattice @ lattice.T)
    elements, notes = atomic_numbers(_scatterers(lines))
    labels, kinds, given, occupancies = _atoms(lines, len(elements), _numbers(lines, "FVAR"), max_sites)
    digits = np.full(given.shape, 1.5e-4)  # files are typed and rounded in many ways
    sites = expand(given, digits, labels, operations, lattice, max_sites)
    multiplicities = np.bincount(sites.rows)
    for label, occupancy, count in zip(labels, occupancies, multiplicities, strict=True):
        full = count / len(operations)
        if abs(occupancy - full) > _FULL * full and abs(occupancy - 1) > _FULL:
            raise CrystalError(f"site {label} is disordered or partly occupied (occupancy {occupancy / full:g})")
    numbers = np.array(elements)[kinds][sites.rows]
    return Crystal(lattice, sites.frac_coords, numbers, notes=notes + sites.notes)


def _instructions(text: str) -> list[list[str]]:
    """Join lines that end in =, and split into words up to END; comments go.

    Raises
    ------
    CrystalError
        A text with neither END nor HKLF, which are last: it was cut off.
    """
    told = re.sub(r"(?im)^[ \t]*(TITL|REM)\b.*", "", text)
    joined = re.sub(r"=[ \t]*(![^\n]*)?\r?\n", " ", told)
    lines = []
    in_fragment = False
    for line in joined.splitlines():
        words = line.split("!")[0].split()
        if not words:
            continue
        key = words[0].upper()
        if key == "END":
            break
        in_fragment = key == "FRAG" or (in_fragment and key != "FEND")
        if not in_fragment and key != "FEND":
            lines.append([key, *words[1:]])
    else:
        if not any(line[0] == "HKLF" for line in lines):
            raise CrystalError("it ends before END: cut off")
    return lines


def _numbers(lines: list[list[str]], key: str) -> list[float]:
    """Return the numbers behind every instruction of this name."""
    try:
        return [float(word) for line in lines if line[0] == key for word in line[1:]]
    except ValueError as error:
        raise CrystalError(f"its {key} holds what is no number") from error


def _operations(lines: list[list[str]]) -> Operations:
    """Combine SYMM with the inversion and the centring of LATT."""
    latt = _numbers(lines, "LATT") or [1.0]
    if abs(latt[-1]) not in _CENTRINGS:
        raise CrystalError(f"its LATT is {latt[-1]:g}, not 1 to 7")
    listed = from_triplets(["x,y,z", *(" ".join(line[1:]) for line in lines if line[0] == "SYMM")])
    centring = from_triplets(_CENTRINGS[int(abs(latt[-1]))])
    rotations, shifts = listed.rotations, listed.shifts
    if latt[-1] > 0:
        rotations, shifts = np.concatenate([rotations, -rotations]), np.concatenate([shifts, -shifts])
    rotations = np.repeat(rotations, len(centring), axis=0)
    shifts = (shifts[:, None] + centring.shifts).reshape(-1, 3)
    return Operations(rotations, shifts)


def _scatterers(lines: list[list[str]]) -> list[str]:
    """Return the elements of SFAC, which may give a scattering factor's numbers behind one element."""
    found = []
    for line in lines:
        if line[0] == "SFAC":
            explicit = len(line) > 2 and re.match(r"[-+.\d]", line[2])
            found += [word.lstrip("$").capitalize() for word in line[1 : 2 if explicit else None]]
    if not found:
        raise CrystalError("it has no SFAC, which names the elements")
    return found


def _atoms(
    lines: list[list[str]], kinds: int, variables: list[float], max_sites: int
) -> tuple[list[str], list[int], Float[np.ndarray, "rows 3"], Float[np.ndarray, " rows"]]:
    """Return labels, indices into SFAC, positions and occupancies; peaks Q1, Q2, … are no atoms."""
    own = [line for line in lines if line[0].split("_")[0] not in _INSTRUCTIONS]
    rows = [line for line in own if not re.fullmatch(r"Q\d*", line[0])]
    for line in map(" ".join, rows):
        if not _ATOM.fullmatch(line):
            raise CrystalError(f"{line[:40]!r} is no instruction, and no label, number of SFAC and coordinates")
    if not rows:
        raise CrystalError("it has no sites")
    check_size(len(rows), max_sites)
    labels = [line[0] for line in rows]
    if wrong := [line for line in rows if not 1 <= int(line[1]) <= kinds]:
        raise CrystalError(f"site {wrong[0][0]} is of element {wrong[0][1]} of SFAC, which has {kinds}")
    values = [[_refined(word, variables) for word in line[2:5]] for line in rows]
    occupancies = [_refined(line[5], variables) if len(line) > 5 else 1.0 for line in rows]
    return labels, [int(line[1]) - 1 for line in rows], np.array(values), np.array(occupancies)


def _refined(word: str, variables: list[float]) -> float:
    """Read a parameter that may be fixed (10 + x) or tied to a free variable."""
    value = float(word.partition("(")[0])
    which = int((abs(value) + 5) // 10)
    rest = abs(value) - 10 * which
    if which == 0 or not np.isfinite(value):
        return value
    if which == 1:
        return rest if value > 0 else -rest
    if which > len(variables):
        raise CrystalError(f"a site is tied to free variable {which}, which FVAR does not have")
    free = variables[which - 1]
    return rest * free if value > 0 else rest * (1 - free)
