"""CIF text → crystals, refusing whatever would make the crystal another one than the file's.

pymatgen's parser repairs much in silence: it drops sites it cannot name, takes a missing
occupancy for full, falls back to P1 or to the space group's symbol when it cannot read an
operation. Each of these is checked here before or after parsing.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.cif_symmetry import SITE_TOLERANCE, check_group, orbit_sizes, read_operations
from xtalcodec.crystal import Crystal, CrystalError

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifBlock

Found = tuple[str, Callable[[], Crystal]]
"""What a reader yields: the crystal's name, and the function that builds it or raises."""

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?(\(\d+\)?)?")
_LONGEST_EDGE = 1e4
"""Å; beyond, the linear algebra of the parser fails and says so on the terminal."""
_POSITIONS = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")


def check_size(sites: int, max_sites: int) -> None:
    """Refuse a crystal of more than `max_sites` sites, at best before it is built."""
    if sites > max_sites:
        raise CrystalError(f"it has {sites} sites; the limit is {max_sites}")


def read_cif(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every data block that describes a crystal; of several, each is `name#block`."""
    blocks = [(title, block) for title, block in _blocks(text) if re.search(r"(?im)^\s*_(atom_site|cell)[_.]", block)]
    if not blocks:
        raise CrystalError("it is no CIF with a crystal: no data block gives a cell or atoms")
    for title, block in blocks:
        yield (f"{name}#{title}" if len(blocks) > 1 else name), partial(crystal_of_block, block, max_sites)


def crystal_of_block(text: str, max_sites: int) -> Crystal:
    """Build the crystal of one data block, with all of its sites, in the cell it gives."""
    from pymatgen.io.cif import CifFile, CifParser

    try:
        tokens = next(iter(CifFile.from_str(text).data.values()))
    except (ValueError, IndexError, ZeroDivisionError, StopIteration) as error:
        raise CrystalError("a loop_ has no rows, or a row without all of its values: damaged or cut off") from error
    positions = _check_sites(tokens, max_sites)
    _check_cell(tokens)
    parser = CifParser.from_str(
        text,
        site_tolerance=SITE_TOLERANCE,
        frac_tolerance=_rounding(tokens),
        occupancy_tolerance=1,
        check_cif=False,
    )
    magnetic = any("_magn" in key for key in tokens.data)
    if not magnetic:
        rotations, shifts = read_operations(tokens, parser)
        check_group(rotations, shifts, _metric(tokens))
        multiplicities = orbit_sizes(_rounded(positions, _rounding(tokens)), rotations, shifts)
        check_size(int(multiplicities.sum()), max_sites)
    try:
        structure = parser.parse_structures(primitive=False, on_error="raise")[0]
    except ValueError as error:
        if "exceeded tolerance" in str(error):
            raise CrystalError("two of its sites, or symmetry copies of them, are at the same place") from error
        raise CrystalError(str(error).split("\n", 1)[-1]) from error
    _check_copies(structure)
    _check_formula(tokens, Crystal.from_pymatgen(structure), None if magnetic else multiplicities)
    return Crystal.from_pymatgen(structure)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Split at `data_` lines, but not inside text fields (between lines that start with ;).

    Characters beyond ASCII become "?": pymatgen drops them, which would turn 0.1é5 into 0.15.
    """
    title, in_field = "", False
    lines: list[str] = []
    for line in text.replace("\u00a0", " ").encode("ascii", "replace").decode().splitlines():
        start = re.match(r"\s*data_(\S*)", line, re.IGNORECASE)
        if line.startswith(";"):
            in_field = not in_field
        elif start and in_field:
            continue
        elif start:
            if lines:
                yield title, "\n".join(lines)
            title, lines = start[1], []
            line = "data_" + line.lstrip()[5:]  # noqa: PLW2901 - pymatgen knows lower case alone
        if start or lines:
            lines.append(line)
    if lines:
        yield title, "\n".join(lines)


def _column(tokens: "CifBlock", key: str, length: int) -> list[str]:
    """Return a column of the atoms' loop."""
    column = tokens.data.get(key)
    if column is None:
        raise CrystalError(f"it has no {key}: incomplete, or not the CIF of a crystal")
    if not isinstance(column, list) or length not in (0, len(column)):
        raise CrystalError(f"its {key} is not a column of the loop of atoms")
    return column


def _number(text: Any, what: str) -> float:
    """Return a CIF number, which may carry its uncertainty in parentheses."""
    if text is None:
        raise CrystalError(f"it gives no {what}")
    if not (isinstance(text, str) and _NUMBER.fullmatch(text)):
        raise CrystalError(f"{what} is {str(text)[:30]!r}, not a finite number")
    number = float(text.split("(")[0])
    if not math.isfinite(number):
        raise CrystalError(f"{what} is {text[:30]!r}, not a finite number")
    return number


def _check_sites(tokens: "CifBlock", max_sites: int) -> Float[np.ndarray, "rows 3"]:
    """Check the atoms' loop row by row and return its positions."""
    columns = [column for loop in tokens.loops for column in loop]
    for key in columns:
        if key.startswith("_atom_site_") and columns.count(key) > 1:
            raise CrystalError(f"it gives {key} twice")
    labels = _column(tokens, "_atom_site_label", 0)
    if not labels:
        raise CrystalError("it has no sites")
    check_size(len(labels), max_sites)
    elements_of(tokens)
    rows = zip(labels, *(_column(tokens, key, len(labels)) for key in _POSITIONS), strict=True)
    positions = [[_number(x, f"a coordinate of site {label}") for x in row] for label, *row in rows]
    if "_atom_site_occupancy" in tokens.data:
        for label, text in zip(labels, _column(tokens, "_atom_site_occupancy", len(labels)), strict=True):
            occupancy = 1.0 if text == "?" else _number(text, f"the occupancy of site {label}")
            if occupancy != 1:
                raise CrystalError(f"site {label} is disordered or partly occupied (occupancy {occupancy:g})")
    for hydrogens in tokens.data.get("_atom_site_attached_hydrogens", []):
        if hydrogens not in ("0", ".", "?"):
            raise CrystalError("hydrogens are attached to sites without positions of their own")
    return np.array(positions)


def elements_of(tokens: "CifBlock") -> list[str]:
    """Return the element of every row, by its type symbol or else by its label's letters."""
    from pymatgen.core import Element

    labels = _column(tokens, "_atom_site_label", 0)
    by_type = "_atom_site_type_symbol" in tokens.data
    texts = _column(tokens, "_atom_site_type_symbol", len(labels)) if by_type else labels
    found = []
    for label, text in zip(labels, texts, strict=True):
        match = re.fullmatch(r"([A-Za-z]{1,2})[\d.]*[+-]?\d*", text) if by_type else re.match(r"([A-Z][a-z]?)", text)
        symbol = match[1].capitalize() if match else ""
        if not by_type and not Element.is_valid_symbol(symbol):
            symbol = symbol[:1]
        if not Element.is_valid_symbol(symbol):
            raise CrystalError(f"site {label[:30]} holds {text[:30]!r}, which is no element")
        found.append("H" if symbol in ("D", "T") else symbol)
    return found


def _check_cell(tokens: "CifBlock") -> None:
    lengths = [_number(tokens.data.get(f"_cell_length_{x}"), f"cell length {x}") for x in "abc"]
    angles = [_number(tokens.data.get(f"_cell_angle_{x}"), f"cell angle {x}") for x in ("alpha", "beta", "gamma")]
    x, y, z = np.cos(np.radians(angles))
    # The square of the volume of a cell with unit edges; pymatgen clips what is impossible to a flat cell.
    flat = 1 - x * x - y * y - z * z + 2 * x * y * z < 1e-9
    if flat or min(angles) <= 0 or max(angles) >= 180 or min(lengths) <= 0 or max(lengths) > _LONGEST_EDGE:
        cell = ", ".join(f"{value:g}" for value in lengths + angles)
        raise CrystalError(f"its cell is impossible: {cell}")


def _metric(tokens: "CifBlock") -> Float[np.ndarray, "3 3"]:
    """Return the metric tensor of the cell in Å²."""
    lengths = np.array([_number(tokens.data[f"_cell_length_{x}"], "") for x in "abc"])
    x, y, z = np.cos(np.radians([_number(tokens.data[f"_cell_angle_{k}"], "") for k in ("alpha", "beta", "gamma")]))
    return np.outer(lengths, lengths) * np.array([[1, z, y], [z, 1, x], [y, x, 1]])


def _rounding(tokens: "CifBlock") -> float:
    """Return how far from 1/3 a coordinate is still taken for 1/3.

    0.3333 means 1/3, and symmetry copies of it must meet; 0.333345 does not: from six digits
    on, a coordinate is what it says.
    """
    digits = (text.split("(")[0].partition(".")[2] for key in _POSITIONS for text in tokens.data[key])
    return 0.0 if max(map(len, digits)) >= 6 else 1e-4


def _rounded(positions: Float[np.ndarray, "rows 3"], tolerance: float) -> Float[np.ndarray, "rows 3"]:
    """Round to thirds what the parser will round."""
    for third in (1 / 3, 2 / 3):
        positions = np.where(abs(positions / third - 1) <= tolerance, third, positions)
    return positions


def _check_copies(structure: "Structure") -> None:
    """Refuse copies of one site that all but coincide: 0.333 for 1/3 makes three atoms of one."""
    if "implicit_hydrogens" in structure.site_properties:
        raise CrystalError("hydrogens are implied without positions of their own")
    labels = np.array([site.label for site in structure])
    for label in np.unique(labels):
        copies = structure.frac_coords[labels == label]
        apart = structure.lattice.get_all_distances(copies, copies) + np.diag(np.full(len(copies), np.inf))
        if apart.min() < 0.1:
            raise CrystalError(f"symmetry copies of site {label} nearly coincide: its position has too few digits")


def _check_formula(tokens: "CifBlock", crystal: Crystal, multiplicities: Int[np.ndarray, " rows"] | None) -> None:
    """Compare the parsed crystal with the rows of the file, and with the formula it states."""
    from pymatgen.core import Composition

    found = Counter(crystal.symbols)
    expected: Counter[str] = Counter()
    for symbol, count in zip(elements_of(tokens), multiplicities if multiplicities is not None else (), strict=False):
        expected[symbol] += int(count)
    if expected and expected != found:
        raise CrystalError("its site labels do not say clearly which elements they are")
    text = str(tokens.data.get("_chemical_formula_sum", "?"))
    try:
        formula = (
            Counter(Composition(text.replace(",", " ")).get_el_amt_dict()) if text not in ("?", ".") else Counter()
        )
    except ValueError:
        return
    formula["H"] += formula.pop("D", 0) + formula.pop("T", 0)
    formula = +formula
    ratios = (
        [found[symbol] / formula[symbol] if formula[symbol] else 0 for symbol in found | formula] if formula else [1]
    )
    if max(ratios) - min(ratios) > 0.01 * max(ratios):
        raise CrystalError(f"its sites make {crystal.formula}, its formula says {text[:60]}")
    # Whole formula units: a file cut between two rows of one element keeps its stoichiometry.
    units = max(*ratios, 1 / max(ratios))
    if abs(units - round(units)) > 0.01 * units:
        raise CrystalError(f"it has {len(crystal)} sites, no multiple of its formula {text[:60]}")
