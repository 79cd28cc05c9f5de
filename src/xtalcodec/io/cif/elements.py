"""Which element a type symbol or a label of a CIF means.

Co is cobalt, but CO may be cobalt in capitals or carbon monoxide, and NH4 is never nihonium. Where a text
can be read in several ways, the file's formula decides; where it cannot, the crystal is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import CrystalError

ISOTOPES = {"D": "H", "T": "H"}
"""Isotopes with symbols of their own → their element."""

_DUMMIES = re.compile(r"(x|xx|cg|cnt|cen|du|dum|bq|gh|va|vac|q)[\d'*()_.-]*", re.IGNORECASE)
"""Centroids, ghosts, vacancies and peaks of difference maps; none of these names is an element's."""
_GROUPS = frozenset({"NH", "ND", "CN", "CO", "CD", "HO", "NO", "PO", "BH", "HS", "CF"})
"""Two capitals that may be a group of atoms as well as the element Nh, Nd, Cn, Co, Cd, Ho, No, Po, Bh, Hs, Cf."""
_SCATTERERS = {"Cval": "C", "Siva": "Si", "Sival": "Si"}
"""Valence states among the scattering factors of International Tables C, table 6.1.1.1."""
_WATER = frozenset({"WAT", "HOH", "DOD"})


@dataclass(frozen=True, slots=True)
class Reading:
    """Elements that a type symbol or label may stand for."""

    text: str
    """As in the file."""
    label: str
    """The row's label, for messages."""
    elements: tuple[str, ...]
    """Elements that it may be, the likeliest first."""
    clear: bool
    """Whether the first one is meant, whatever else the file says."""
    by_label: bool = False
    """Whether it is a label, not a type symbol."""
    isotope: bool = False
    """Whether it names an isotope, which is read as its element."""


def is_dummy(type_symbol: str, label: str) -> bool:
    """Tell whether a row is no atom: X, a centroid Cg, a vacancy, a peak Q1."""
    text = label if type_symbol in (".", "?", "") else type_symbol
    return bool(_DUMMIES.fullmatch(text))


def readings(labels: list[str], types: list[str], elements: set[str]) -> list[Reading]:
    """Read every row by its type symbol, or else by its label; `elements` are those of the formula.

    Parameters
    ----------
    labels, types
        Labels and type symbols of the sites.
    elements
        Of the formula, where one is stated.
    """
    pairs = zip(labels, types, strict=True)
    known: dict[tuple[str, str], Reading] = {}
    for label, text in pairs:
        if (label, text) not in known:
            reading = _by_label(label) if text in (".", "?", "") else _by_type(text, label)
            known[label, text] = _with_formula(reading, elements)
    return [known[pair] for pair in zip(labels, types, strict=True)]


def choose(
    rows: list[Reading], amounts: Float[np.ndarray, " rows"], formula: dict[str, float]
) -> tuple[list[str], tuple[str, ...]]:
    """Choose every row's element, and tell what was assumed.

    Parameters
    ----------
    rows
        The readings of the rows.
    amounts
        How many atoms of the cell each row makes.
    formula
        The file's formula; empty where it states none.

    Raises
    ------
    CrystalError
        A text that has several readings, and no formula or one that does not decide.
    """
    unclear = {row.text: row for row in rows if not row.clear}
    notes = []
    if isotopes := sorted({row.label[:30] for row in rows if row.isotope}):
        notes.append(f"isotopes are read as their element: {', '.join(isotopes[:4])}")
    if not unclear:
        return [row.elements[0] for row in rows], tuple(notes)
    fitting = []
    if formula and prod(len(row.elements) for row in unclear.values()) <= 4096:
        for choice in product(*(row.elements for row in unclear.values())):
            meant = dict(zip(unclear, choice, strict=True))
            found = [meant[row.text] if not row.clear else row.elements[0] for row in rows]
            counts: dict[str, float] = {}
            for symbol, count in zip(found, amounts.tolist(), strict=True):
                counts[symbol] = counts.get(symbol, 0.0) + count
            if same_ratio(counts, formula):
                fitting.append((found, meant))
    if len(fitting) != 1:
        raise CrystalError(_refusal(next(iter(unclear.values()))))
    found, meant = fitting[0]
    listed = ", ".join(f"{text[:20]} is {symbol}" for text, symbol in list(meant.items())[:4])
    return found, (*notes, f"by the formula, {listed}")


def same_ratio(found: Mapping[str, float | int], formula: Mapping[str, float | int]) -> bool:
    """Tell whether two compositions are multiples of one another, within 1 %."""
    ratios = [found.get(x, 0.0) / formula[x] if formula.get(x) else 0.0 for x in {*found, *formula}]
    return max(ratios) - min(ratios) <= 0.01 * max(ratios)


def _refusal(row: Reading) -> str:
    if not row.by_label:
        return f"site {row.label[:30]} holds {row.text[:30]!r}, a group: not every atom of it has a place of its own"
    choices = " or ".join(row.elements)
    return f"its site labels do not say clearly which elements they are ({row.label[:30]}: {choices}?)"


def _with_formula(reading: Reading, elements: set[str]) -> Reading:
    """Keep the readings that the formula has; a group stays one, as the formula must show its other atoms."""
    possible = tuple(symbol for symbol in reading.elements if symbol in elements)
    if not possible or len(reading.elements) == 1:
        return reading
    whole = len(possible) == 1 and (reading.by_label or len(reading.text.rstrip("0123456789+-.")) == len(possible[0]))
    clear = reading.clear if possible[0] == reading.elements[0] and reading.clear else whole
    return Reading(reading.text, reading.label, possible, clear, reading.by_label, reading.isotope)


def _by_type(text: str, label: str) -> Reading:
    if text in _SCATTERERS:
        return Reading(text, label, (_SCATTERERS[text],), clear=True)
    match = re.fullmatch(r"(\d{0,3})([A-Za-z]{1,2})[\d.,]*[+-]?[\d.]*[+-]?", text)
    if match is None:
        return _group(text, label)
    isotope, letters = bool(match[1]) or match[2] in ISOTOPES, match[2]
    symbol = letters.capitalize()
    if symbol in ISOTOPES:
        return Reading(text, label, (ISOTOPES[symbol],), clear=True, isotope=True)
    title = letters == symbol
    if _valid(symbol) and (title or len(letters) == 1 or letters.upper() not in _GROUPS):
        return Reading(text, label, (symbol,), clear=True, isotope=isotope)
    if title:
        raise CrystalError(f"site {label[:30]} holds {text[:30]!r}, which is no element")
    if _valid(symbol) and re.match(rf"{symbol}(?![a-z])", label):
        return Reading(text, label, (symbol,), clear=True)  # CO of a site that is labelled Co1
    both = tuple(x for x in (symbol, letters[0].upper()) if _valid(x))
    if not both:
        raise CrystalError(f"site {label[:30]} holds {text[:30]!r}, which is no element")
    return Reading(text, label, both, clear=False)


def _group(text: str, label: str) -> Reading:
    """Read CH3, H2O, SO4 as their first atom that is not hydrogen, should the formula show the others in place."""
    symbols = [x for x in re.findall(r"[A-Z][a-z]?", text) if _valid(x)]
    if not symbols or not re.fullmatch(r"[A-Za-z\d+\-().]*", text):
        raise CrystalError(f"site {label[:30]} holds {text[:30]!r}, which is no element")
    first = next((symbol for symbol in symbols if symbol != "H"), "H")
    return Reading(text, label, (first,), clear=False)


def _by_label(label: str) -> Reading:
    """Read a label's leading letters: Si1, NA1, Owat, O1W."""
    match = re.match(r"(\d{0,3})([A-Za-z]+)", label)
    if match is None:
        raise CrystalError(f"site {label[:30]} holds {label[:30]!r}, which is no element")
    letters = match[2]
    two, one = letters[:2].capitalize(), letters[0].upper()
    title = letters[0].isupper() and letters[1:2].islower()
    if len(letters) == 1:
        if not _valid(ISOTOPES.get(one, one)):
            raise CrystalError(f"site {label[:30]} holds {label[:30]!r}, which is no element")
        clear = one != "T"  # zeolites call their silicon and aluminium so
        return Reading(label, label, (ISOTOPES.get(one, one),), clear, by_label=True, isotope=one in ISOTOPES)
    possible = tuple(symbol for symbol in (two, one) if _valid(symbol))
    if not possible:
        raise CrystalError(f"site {label[:30]} holds {label[:30]!r}, which is no element")
    if title and len(letters) == 2 and _valid(two):
        return Reading(label, label, possible, clear=True, by_label=True)
    group = letters.upper() in _WATER or (not title and not _valid(two) and letters[1] in "HNOD")
    return Reading(label, label, possible, clear=len(possible) == 1 and not group, by_label=True)


def _valid(symbol: str) -> bool:
    from pymatgen.core import Element

    return Element.is_valid_symbol(symbol) and symbol not in ISOTOPES
