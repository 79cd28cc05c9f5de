"""Crystals: one (`Crystal`, NumPy, exact) and many (`CrystalBatch`, padded tensors)."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

HEAVIEST = 118
"""The last element of the periodic table; what a codec knows may end earlier."""

MIN_CELL_VOLUME = 1e-3
"""Å³. A flatter cell cannot hold an atom; its inverse is numerical noise."""


class CrystalError(ValueError):
    """A crystal that cannot be one: the message says which part and why."""


def wrapped(frac_coords: Float[np.ndarray, "*sites 3"]) -> Float[np.ndarray, "*sites 3"]:
    """Bring coordinates into [0, 1); in floating point, −1e-20 % 1 is 1, which is 0."""
    inside = frac_coords % 1.0
    return np.where(inside >= 1, 0.0, inside)


def minimum_image(apart: Float[np.ndarray, "*pairs 3"]) -> Float[np.ndarray, "*pairs 3"]:
    """Differences of fractional coordinates, each component brought into [−½, ½]: for a reduced cell, the shortest."""
    return apart - np.round(apart)


@dataclass(frozen=True, slots=True, eq=False)
class Crystal:
    """A fully ordered crystal structure in the setting it was given in.

    Raises
    ------
    CrystalError
        Numbers that are not finite, a flat cell, no site, an unknown atomic number.
    """

    lattice: Float[np.ndarray, "3 3"]
    """Rows are the cell vectors a, b, c, in Å."""
    frac_coords: Float[np.ndarray, "sites 3"]
    """Fractional coordinates as given, not wrapped; Cartesian = frac_coords @ lattice."""
    numbers: Int[np.ndarray, " sites"]
    """Atomic numbers Z of the species."""
    name: str = ""
    """What to call it in tables and messages: a material id or a file's name."""
    notes: tuple[str, ...] = ()
    """What reading it assumed: operations from tables, copies of a site merged, deuterium read as hydrogen."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """What is known beside the sites, JSON-like values by name: energies, ids; in the units of the source."""
    site_properties: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """One value for each site, by name: `magmom`, `charge`, `oxidation_state`, `forces`; vectors are Cartesian."""

    def __post_init__(self) -> None:
        """Bring the arrays to their types and refuse what is no crystal."""
        lattice = np.array(self.lattice, dtype=np.float64).reshape(3, 3)
        frac_coords = np.array(self.frac_coords, dtype=np.float64).reshape(-1, 3)
        numbers = np.array(self.numbers, dtype=np.int64).reshape(-1)
        for name, value in (("lattice", lattice), ("frac_coords", frac_coords), ("numbers", numbers)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        if not len(self.numbers):
            raise CrystalError("it has no sites")
        if len(self.numbers) != len(self.frac_coords):
            raise CrystalError(f"{len(self.numbers)} species for {len(self.frac_coords)} positions")
        if not np.isfinite(self.lattice).all():
            raise CrystalError("its lattice holds a number that is not finite")
        if not np.isfinite(self.frac_coords).all():
            raise CrystalError("a coordinate is not a finite number")
        if abs(self.lattice).max() > 1e4 or self.volume < MIN_CELL_VOLUME:
            raise CrystalError(f"its cell is impossible: volume {self.volume:.3g} Å³")
        if abs(self.frac_coords).max() > 1e6:
            raise CrystalError("a fractional coordinate is beyond a million cells away")
        if self.numbers.min() < 1 or self.numbers.max() > HEAVIEST:
            raise CrystalError(
                f"atomic numbers run from 1 to {HEAVIEST}, not {self.numbers.min()}…{self.numbers.max()}"
            )
        for name, values in self.site_properties.items():
            if len(values) != len(self.numbers):
                raise CrystalError(f"{len(values)} values of {name[:30]} for {len(self.numbers)} sites")

    def __len__(self) -> int:
        """Return the number of sites."""
        return len(self.numbers)

    @property
    def volume(self) -> float:
        """Volume of the cell in Å³."""
        return float(abs(np.linalg.det(self.lattice)))

    @property
    def formula(self) -> str:
        """Reduced formula in the field's usual order of elements, such as MgAl2O4."""
        from pymatgen.core import Composition

        symbols, counts = np.unique(self.symbols, return_counts=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # helium, neon and argon have no electronegativity to sort them by
            return Composition(dict(zip(symbols.tolist(), counts.tolist(), strict=True))).reduced_formula

    @property
    def symbols(self) -> list[str]:
        """Chemical symbols of the sites."""
        from ase.data import chemical_symbols

        return [chemical_symbols[z] for z in self.numbers]

    def shortest(self) -> float:
        """Shortest distance between two atoms in Å, images included.

        Of a Niggli-reduced cell it is exact where it is below half of the distance between opposite faces, and
        never less than the true one.
        """
        apart = minimum_image(self.frac_coords[:, None] - self.frac_coords)
        distance = np.linalg.norm(apart @ self.lattice, axis=-1)
        np.fill_diagonal(distance, np.linalg.norm(self.lattice, axis=1).min())  # of an atom from its own image
        return float(distance.min())

    def without_properties(self) -> "Crystal":
        """Return the crystal without what holds only for this cell, these species and this orientation."""
        return replace(self, properties={}, site_properties={})

    def translated(self, shift: Float[np.ndarray, "3"]) -> "Crystal":
        """Return the crystal with every site moved by `shift`, in fractional coordinates."""
        return replace(self, frac_coords=self.frac_coords + shift)

    def in_basis(self, basis: Int[np.ndarray, "3 3"]) -> "Crystal":
        """Return the same crystal on the cell vectors `basis @ lattice` (|det basis| = 1).

        Coordinates change with the inverse: x' = x @ basis⁻¹ (International Tables A, 5.1.3).
        """
        inverse = np.round(np.linalg.inv(basis))
        return replace(self, lattice=basis @ self.lattice, frac_coords=self.frac_coords @ inverse)

    @classmethod
    def from_pymatgen(cls, structure: "Structure", name: str = "") -> "Crystal":
        """Take an ordered pymatgen `Structure`; isotopes become their element.

        Raises
        ------
        CrystalError
            A disordered or partly occupied site (named), or a dummy species.
        """
        from pymatgen.core import DummySpecies

        for k, site in enumerate(structure):
            if not site.is_ordered:
                where = ", ".join(f"{x:.4f}" for x in site.frac_coords)
                raise CrystalError(f"site {k} ({site.species_string} at {where}) is disordered or partly occupied")
            if isinstance(site.specie, DummySpecies):  # their Z is a hash of the name
                raise CrystalError(f"site {k} holds {site.specie}, which is no element")
        numbers = np.array([site.specie.Z for site in structure], dtype=np.int64)
        return cls(structure.lattice.matrix, structure.frac_coords, numbers, name)

    @classmethod
    def from_ase(cls, atoms: "Atoms", name: str = "") -> "Crystal":
        """Take an ASE `Atoms` object that is periodic in all three directions.

        Raises
        ------
        CrystalError
            An object without a three-dimensional cell (a molecule, a slab).
        """
        if not atoms.pbc.all() or atoms.cell.rank < 3:
            raise CrystalError("it is not periodic in three directions (no full cell)")
        if "occupancy" in atoms.info and any(
            len(site) != 1 or any(abs(x - 1) > 1e-6 for x in site.values()) for site in atoms.info["occupancy"].values()
        ):
            raise CrystalError("a site is disordered or partly occupied")
        return cls(np.asarray(atoms.cell), atoms.get_scaled_positions(wrap=False), atoms.numbers, name)

    def to_pymatgen(self) -> "Structure":
        """Return a pymatgen `Structure` with the same cell, sites and order of sites."""
        from pymatgen.core import Structure

        return Structure(self.lattice, self.numbers.tolist(), self.frac_coords)

    def to_ase(self) -> "Atoms":
        """Return an ASE `Atoms` object, periodic in three directions."""
        from ase import Atoms

        return Atoms(numbers=self.numbers, scaled_positions=self.frac_coords, cell=self.lattice, pbc=True)
