"""One crystal: lattice, sites, and what is on them."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
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

OVERFULL = 1e-3
"""Occupancies of a site that sum to 1 within this much fill it: 0.333 + 0.333 + 0.333."""

SAME_SHARE = 0.005 + 1e-9
"""Occupancies that differ by no more are the same: files give two or three decimals."""

VACANCY = 0
"""Column of `Crystal.occupancies` that holds the share of a site that is empty."""


class CrystalError(ValueError):
    """A crystal that cannot be one: the message says which part and why."""


def check_periodic(directions: Iterable[Any]) -> None:
    """Refuse what does not repeat along all of its three cell vectors: a molecule, a slab."""
    if not all(directions):
        raise CrystalError("it is not periodic in three directions")


def alone(numbers: Int[np.ndarray, " sites"]) -> Float[np.ndarray, "sites 119"]:
    """Return the occupancies of sites that are each one element's."""
    return np.eye(HEAVIEST + 1)[numbers]


def shares_of_kinds(occupancy: Any, kinds: Sequence[int], numbers: Sequence[int]) -> list[list[tuple[int, float]]]:
    """Return the elements of sites and their occupancies from what ASE's reader of CIFs keeps of disordered crystals.

    Parameters
    ----------
    occupancy
        Symbols and their shares by the kind of a site, which is a number, or a text once it was written to a file.
    kinds, numbers
        Of each site, and the atomic number that it has in ASE, which is of one of its elements.

    Raises
    ------
    CrystalError
        No such mapping, or one that lacks a kind or has other elements.
    """
    from ase.data import atomic_numbers

    try:
        known = {str(k): [(atomic_numbers[s], float(x)) for s, x in site.items()] for k, site in occupancy.items()}
        shares = [known[str(kind)] for kind in kinds]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CrystalError("its occupancy does not map every kind of site to elements and their shares") from error
    if any(z not in dict(site) for z, site in zip(numbers, shares, strict=True)):
        raise CrystalError("its occupancy maps a site to other elements than it has")
    return shares


@dataclass(frozen=True, slots=True, eq=False)
class Crystal:
    """A crystal structure in the setting it was given in: ordered, or with sites that are shared or partly empty.

    Raises
    ------
    CrystalError
        Numbers that are not finite, a flat cell, no site, an unknown atomic number, occupancies that are no shares.
    """

    lattice: Float[np.ndarray, "3 3"]
    """Rows are the cell vectors a, b, c, in Å."""
    frac_coords: Float[np.ndarray, "sites 3"]
    """Fractional coordinates as given, not wrapped; Cartesian = frac_coords @ lattice."""
    numbers: Int[np.ndarray, " sites"]
    """Atomic numbers Z of the species; of a shared site, the element with the largest share."""
    name: str = ""
    """What to call it in tables and messages: a material id or a file's name."""
    notes: tuple[str, ...] = ()
    """What reading it assumed: operations from tables, copies of a site merged, deuterium read as hydrogen."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """What is known beside the sites, JSON-like values by name: energies, ids; in the units of the source."""
    site_properties: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """One value for each site, by name: `magmom`, `charge`, `oxidation_state`, `forces`; vectors are Cartesian."""
    occupancies: Float[np.ndarray, "sites 119"] | None = None
    """Of a disordered crystal, the share of each site that each element has, by its Z, and in column 0 the share that
    is empty; rows sum to 1. None where every site is one element's."""

    def __post_init__(self) -> None:
        """Bring the arrays to their types and refuse what is no crystal."""
        lattice = np.array(self.lattice, dtype=np.float64).reshape(3, 3)
        frac_coords = np.array(self.frac_coords, dtype=np.float64).reshape(-1, 3)
        numbers = np.array(self.numbers, dtype=np.int64).reshape(-1)
        for name, value in (("lattice", lattice), ("frac_coords", frac_coords), ("numbers", numbers)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        self._check()
        if self.occupancies is not None:
            object.__setattr__(self, "occupancies", self._shares(np.array(self.occupancies, dtype=np.float64)))

    def _shares(self, given: Float[np.ndarray, "sites 119"]) -> Float[np.ndarray, "sites 119"] | None:
        """Check occupancies against the sites; None where no site is shared or partly empty."""
        if given.shape != (len(self), HEAVIEST + 1):
            raise CrystalError(f"occupancies of shape {given.shape} for {len(self)} sites")
        if not np.isfinite(given).all() or given.min() < 0 or abs(given.sum(1) - 1).max() > 1e-6:
            raise CrystalError("its occupancies are no shares of its sites")
        largest = given[:, 1:].max(1)
        if (largest == 0).any() or (given[np.arange(len(self)), self.numbers] < largest).any():
            raise CrystalError("the species of a site is not the element with the largest share")
        if (largest == 1).all():
            return None
        given.setflags(write=False)
        return given

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
    def is_ordered(self) -> bool:
        """Whether every site is one element's, and full."""
        return self.occupancies is None

    @property
    def content(self) -> Float[np.ndarray, "119"]:
        """Atoms of each element in the cell, by Z; in column 0 what is empty."""
        if self.occupancies is not None:
            return self.occupancies.sum(0)
        return np.bincount(self.numbers, minlength=HEAVIEST + 1).astype(np.float64)

    @property
    def elements(self) -> list[int]:
        """Atomic numbers of what is in the cell, each once, ascending."""
        return [int(z) + 1 for z in np.flatnonzero(self.content[1:])]

    @property
    def holding(self) -> dict[int, int]:
        """Sites of each element by its atomic number, ascending; a shared site counts for its first element."""
        z, counts = np.unique(self.numbers, return_counts=True)
        return dict(zip(z.tolist(), counts.tolist(), strict=True))

    def shares(self) -> Float[np.ndarray, "sites 119"]:
        """Occupancies of the sites, of an ordered crystal too."""
        return alone(self.numbers) if self.occupancies is None else self.occupancies

    @property
    def volume(self) -> float:
        """Volume of the cell in Å³."""
        return float(abs(np.linalg.det(self.lattice)))

    @property
    def formula(self) -> str:
        """Reduced formula in the field's usual order of elements, such as MgAl2O4.

        Of a disordered crystal, Sr0.15La1.85CuO4: of the largest unit that divides the number of sites of every kind.
        """
        from ase.data import chemical_symbols
        from pymatgen.core import Composition

        content = (self.content / self._formula_units()).round(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # helium, neon and argon have no electronegativity to sort them by
            composition = Composition({chemical_symbols[z]: float(content[z]) for z in self.elements if content[z]})
            if self.is_ordered:
                return composition.reduced_formula
            return re.sub(r"(?<![\d.])1(?= |$)| ", "", composition.formula)

    @property
    def called(self) -> str:
        """Its name, or its formula where it has none."""
        return self.name or self.formula

    def _formula_units(self) -> int:
        """Formula units in the cell, of a disordered crystal."""
        return 1 if self.is_ordered else int(np.gcd.reduce(np.bincount(self.site_kinds())))

    def site_kinds(self, within: float = SAME_SHARE) -> Int[np.ndarray, " sites"]:
        """Return the same number, from 0, for sites that hold the same: as the first of them, within so much."""
        if self.occupancies is None:
            return np.unique(self.numbers, return_inverse=True)[1]
        kinds = np.full(len(self), -1)
        while (left := kinds < 0).any():
            alike = abs(self.occupancies - self.occupancies[left.argmax()]).max(1) <= within
            kinds[left & alike] = kinds.max() + 1
        return kinds

    @property
    def symbols(self) -> list[str]:
        """Chemical symbols of the sites."""
        from ase.data import chemical_symbols

        return [chemical_symbols[z] for z in self.numbers]

    def label(self, site: int) -> str:
        """What is on a site, as Na0.6K0.3."""
        from ase.data import chemical_symbols

        shares = sorted(self.sites_shares()[site], key=lambda pair: -round(pair[1], 2))
        return "".join(chemical_symbols[z] + (f"{x:.3g}" if x < 1 else "") for z, x in shares)

    def sites_shares(self) -> list[list[tuple[int, float]]]:
        """Elements of each site and their occupancies, by Z."""
        table = self.shares()
        return [[(int(z) + 1, float(row[z + 1])) for z in np.flatnonzero(row[1:])] for row in table]

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
        """Take a pymatgen `Structure`; isotopes become their element.

        Raises
        ------
        CrystalError
            A dummy species, occupancies that sum to more than 1, a slab.
        """
        from pymatgen.core import DummySpecies

        check_periodic(structure.lattice.pbc)
        shares = []
        for k, site in enumerate(structure):
            dummy = next((s for s in site.species if isinstance(s, DummySpecies)), None)
            if dummy is not None:  # their Z is a hash of the name
                raise CrystalError(f"site {k} holds {dummy}, which is no element")
            shares.append([(int(s.Z), float(x)) for s, x in site.species.items()])
        return cls.of_shares(structure.lattice.matrix, structure.frac_coords, shares, name)

    @classmethod
    def of_shares(
        cls,
        lattice: Float[np.ndarray, "3 3"],
        frac_coords: Float[np.ndarray, "sites 3"],
        shares: Sequence[Sequence[tuple[int, float]]],
        name: str = "",
        notes: tuple[str, ...] = (),
    ) -> "Crystal":
        """Make a crystal from the elements of each site and their occupancies; what is missing to 1 is empty.

        Parameters
        ----------
        lattice, frac_coords
            Rows in Å; fractions of them.
        shares
            Of each site, pairs of Z and occupancy; an element that comes twice (as its ions) has the sum.
        name, notes
            As of any crystal.

        Raises
        ------
        CrystalError
            A site without an element, an occupancy that is not above 0, a sum above 1.
        """
        table = np.zeros((len(shares), HEAVIEST + 1))
        for k, site in enumerate(shares):
            for z, share in site:
                if not 1 <= z <= HEAVIEST:
                    raise CrystalError(f"atomic numbers run from 1 to {HEAVIEST}, not {z}")
                if not share > 0:
                    raise CrystalError(f"site {k} has an occupancy of {share:g}")
                table[k, z] += share
            total = table[k].sum()
            if not 0 < total <= 1 + OVERFULL:
                raise CrystalError(f"the occupancies of site {k} sum to {total:g}")
            if abs(total - 1) <= OVERFULL:
                table[k] /= total
            table[k, VACANCY] = 1 - table[k, 1:].sum()
        table[:, VACANCY] = table[:, VACANCY].clip(0)
        return cls(lattice, frac_coords, table[:, 1:].argmax(1) + 1, name, notes, occupancies=table)

    @classmethod
    def from_ase(cls, atoms: "Atoms", name: str = "") -> "Crystal":
        """Take an ASE `Atoms` object that is periodic in all three directions.

        Raises
        ------
        CrystalError
            An object without a three-dimensional cell (a molecule, a slab), or occupancies that are none.
        """
        check_periodic([*atoms.pbc, atoms.cell.rank == 3])
        lattice, frac_coords = np.asarray(atoms.cell), atoms.get_scaled_positions(wrap=False)
        if "occupancy" not in atoms.info:
            return cls(lattice, frac_coords, atoms.numbers, name)
        kinds = atoms.arrays.get("spacegroup_kinds", np.arange(len(atoms)))
        shares = shares_of_kinds(atoms.info["occupancy"], kinds.tolist(), atoms.numbers.tolist())
        return cls.of_shares(lattice, frac_coords, shares, name)

    def to_pymatgen(self) -> "Structure":
        """Return a pymatgen `Structure` with the same cell, sites and order of sites."""
        from pymatgen.core import Structure

        if self.occupancies is None:
            return Structure(self.lattice, self.numbers.tolist(), self.frac_coords)
        return Structure(self.lattice, [dict(site) for site in self.sites_shares()], self.frac_coords)

    def to_ase(self) -> "Atoms":
        """Return an ASE `Atoms` object, periodic in all directions; occupancies as ASE's reader of CIFs keeps them."""
        from ase import Atoms
        from ase.data import chemical_symbols

        atoms = Atoms(numbers=self.numbers, scaled_positions=self.frac_coords, cell=self.lattice, pbc=True)
        if self.occupancies is not None:
            atoms.info["occupancy"] = {
                str(k): {chemical_symbols[z]: x for z, x in site} for k, site in enumerate(self.sites_shares())
            }
            atoms.set_array("spacegroup_kinds", np.arange(len(self)))
        return atoms
