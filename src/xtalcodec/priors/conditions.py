"""What samples are asked to be."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import gcd, isfinite

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.elements import symbol
from xtalcodec.geometry.group_on_cell import smallest_orbit
from xtalcodec.geometry.symmetry import SYMPREC, SYSTEMS, crystal_system, space_group_number
from xtalcodec.priors.about import PriorError

NAMES = tuple(name for _, name in SYSTEMS)
"""Crystal systems, in the order of their numbers, which begin with 1."""

QUANTITIES = {
    "density": "Density, g/cm³",
    "formation_energy_per_atom": "Formation energy, eV/atom",
    "band_gap": "Band gap, eV",
    "e_above_hull": "Energy above hull, eV/atom",
}
"""Properties by their usual names, in words and with units; others are in the units of the data that were learnt."""
NOT_NEGATIVE = ("density", "band_gap", "e_above_hull")
"""Those that are never below 0."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a prior can make."""

    elements: tuple[int, ...]
    """Atomic numbers that it has seen, ascending."""
    most_elements: int
    most_sites: int
    properties: tuple[str, ...]
    """Names of what can be asked for."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Any subset of these; what is not said may be anything."""

    elements: tuple[int, ...] = ()
    """Atomic numbers: just these elements, each at least once."""
    composition: Mapping[int, int] = field(default_factory=dict)
    """Atoms of each element in a formula unit, by atomic number: cells hold a whole number of units."""
    holding: Mapping[int, int] = field(default_factory=dict)
    """Atoms of each element that every cell holds at least, by atomic number: those that are there already."""
    sites: tuple[int, int] | None = None
    """Least and most sites in the primitive cell."""
    space_group: int = 0
    """Number in International Tables A; 0 for any."""
    system: str = ""
    """Crystal system; empty for any."""
    properties: Mapping[str, float] = field(default_factory=dict)
    """Value by name."""

    def check(self, limits: Limits) -> None:
        """Refuse what contradicts itself, and what a prior cannot make.

        Raises
        ------
        PriorError
            With what would do.
        """
        named = {*self.elements, *self.composition, *self.holding}
        if words := sorted(str(z) for z in named if isinstance(z, str)):
            raise PriorError(f"elements are given by their atomic numbers, not as {', '.join(words)}")
        if self.composition and self.elements and set(self.elements) != set(self.composition):
            raise PriorError("elements and composition name different elements: give one of them")
        if self.elements and (others := [symbol(z) for z in self.holding if z not in self.elements]):
            raise PriorError(f"{', '.join(others)} is to be there, and is none of the elements that are asked for")
        asked = sorted(named)
        if strange := [symbol(z) for z in asked if z not in limits.elements]:
            raise PriorError(f"the prior never saw {', '.join(strange)} in training")
        if len(asked) > limits.most_elements:
            raise PriorError(f"{len(asked)} elements are asked for; this prior makes at most {limits.most_elements}")
        self._check_sites(limits)
        if not 0 <= self.space_group <= 230:
            raise PriorError(f"there is no space group {self.space_group}: 1 to 230")
        if self.space_group and self.system and crystal_system(self.space_group) != self.system:
            raise PriorError(f"space group {self.space_group} is {crystal_system(self.space_group)}, not {self.system}")
        if self.system and self.system not in NAMES:
            raise PriorError(f"there is no crystal system {self.system!r}: one of {', '.join(NAMES)}")
        self._check_room(limits)
        self._check_properties(limits)

    def _check_room(self, limits: Limits) -> None:
        """Refuse a space group whose smallest orbit is more than an element can have of the sites."""
        most = self.allowed(limits)[1]
        rarest = min(self.formula_unit.values(), default=0)
        room = rarest * (most // self.unit) if self.unit else most // max(1, len(self.least))
        if self.space_group and (orbit := smallest_orbit(self.space_group)) > room:
            raise PriorError(
                f"space group {self.space_group} makes at least {orbit} sites of one in a primitive cell; of an "
                f"element there are at most {room} on {most} sites here"
            )

    def _check_properties(self, limits: Limits) -> None:
        for name, value in self.properties.items():
            if name not in limits.properties:
                raise PriorError(f"this prior knows no {name!r}: one of {', '.join(limits.properties)}")
            if not isfinite(value):
                raise PriorError(f"{name} is asked to be {value}, which is no number")
            if name in NOT_NEGATIVE and value < 0:
                raise PriorError(f"{name} is asked to be {value:g}, and is never negative")

    def _check_sites(self, limits: Limits) -> None:
        low, high = self.sites or (1, limits.most_sites)
        if low > high:
            raise PriorError(f"from {low} to {high} sites: the first is the larger one")
        if low < 1:
            raise PriorError(f"a cell has at least one site, not {low}")
        if low > limits.most_sites:
            raise PriorError(f"{low} sites are asked for; this prior makes cells of 1 to {limits.most_sites}")
        if any(count < 1 for count in self.composition.values()):
            raise PriorError("a formula unit holds at least one atom of each of its elements")
        unit = self.unit
        if unit and not any(low <= n for n in range(unit, min(high, limits.most_sites) + 1, unit)):
            raise PriorError(
                f"no cell of {low} to {high} sites holds whole formula units of {unit} atoms; this prior makes cells "
                f"of 1 to {limits.most_sites} sites"
            )
        most = min(high, limits.most_sites)
        if (least := sum(self.least.values())) > most:
            raise PriorError(f"{least} atoms do not fit on {most} sites")
        if unit and not any(self._holds(n) for n in range(low, most + 1) if n % unit == 0):
            raise PriorError(
                f"no cell of {low} to {most} sites of this composition holds all {least} atoms that are to be there"
            )

    def met(self, crystal: Crystal) -> bool:
        """Tell whether a crystal has the elements, composition, number of sites and symmetry that are asked for.

        Properties are not looked at.
        """
        return self.met_by_atoms(crystal) and self.met_by_symmetry(crystal)

    def met_by_atoms(self, crystal: Crystal) -> bool:
        """Tell whether a cell has the elements, composition and number of sites that are asked for."""
        low, high = self.sites or (1, len(crystal))
        share = Counter({z: n * len(crystal) for z, n in self.formula_unit.items()})
        return (
            (not self.elements or tuple(crystal.elements) == tuple(sorted(self.elements)))
            and (not self.unit or share == Counter({z: n * self.unit for z, n in crystal.holding.items()}))
            and all(crystal.holding.get(z, 0) >= n for z, n in self.holding.items())
            and low <= len(crystal) <= high
        )

    def met_by_symmetry(self, crystal: Crystal) -> bool:
        """Tell whether a crystal has the space group and crystal system that are asked for, within `SYMPREC`."""
        group = space_group_number(crystal, SYMPREC) if self.space_group or self.system else 0
        return self.space_group in (0, group) and self.system in ("", crystal_system(group) if group else "")

    def _holds(self, sites: int) -> bool:
        """Whether a cell of so many sites has all atoms that it is to hold at least, where a composition is asked."""
        there = {z: count * sites // self.unit for z, count in self.formula_unit.items()}
        return all(there.get(z, 0) >= count for z, count in self.least.items())

    def allowed(self, limits: Limits) -> tuple[int, int]:
        """Least and most sites."""
        low, high = self.sites or (1, limits.most_sites)
        return low, min(high, limits.most_sites)

    @property
    def least(self) -> dict[int, int]:
        """Atoms of each element that a cell holds at least, ascending by atomic number."""
        wanted = {z: max(1, self.holding.get(z, 0)) for z in self.elements} | dict(self.holding)
        return {z: wanted[z] for z in sorted(wanted)}

    @property
    def unit(self) -> int:
        """Atoms in the smallest formula unit; 0 where no composition is asked for."""
        counts = list(self.composition.values())
        return sum(counts) // gcd(*counts) if counts else 0

    @property
    def formula_unit(self) -> dict[int, int]:
        """Atoms of each element in the smallest formula unit, ascending by atomic number."""
        common = gcd(*self.composition.values()) if self.composition else 1
        return {z: self.composition[z] // common for z in sorted(self.composition)}
