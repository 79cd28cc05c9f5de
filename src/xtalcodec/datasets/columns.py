"""Columns of a data set: one value for each crystal, as the data has it, or as it follows from composition and cell."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.elements import atomic_number, density, symbol
from xtalcodec.geometry.symmetry import SYMPREC, crystal_system, space_group_number
from xtalcodec.priors.conditions import NAMES, QUANTITIES

MOST_CATEGORIES = 40
"""Different texts of a column that is shown without being asked for: more are ids, or remarks."""

SHARE = "share:"
"""How the name of a column begins that is the share of atoms of an element: share:O."""


class ColumnError(ValueError):
    """A column that the data does not have: the message lists those there are."""


@dataclass(frozen=True)
class Entry:
    """What is known of one crystal of a data set or an index."""

    name: str
    formula: str
    sites: int
    crystal: Crystal | None = None
    """None in an index, which keeps no crystals."""

    @classmethod
    def of(cls, crystal: Crystal) -> "Entry":
        """Take a crystal."""
        return cls(crystal.called, crystal.formula, len(crystal), crystal)

    @cached_property
    def content(self) -> dict[int, float]:
        """Atoms of each element in some amount of it, by atomic number."""
        if self.crystal is not None:
            return {z: float(self.crystal.content[z]) for z in self.crystal.elements}
        from pymatgen.core import Composition

        return {int(element.Z): float(amount) for element, amount in Composition(self.formula).items()}

    @cached_property
    def group(self) -> int | None:
        """Number of the space group within `SYMPREC`; None where none is found."""
        return None if self.crystal is None else space_group_number(self.crystal, SYMPREC) or None


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Values of one kind."""

    name: str
    label: str
    """What it is in words, with its unit where that is known."""
    values: Float[np.ndarray, " n"] | Int[np.ndarray, " n"]
    """Numbers, NaN where they are not known; or places in `categories`, −1 where they are not known."""
    categories: tuple[str, ...] | None = None
    """Texts, those that have an order in that, others the most frequent first; None of numbers."""

    @property
    def known(self) -> int:
        """How many crystals have a value."""
        return int((self.values >= 0).sum() if self.categories is not None else np.isfinite(self.values).sum())

    def text(self, place: int) -> str:
        """Return the value of one crystal in words; empty where it is not known."""
        value = self.values[place]
        if self.categories is not None:
            return self.categories[int(value)] if value >= 0 else ""
        return f"{value:.4g}" if np.isfinite(value) else ""


OF_COMPOSITION: dict[str, tuple[str, Callable[[Entry], Any]]] = {
    "number_of_elements": ("Number of elements", lambda entry: len(entry.content)),
    "sites": ("Sites in the cell, as given", lambda entry: entry.sites),
    "mean_atomic_number": (
        "Mean atomic number",
        lambda entry: sum(z * x for z, x in entry.content.items()) / sum(entry.content.values()),
    ),
    "most_electronegative": ("Most electronegative element", lambda entry: _most_electronegative(entry.content)),
}
"""Quantities that follow from what an index keeps: what they are, and how to get them."""

OF_CELL: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "volume_per_atom": ("Volume per atom, Å³", lambda entry: _volume_per_atom(entry.crystal)),
    "density": (QUANTITIES["density"], lambda entry: density(entry.crystal)),
}
"""Quantities that take the cell."""

OF_SYMMETRY: dict[str, tuple[str, Callable[[Entry], Any]]] = {
    "crystal_system": ("Crystal system", lambda entry: crystal_system(entry.group) if entry.group else None),
    "space_group": ("Space group, number", lambda entry: entry.group),
}
"""Quantities that take some milliseconds for each crystal."""


def available(entries: Sequence[Entry], *, symmetry: bool = True) -> list[str]:
    """Return the names of the columns that are worth a look: those of the data first.

    Parameters
    ----------
    entries
        Of the data.
    symmetry
        With those that take the time to find symmetry.
    """
    held = all(entry.crystal is not None for entry in entries)
    cell = [*OF_CELL, *(OF_SYMMETRY if symmetry else ())] if held else []
    own = [name for name in _properties(entries) if _is_telling(name, entries)]
    return list(dict.fromkeys([*own, *OF_COMPOSITION, *cell]))


def column(entries: Sequence[Entry], name: str) -> Column:
    """Return a column: the data's own of that name; else a quantity of composition or cell; or `share:` an element.

    Parameters
    ----------
    entries
        Of the data.
    name
        Of a property that the data has; or of `OF_COMPOSITION`, `OF_CELL`, `OF_SYMMETRY`; or as share:O.

    Raises
    ------
    ColumnError
        None of that name, or one without a plain value; with a list of what there is.
    """
    label = QUANTITIES.get(name, name)
    values: Sequence[Any]
    if name in _properties(entries):
        values = [entry.crystal.properties.get(name) if entry.crystal else None for entry in entries]
    elif name.startswith(SHARE):
        label, values = _share(entries, name)
    elif name in (computed := OF_COMPOSITION | OF_CELL | OF_SYMMETRY):
        if name not in OF_COMPOSITION and any(entry.crystal is None for entry in entries):
            raise ColumnError(f"{name} takes crystals, which an index does not keep: name the data too")
        label, of = computed[name]
        values = [of(entry) for entry in entries]
    else:
        known = [*available(entries), f"{SHARE}ELEMENT"]
        raise ColumnError(unknown("property of the data", name, known))
    return _made(name, label, values)


def _made(name: str, label: str, values: Sequence[Any]) -> Column:
    """Numbers where all known values are, else texts."""
    there = [value for value in values if value is not None]
    if any(isinstance(value, (list, dict)) for value in there):
        raise ColumnError(f"{name} has lists of values, not one for each crystal")
    if there and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in there):
        return Column(name, label, np.array([np.nan if value is None else value for value in values], dtype=np.float64))
    texts = [None if value is None else _text(value) for value in values]
    counts = Counter(text for text in texts if text is not None)
    in_order = NAMES if set(counts) <= set(NAMES) else sorted(counts, key=lambda text: (-counts[text], text))
    names = tuple(text for text in in_order if text in counts)
    places = {text: place for place, text in enumerate(names)}
    return Column(
        name, label, np.array([-1 if text is None else places[text] for text in texts], dtype=np.int64), names
    )


def _text(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _properties(entries: Sequence[Entry]) -> list[str]:
    """Names of what the crystals carry, in the order in which they come."""
    return list(dict.fromkeys(name for entry in entries if entry.crystal for name in entry.crystal.properties))


def _is_telling(name: str, entries: Sequence[Entry]) -> bool:
    """Whether a property of the data has one value for a crystal, and these are numbers or few texts."""
    values = [entry.crystal.properties[name] for entry in entries if entry.crystal and name in entry.crystal.properties]
    if any(isinstance(value, (list, dict)) for value in values):
        return False
    texts = {value for value in values if isinstance(value, str)}
    return len(texts) <= MOST_CATEGORIES and len({*texts} or {*values}) > 1


def _share(entries: Sequence[Entry], name: str) -> tuple[str, list[float]]:
    """Share of the atoms that are of an element."""
    try:
        z = atomic_number(name.removeprefix(SHARE))
    except ValueError as error:
        raise ColumnError(f"{name}: {error}") from error
    shares = [entry.content.get(z, 0.0) / sum(entry.content.values()) for entry in entries]
    return f"Share of the atoms that are {symbol(z)}", shares


def _most_electronegative(content: dict[int, float]) -> str | None:
    """Element that draws electrons most, by Pauling's scale; None where it is known of none, as of noble gases."""
    known = {z: x for z in content if (x := _electronegativity(z)) is not None}
    return symbol(max(known, key=lambda z: known[z])) if known else None


def _electronegativity(z: int) -> float | None:
    """By Pauling's scale, from pymatgen's table, which notes by NaN where there is none."""
    from pymatgen.core import Element

    value = Element.from_Z(z).data.get("X")
    return float(value) if isinstance(value, (int, float)) and np.isfinite(value) else None


def _volume_per_atom(crystal: Crystal) -> float:
    return crystal.volume / float(crystal.content[1:].sum())
