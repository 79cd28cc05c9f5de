"""What is known of crystals, as tensors: what a flow is told of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.elements import density
from xtalcodec.geometry.symmetry import SYMPREC, crystal_system, space_group_number
from xtalcodec.priors.conditions import NAMES, Conditions
from xtalcodec.priors.plan import Composition

SYMMETRY = 0.92
"""How often training tells the crystal system, and how often then the space group."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is said of each crystal of a batch; 0, and NaN of a property, say nothing."""

    elements: Int[Tensor, "b e"]
    """Atomic numbers, ascending; 0 after the last."""
    counts: Int[Tensor, "b e"]
    """Sites of each element in the cell."""
    sites: Int[Tensor, " b"]
    space_group: Int[Tensor, " b"]
    """Number in International Tables A."""
    system: Int[Tensor, " b"]
    """1 to 7: triclinic to cubic."""
    properties: Float[Tensor, "b p"]
    """In the order of the settings and the units of the data."""

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.sites)

    def __getitem__(self, rows: "Tensor | slice | list[int]") -> "Facts":
        """Return some of the crystals."""
        return self._each(lambda values: values[rows])

    def to(self, device: torch.device) -> "Facts":
        """Return the same on a device."""
        return self._each(lambda values: values.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Facts":
        """Change every table in the same way."""
        return replace(self, **{f.name: change(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def nothing(cls, n: int, elements: int, properties: int) -> "Facts":
        """Say nothing of so many crystals.

        Parameters
        ----------
        n
            Crystals.
        elements
            Most elements of one.
        properties
            How many properties there are.
        """
        table, row = torch.zeros(n, elements, dtype=torch.long), torch.zeros(n, dtype=torch.long)
        unknown = torch.full((n, properties), torch.nan)
        return cls(table, table.clone(), row, row.clone(), row.clone(), unknown)

    def and_nothing(self) -> "Facts":
        """Return the facts, and after them as many crystals of which nothing is said."""
        nothing = Facts.nothing(len(self), self.elements.shape[1], self.properties.shape[1]).to(self.sites.device)
        return replace(
            self, **{f.name: torch.cat([getattr(self, f.name), getattr(nothing, f.name)]) for f in fields(self)}
        )

    @classmethod
    def asked_for(cls, asked: Conditions, n: int, elements: int, properties: Sequence[str]) -> "Facts":
        """Symmetry and properties that are asked of so many crystals.

        Parameters
        ----------
        asked
            What is asked.
        n
            Crystals.
        elements
            Most elements of one.
        properties
            Names of those that can be asked for.
        """
        facts = cls.nothing(n, elements, len(properties))
        facts.space_group[:] = asked.space_group
        if asked.space_group or asked.system:
            facts.system[:] = 1 + NAMES.index(asked.system or crystal_system(asked.space_group))
        for name, value in asked.properties.items():
            facts.properties[:, properties.index(name)] = value
        return facts

    def symmetric(self, groups: Sequence[int]) -> "Facts":
        """Return the same, and the space groups of crystals that have one: 0 changes nothing."""
        group = torch.tensor(groups)
        system = torch.tensor([_system(group) for group in groups])
        said = group > 0
        return replace(
            self,
            space_group=torch.where(said, group, self.space_group),
            system=torch.where(said, system, self.system),
        )

    def holding(self, compositions: Sequence[Composition]) -> "Facts":
        """Return the same, and what each cell holds."""
        elements, counts = torch.zeros_like(self.elements), torch.zeros_like(self.counts)
        for k, one in enumerate(compositions):
            elements[k, : len(one.elements)] = torch.tensor(one.elements)
            counts[k, : len(one.counts)] = torch.tensor(one.counts)
        return replace(self, elements=elements, counts=counts, sites=counts.sum(1))

    @classmethod
    def of(cls, crystals: Sequence[Crystal], elements: int, properties: Sequence[str]) -> "Facts":
        """Measure ordered crystals, and look up what is known of them.

        Parameters
        ----------
        crystals
            Of at most so many elements.
        elements
            Columns of the table.
        properties
            Names of what is looked up in `Crystal.properties`; `density` is computed.
        """
        nothing = cls.nothing(len(crystals), elements, len(properties))
        said = nothing.holding([Composition.of(crystal) for crystal in crystals])
        for k, crystal in enumerate(crystals):
            said.space_group[k] = number = space_group_number(crystal, SYMPREC)
            said.system[k] = _system(number)
            said.properties[k] = torch.tensor([_known(crystal, name) for name in properties])
        return said

    def hidden(self, dice: torch.Generator, unknown: float) -> "Facts":
        """Return part of the facts, at random: what training tells.

        Of a share of the crystals nothing is said; of the others, of the number of sites and of each property something
        in half of the cases, of symmetry in most: samples are mostly told theirs. Compositions are always told.

        Parameters
        ----------
        dice
            Random numbers.
        unknown
            Share of the crystals of which nothing is said.
        """
        device = self.elements.device
        some = (torch.rand(len(self), generator=dice) >= unknown).to(device)
        often = torch.full((3 + self.properties.shape[1],), 0.5)
        often[:2] = SYMMETRY
        told = (torch.rand(len(self), len(often), generator=dice) < often).to(device)
        group, system = some & told[:, 0] & told[:, 1], some & told[:, 0]
        return Facts(
            self.elements * some[:, None],
            self.counts * some[:, None],
            self.sites * (some & told[:, 2]),
            self.space_group * group,
            self.system * system,
            torch.where(some[:, None] & told[:, 3:], self.properties, torch.nan),
        )

    @property
    def asked(self) -> Bool[Tensor, " b"]:
        """Of which crystals anything is said."""
        numbers = (self.elements > 0).any(1) | (self.sites > 0) | (self.system > 0)
        return numbers | self.properties.isfinite().any(1)


def _system(number: int) -> int:
    """Crystal system of a space group, 1 to 7; 0 of none."""
    return 1 + NAMES.index(crystal_system(number)) if number else 0


def _known(crystal: Crystal, name: str) -> float:
    """A property, NaN where it is not known."""
    if name == "density":
        return density(crystal)
    value = crystal.properties.get(name)
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else float("nan")
