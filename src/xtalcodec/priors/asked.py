"""What samples are asked to be, in words."""

from collections.abc import Sequence
from math import isfinite, nan

from xtalcodec.geometry.elements import atomic_number
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.conditions import Conditions


def asked(
    elements: str | None = None,
    composition: str | None = None,
    sites: str | None = None,
    space_group: str | None = None,
    crystal_system: str | None = None,
    properties: Sequence[str] = (),
) -> Conditions:
    """Read what is asked for; what is None may be anything.

    Parameters
    ----------
    elements
        "Ti,O".
    composition
        "TiO2".
    sites
        "6-20", or "6".
    space_group
        A number, or a symbol as "Fm-3m", in any setting.
    crystal_system
        "cubic".
    properties
        "band_gap=1.5".

    Raises
    ------
    PriorError
        A word that means nothing.
    """
    words = {"elements": elements, "composition": composition, "sites": sites}
    words |= {"space group": space_group, "crystal system": crystal_system}
    for name, text in words.items():
        if text is not None and not text.strip():
            raise PriorError(f"{name}: nothing is given; where it may be any, leave it out")
    return Conditions(
        () if elements is None else _elements(elements),
        {} if composition is None else composition_of(composition),
        sites=None if sites is None else _sites(sites),
        space_group=0 if space_group is None else _space_group(space_group),
        system=(crystal_system or "").strip().lower(),
        properties=properties_of(properties),
    )


def _elements(text: str) -> tuple[int, ...]:
    try:
        numbers = {atomic_number(part) for part in text.replace("-", ",").split(",") if part.strip()}
    except ValueError as error:
        raise PriorError(f"elements {text}: {error}") from error
    if not numbers:
        raise PriorError(f"elements {text!r}: there is none; write them as in Ti,O")
    return tuple(sorted(numbers))


def composition_of(text: str) -> dict[int, int]:
    """Read a formula of whole numbers: atoms of each element, by atomic number.

    Raises
    ------
    PriorError
        Another text.
    """
    from ase.formula import Formula

    try:
        counts = Formula("".join(text.split())).count()
    except ValueError as error:
        raise PriorError(f"{text}: no formula of whole numbers, such as TiO2") from error
    if not counts:
        raise PriorError(f"{text}: no formula of whole numbers, such as TiO2")
    try:
        return {atomic_number(symbol): count for symbol, count in counts.items()}
    except ValueError as error:
        raise PriorError(f"{text}: {error}") from error


def _sites(text: str) -> tuple[int, int]:
    low, dash, high = text.replace("–", "-").partition("-")
    if not low.strip().isdecimal() or (dash and not high.strip().isdecimal()):
        raise PriorError(f"sites {text}: write a number, or a range as 6-20")
    return int(low), int(high if dash else low)


def _space_group(text: str) -> int:
    """Number of a space group, by its symbol in any spelling and setting that files have."""
    from xtalcodec.io.symmetry.space_groups import Named, candidates

    if text.strip().isdecimal() and 1 <= int(text) <= 230:
        return int(text)
    settings = candidates(Named(text))
    numbers = {one.number for one in settings if one.standard} or {one.number for one in settings}
    if len(numbers) != 1:
        named = f"the symbol of {' and '.join(map(str, sorted(numbers)))}" if numbers else "no symbol as Fm-3m"
        raise PriorError(f"space group {text}: no number from 1 to 230, and {named}")
    return numbers.pop()


def properties_of(words: Sequence[str]) -> dict[str, float]:
    """Read properties and their values.

    Raises
    ------
    PriorError
        Not a name and a number; two values of one property.
    """
    values: dict[str, float] = {}
    for name, value in map(property_of, words):
        if values.setdefault(name, value) != value:
            raise PriorError(f"{name} cannot be both {values[name]:g} and {value:g}")
    return values


def property_of(text: str) -> tuple[str, float]:
    """Read `band_gap=1.5`.

    Raises
    ------
    PriorError
        Not a name and a number.
    """
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise PriorError(f"property {text}: write name=number, as in band_gap=1.5")
    return name.strip(), number
