"""What `sample` is asked for, in words."""

from collections.abc import Sequence

from xtalcodec.priors.conditions import Conditions, PriorError


def conditions(
    elements: str | None,
    composition: str | None,
    sites: str | None,
    space_group: str | None,
    crystal_system: str | None,
    properties: Sequence[str],
) -> Conditions:
    """Read what is asked for.

    Parameters
    ----------
    elements
        "Ti,O".
    composition
        "TiO2".
    sites
        "6-20", or "6".
    space_group
        A number, or a symbol as "Fm-3m".
    crystal_system
        "cubic".
    properties
        "band_gap=1.5".

    Raises
    ------
    PriorError
        A word that means nothing.
    """
    return Conditions(
        _elements(elements) if elements else (),
        composition_of(composition) if composition else {},
        sites=_sites(sites) if sites else None,
        space_group=_space_group(space_group) if space_group else 0,
        system=(crystal_system or "").lower(),
        properties=dict(_property(word) for word in properties),
    )


def _elements(text: str) -> tuple[int, ...]:
    from ase.data import atomic_numbers

    symbols = [part.strip() for part in text.replace("-", ",").split(",") if part.strip()]
    for symbol in symbols:
        if not atomic_numbers.get(symbol, 0):
            raise PriorError(f"--elements {text}: there is no element {symbol!r}")
    return tuple(sorted({atomic_numbers[symbol] for symbol in symbols}))


def composition_of(text: str, option: str = "--composition") -> dict[int, int]:
    """Read a formula of whole numbers: atoms of each element, by atomic number.

    Raises
    ------
    PriorError
        Another text.
    """
    from ase.data import atomic_numbers
    from ase.formula import Formula

    try:
        counts = Formula(text).count()
    except ValueError as error:
        raise PriorError(f"{option} {text}: no formula of whole numbers, such as TiO2") from error
    if strange := [symbol for symbol in counts if not atomic_numbers.get(symbol, 0)]:
        raise PriorError(f"{option} {text}: there is no element {strange[0]!r}")
    if not counts:
        raise PriorError(f"{option} {text}: no formula of whole numbers, such as TiO2")
    return {atomic_numbers[symbol]: count for symbol, count in counts.items()}


def _sites(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    if not low.strip().isdigit() or (dash and not high.strip().isdigit()):
        raise PriorError(f"--sites {text}: write a number, or a range as 6-20")
    return int(low), int(high if dash else low)


def _space_group(text: str) -> int:
    import moyopy

    if text.isdigit():
        return int(text)
    for number in range(1, 231):
        if moyopy.SpaceGroupType(number).hm_short.replace(" ", "") == text.replace(" ", ""):
            return number
    raise PriorError(f"--space-group {text}: no number from 1 to 230, and no symbol as Fm-3m")


def _property(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise PriorError(f"--property {text}: write name=number, as in band_gap=1.5") from None
