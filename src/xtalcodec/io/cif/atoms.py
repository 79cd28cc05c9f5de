"""The loop of atoms of a CIF: positions and what digits they have, occupancies, and rows that are no atoms."""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import OVERFULL, CrystalError
from xtalcodec.io.cif.elements import Reading, is_dummy, readings
from xtalcodec.io.cif.syntax import UNKNOWN, Block, Number, number
from xtalcodec.io.found import check_size

_POSITIONS = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")


@dataclass(frozen=True, slots=True)
class Atoms:
    """The rows of the loop of atoms, less those that are no atoms."""

    rows: list[int]
    """Where each is in the loop; a mixture makes several of one."""
    labels: list[str]
    """What the file calls each row."""
    readings: list[Reading]
    """The elements that each row may be."""
    positions: Float[np.ndarray, "rows 3"]
    """Fractional coordinates; 0.3333 is 1/3."""
    digits: Float[np.ndarray, "rows 3"]
    """How far each coordinate may be off, fractional."""
    occupancies: Float[np.ndarray, " rows"]
    """As given; 1 where that is not known."""
    uncertainties: Float[np.ndarray, " rows"]
    """Standard uncertainties of the occupancies."""
    notes: tuple[str, ...]
    """What was assumed."""


def read_atoms(block: Block, elements: set[str], max_sites: int) -> Atoms:
    """Read the loop of atoms.

    Parameters
    ----------
    block
        The data block.
    elements
        Elements of the file's formula; empty where it states none. They tell CO from Co.
    max_sites
        Refuse more rows than this.

    Raises
    ------
    CrystalError
        A column is missing, a coordinate or occupancy is no number, hydrogens have no positions.
    """
    types = block.values.get("_atom_site_type_symbol")
    labels = block.values.get("_atom_site_label", types)
    if labels is None:
        labels = block.column("_atom_site_label")  # tells that it is missing
    if not labels:
        raise CrystalError("a loop_ has no rows, that of the atoms: damaged or cut off")
    check_size(len(labels), max_sites)
    length = len(labels)
    types = block.column("_atom_site_type_symbol", length) if types else [""] * length
    for hydrogens in block.values.get("_atom_site_attached_hydrogens", []):
        if hydrogens not in ("0", *UNKNOWN):
            raise CrystalError("hydrogens are attached to sites without positions of their own")
    flags = block.values.get("_atom_site_calc_flag", [])
    flags = flags if len(flags) == length else [""] * length
    rows = [k for k in range(length) if flags[k].lower() != "dum" and not is_dummy(types[k], labels[k])]
    if not rows:
        raise CrystalError("it has no sites")
    dummies = sorted({labels[k][:30] for k in range(length)} - {labels[k][:30] for k in rows})
    notes = (f"dummies are no atoms: {', '.join(dummies[:4])}",) if len(rows) < length else ()
    columns = [block.column(tag, length) for tag in _POSITIONS]
    what = "a coordinate of site "
    read = [[number(column[k], what + labels[k][:30]) for column in columns] for k in rows]
    given, assumed = _occupancies(block, labels, rows)
    uncertain = {k: x.uncertainty for k, x in zip(rows, given, strict=True)}
    rows, types, occupancies = _mixtures(rows, types, [x.value for x in given])
    labels = [labels[k] for k in rows]
    at = {k: i for i, k in enumerate(dict.fromkeys(rows))}
    return Atoms(
        rows,
        labels,
        readings(labels, types, elements),
        np.array([[_third(x) for x in read[at[k]]] for k in rows]),
        np.array([[_may_be_off(x) for x in read[at[k]]] for k in rows]),
        occupancies,
        np.array([uncertain[k] for k in rows]),
        notes + assumed,
    )


def _mixtures(
    rows: list[int], types: list[str], occupancies: list[float]
) -> tuple[list[int], list[str], Float[np.ndarray, " parts"]]:
    """Make several rows of one whose type symbol is a mixture.

    Its occupancy may say the sum of the shares again; where that is 1, a lower occupancy leaves the site partly empty.
    """
    result = []
    for k, occupancy in zip(rows, occupancies, strict=True):
        parts = split_types(types[k])
        total = sum(share for _, share in parts)
        again = abs(occupancy - total) <= (0.011 if total < 1 - OVERFULL else OVERFULL)
        result += [(k, s, share * (1.0 if again else occupancy)) for s, share in parts] or [(k, types[k], occupancy)]
    return [k for k, _, _ in result], [t for _, t, _ in result], np.array([x for _, _, x in result])


def split_types(text: str) -> list[tuple[str, float]]:
    """Take a type symbol that is a mixture apart: `0.66Mg + 0.317Fe`, as Pauling-file exports write it.

    Returns
    -------
    Symbols and shares; empty where the text is no mixture.
    """
    part = r"(\d*\.\d+|\d+(?:\.\d*)?)\s*\*?\s*([A-Z][a-z]?)"
    if not re.fullmatch(rf"\s*{part}(\s*[+,]\s*{part})*\s*", text) or not re.search(r"[.+,]", text):
        return []
    found = [(symbol, float(share)) for share, symbol in re.findall(part, text)]
    return found if sum(share for _, share in found) <= 1 + OVERFULL else []


def _occupancies(block: Block, labels: list[str], rows: list[int]) -> tuple[list[Number], tuple[str, ...]]:
    """Read occupancies: unknown is full, the dictionary's default."""
    if "_atom_site_occupancy" not in block.values:
        return [Number(1.0)] * len(rows), ()
    column = block.column("_atom_site_occupancy", len(labels))
    unknown = [labels[k][:30] for k in rows if column[k] in UNKNOWN]
    what = "the occupancy of site "
    found = [Number(1.0) if column[k] in UNKNOWN else number(column[k], what + labels[k][:30]) for k in rows]
    if not unknown:
        return found, ()
    return found, (f"occupancy taken as full where it is not given: {', '.join(unknown[:4])}",)


def _third(x: Number) -> float:
    """Take 0.333, 0.6667 and 0.16667 for the thirds and sixths they are rounded from; six digits are what they say."""
    nearest = round(x.value * 6) / 6
    rounded = 3 <= x.digits <= 5 and abs(x.value - nearest) <= 0.5001 * 10.0**-x.digits
    return nearest if rounded else x.value


def _may_be_off(x: Number) -> float:
    """One and a half of the last digit, as 2 × 0.1234 = 0.2469 has it, and thrice the standard uncertainty.

    Zeros at the end may only fill a column: 0.33300000 has three digits. 0.5 and 0 are exact.
    """
    digits = x.significant if x.significant >= 3 else x.digits
    return (1.5 * 10.0**-digits if digits >= 2 else 0.0) + 3 * x.uncertainty
