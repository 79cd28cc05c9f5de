"""What samples are asked to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import gcd

from xtalcodec.geometry.elements import symbol
from xtalcodec.geometry.symmetry import crystal_system
from xtalcodec.priors.base import PriorError
from xtalcodec.priors.flow.facts import NAMES
from xtalcodec.priors.flow.settings import FlowConfig


@dataclass(frozen=True, slots=True)
class Conditions:
    """Any subset of these; what is not said may be anything."""

    elements: tuple[int, ...] = ()
    """Atomic numbers: just these elements, each at least once."""
    composition: Mapping[int, int] = field(default_factory=dict)
    """Atoms of each element in a formula unit, by atomic number: cells hold a whole number of units."""
    sites: tuple[int, int] | None = None
    """Least and most sites in the primitive cell."""
    space_group: int = 0
    """Number in International Tables A; 0 for any."""
    system: str = ""
    """Crystal system; empty for any."""
    properties: Mapping[str, float] = field(default_factory=dict)
    """Value by name."""

    def check(self, config: FlowConfig, known: set[int]) -> None:
        """Refuse what contradicts itself, and what this prior cannot make.

        Parameters
        ----------
        config
            Of the prior.
        known
            Atomic numbers that the codec can decode and the prior has seen.

        Raises
        ------
        PriorError
            With what would do.
        """
        if self.composition and self.elements and set(self.elements) != set(self.composition):
            raise PriorError("elements and composition name different elements: give one of them")
        asked = sorted({*self.elements, *self.composition})
        if strange := [symbol(z) for z in asked if z not in known]:
            raise PriorError(f"the prior never saw {', '.join(strange)} in training")
        if len(asked) > config.most_elements:
            raise PriorError(f"{len(asked)} elements are asked for; this prior makes at most {config.most_elements}")
        self._check_sites(config)
        if self.space_group and self.system and crystal_system(self.space_group) != self.system:
            raise PriorError(f"space group {self.space_group} is {crystal_system(self.space_group)}, not {self.system}")
        if self.system and self.system not in NAMES:
            raise PriorError(f"there is no crystal system {self.system!r}: one of {', '.join(NAMES)}")
        if not 0 <= self.space_group <= 230:
            raise PriorError(f"there is no space group {self.space_group}: 1 to 230")
        for name in self.properties:
            if name not in config.properties:
                raise PriorError(f"this prior knows no {name!r}: one of {', '.join(config.properties)}")

    def _check_sites(self, config: FlowConfig) -> None:
        low, high = self.allowed(config)
        if low > high:
            raise PriorError(f"from {low} to {high} sites: the first is the larger one")
        if low > config.most_sites:
            raise PriorError(f"{low} sites are asked for; this prior makes cells of 1 to {config.most_sites}")
        if any(count < 1 for count in self.composition.values()):
            raise PriorError("a formula unit holds at least one atom of each of its elements")
        unit = self.unit
        if unit and not any(low <= n <= high for n in range(unit, config.most_sites + 1, unit)):
            raise PriorError(
                f"no cell of {low} to {high} sites holds whole formula units of {unit} atoms; this prior makes cells "
                f"of 1 to {config.most_sites} sites"
            )
        if self.elements and high < len(self.elements):
            raise PriorError(f"{len(self.elements)} elements do not fit on {high} sites")

    def allowed(self, config: FlowConfig) -> tuple[int, int]:
        """Least and most sites."""
        low, high = self.sites or (1, config.most_sites)
        return low, min(high, config.most_sites) if self.sites is None or high >= low else high

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
