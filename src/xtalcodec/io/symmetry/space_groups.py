"""Settings of space groups by what files call them, from the tables of gemmi (564 settings) and spglib (530).

No symbol is from memory: a name leads to the settings that a table lists under it, the cell and a number
leave some of them, and where more than one is left the crystal is refused. What is added are rules of
spelling: a short monoclinic symbol leaves out the 1 of the other axes and means unique axis b where the cell
does not tell (International Tables A, 2.1.3.4); cubic groups were once written without the bar (P m 3 m).
"""

import functools
import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import CrystalError
from xtalcodec.io.symmetry.operations import Operations, from_gemmi, misfit

_ICSD = {"s": "1", "z": "2"}
"""Behind a symbol: origin choice 1 (Standard) and 2 (Zentrum), as ICSD writes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of one space group."""

    number: int
    """Of International Tables A, 1 to 230."""
    symbol: str
    """Hermann-Mauguin symbol, with :1, :2, :H or :R where it has several origins or axes."""
    hall: str
    """Hall symbol, which gives the operations."""
    codes: frozenset[str]
    """What tells it from others of its symbol: 1, 2, h, r, b1, cab, …"""
    standard: bool
    """Whether it is the group's own in International Tables."""
    unique_b: bool
    """Whether it is not monoclinic on another axis than b."""

    @property
    def operations(self) -> Operations:
        """The group's operations in this setting."""
        import gemmi

        return from_gemmi(gemmi.symops_from_hall(self.hall))


@dataclass(frozen=True, slots=True)
class Named:
    """Space group as a file names it."""

    symbol: str | None = None
    """Hermann-Mauguin."""
    hall: str | None = None
    number: int | None = None
    code: str | None = None
    """Of the setting: b1, cab, H, 2, … (`_space_group_IT_coordinate_system_code`)."""

    @property
    def text(self) -> str:
        """Name of the space group for messages."""
        return repr((self.symbol or str(self.number))[:30])


def resolve(named: Named, metric: Float[np.ndarray, "3 3"]) -> tuple[Operations, str]:
    """Find the operations of a space group that is only named, and say how.

    Parameters
    ----------
    named
        What the file says; its Hall symbol comes first, then the Hermann-Mauguin symbol, then the number.
    metric
        Metric tensor of the cell in Å²; it tells hexagonal from rhombohedral axes, and the unique axis.

    Raises
    ------
    CrystalError
        A name that no table has, that is ambiguous (the message says between what), or that contradicts another.
    """
    if named.hall and (found := _by_hall(named)):
        return found, f"operations from the table, for Hall symbol {named.hall[:30]!r}"
    settings = candidates(named)
    if not settings:
        raise CrystalError(f"it lists no symmetry operations, and its space group {named.text} is unknown")
    errors = [misfit(setting.operations, metric) for setting in settings]
    settings = [s for s, error in zip(settings, errors, strict=True) if error <= min(0.02, min(errors) + 1e-3)]
    if not settings:
        raise CrystalError(f"its symmetry operations do not fit its cell: it has not that of space group {named.text}")
    chosen = _preferred(settings, named)
    if len(chosen) > 1:
        choices = " or ".join(setting.symbol for setting in chosen[:6])
        origins = len({setting.symbol.partition(":")[0] for setting in chosen}) == 1
        what = "has two choices of origin" if origins else "is ambiguous"
        raise CrystalError(f"it lists no symmetry operations, and space group {named.text} {what}: {choices}")
    return chosen[0].operations, f"operations from the table, for {chosen[0].symbol}"


def candidates(named: Named) -> list[Setting]:
    """Return every setting that a symbol, or else a number, may mean; none where no table has it.

    Raises
    ------
    CrystalError
        A symbol and a number of two space groups.
    """
    if named.symbol is None:
        settings = [s for s in _table() if s.number == named.number]
    else:
        settings = _by_symbol(named.symbol)
        numbers = sorted({s.number for s in settings})
        if settings and named.number is not None:
            settings = [s for s in settings if s.number == named.number]
            if not settings:
                belongs = " or ".join(map(str, numbers))
                raise CrystalError(
                    f"its space group's symbol {named.text} is number {belongs}, its number says {named.number}"
                )
    if named.code and (coded := [s for s in settings if named.code.lower() in s.codes]):
        return coded
    return settings


def _preferred(settings: list[Setting], named: Named) -> list[Setting]:
    """Apply conventions: a number alone means the standard setting, a short symbol unique axis b."""
    if named.symbol is None and (standard := [s for s in settings if s.standard]):
        names = {s.symbol.partition(":")[0] for s in standard}
        return [s for s in settings if s.symbol.partition(":")[0] in names]  # both origins
    return [s for s in settings if s.unique_b] or settings


def _by_hall(named: Named) -> Operations | None:
    """Operations of a Hall symbol; None where it is none and another name is there."""
    import gemmi

    text = " ".join(re.sub(r"[_~]", " ", named.hall or "").split())
    head = 2 if text.startswith("-") else 1
    for spelling in (text, text[:head].upper() + text[head:].lower()):
        try:
            group = gemmi.symops_from_hall(spelling)
            break
        except (RuntimeError, ValueError):
            continue
    else:
        if named.symbol is None and named.number is None:
            raise CrystalError(f"it lists no symmetry operations, and its Hall symbol {text[:30]!r} is unknown")
        return None
    operations = from_gemmi(group)
    own = number_of(operations)
    others = {s.number for s in _by_symbol(named.symbol)} if named.symbol else set()
    if own and named.number not in (None, own):
        raise CrystalError(f"its Hall symbol {text[:30]!r} is space group {own}, its number says {named.number}")
    if own and others and own not in others:
        raise CrystalError(f"its Hall symbol {text[:30]!r} is space group {own}, its symbol {named.text} is not")
    return operations


def number_of(operations: Operations) -> int | None:
    """Return the space group's number of operations in any setting; None where spglib finds none."""
    import spglib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its errors will be raised one day
        found = spglib.get_spacegroup_type_from_symmetry(
            np.round(operations.rotations).astype(np.intc), operations.shifts, symprec=1e-3
        )
    return found.number if found else None


def _spglibs() -> list[Any]:
    """Return spglib's table, by Hall number."""
    import spglib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its errors will be raised one day
        return [spglib.get_spacegroup_type(hall_number) for hall_number in range(1, 531)]


@functools.cache
def _table() -> tuple[Setting, ...]:
    """Return all settings of gemmi's table, with spglib's codes."""
    import gemmi

    codes: dict[str, set[str]] = {}
    for entry in _spglibs():
        codes.setdefault(_gemmis_hall(entry.hall_symbol), set()).add(entry.choice)
    found = []
    for group in gemmi.spacegroup_table():
        own = {code.strip("\0").lower() for code in (group.ext, group.qualifier, *codes.get(group.hall, ()))} - {""}
        unique_b = group.monoclinic_unique_axis() in ("b", "\0")
        standard = group.is_reference_setting()
        found.append(Setting(group.number, group.xhm(), group.hall, frozenset(own), standard, unique_b))
    return tuple(found)


@functools.cache
def _names() -> dict[str, tuple[Setting, ...]]:
    """Return every spelling of a symbol, without suffix, → the settings it may mean."""
    import gemmi

    found: dict[str, dict[str, Setting]] = {}

    def add(name: str, setting: Setting) -> None:
        found.setdefault(_key(name), {})[setting.hall] = setting

    by_hall = {setting.hall: setting for setting in _table()}
    for setting, group in zip(_table(), gemmi.spacegroup_table(), strict=True):
        for name in (group.hm, group.short_name()):
            add(name, setting)
        words = group.hm.split()
        if 3 <= group.number <= 15:
            add(" ".join(word for word in words if word != "1"), setting)
        if group.number >= 195:
            add(group.hm.replace("-3", "3"), setting)
    for entry in _spglibs():
        own = by_hall.get(_gemmis_hall(entry.hall_symbol))
        if own is None:
            continue
        spellings = entry.international.split("=")
        for name in (entry.international_full, *spellings[3 <= entry.number <= 15 :]):
            add(name, own)
    return {key: tuple(settings.values()) for key, settings in found.items()}


@functools.cache
def _gemmis_hall(hall: str) -> str:
    """Return the Hall symbol under which gemmi's table has the operations of this one."""
    import gemmi

    if any(group.hall == hall for group in gemmi.spacegroup_table()):
        return hall
    group = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(hall))
    return group.hall if group is not None else hall


def _key(symbol: str) -> str:
    return re.sub(r"[\s_~()'\"]", "", symbol).casefold()


def _by_symbol(symbol: str) -> list[Setting]:
    """Return the settings that a Hermann-Mauguin symbol in any spelling may mean."""
    text = re.sub(r"\(\s*no\.?.*\)|\\?bar\s*\{?\s*([1346])\s*\}?", r"-\1" if "bar" in symbol else "", symbol)
    core, _, suffix = text.partition(":")
    names = _names()
    key, code = _key(core), _key(suffix).removeprefix("o") if suffix.strip().lower() in ("o1", "o2") else _key(suffix)
    if key not in names and key[:1] == "h" and f"r{key[1:]}" in names:
        key, code = f"r{key[1:]}", "h"
    if key not in names and not code and key[:-1] in names and key[-1:] in ("h", "r", "s", "z"):
        key, code = key[:-1], _ICSD.get(key[-1], key[-1])
    settings = list(names.get(key, ())) or _gemmis_own(core)
    return [s for s in settings if code in s.codes] if code else settings


def _gemmis_own(core: str) -> list[Setting]:
    """Ask gemmi, which knows symbols of old and new editions (A e m 2 for A b m 2)."""
    import gemmi

    group = gemmi.find_spacegroup_by_name(core.strip()) if core.strip(" 0") else None  # gemmi's number 0 is P 1
    return [s for s in _table() if group is not None and s.symbol.partition(":")[0] == group.hm]
