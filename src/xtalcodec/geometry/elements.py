"""Names, sizes and masses of the elements."""

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import Crystal

G_PER_CM3 = 1.66053906660
"""Of 1 u/Å³ (CODATA 2018)."""


def symbol(z: int) -> str:
    """Name of the element in two letters."""
    from ase.data import chemical_symbols

    return chemical_symbols[z]


def atomic_number(symbol: str) -> int:
    """Number of the element that a text names, as in Ti.

    Raises
    ------
    ValueError
        None is called that.
    """
    from ase.data import atomic_numbers

    number = atomic_numbers.get(symbol.strip(), 0)
    if not number:
        raise ValueError(f"there is no element {symbol.strip()!r}")
    return number


def radius(z: int) -> float:
    """Covalent radius in Å (Cordero et al. 2008).

    ASE's table puts 0.2 where it knows none (Z > 96), which is no atom's.
    """
    from ase.data import covalent_radii

    return round(float(covalent_radii[z]), 2) if z < len(covalent_radii) and covalent_radii[z] > 0.25 else 1.7


def radii(numbers: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"]:
    """Covalent radius of every atom, Å."""
    return np.array([radius(int(z)) for z in numbers], dtype=np.float64)


def density(crystal: Crystal) -> float:
    """Mass density in g/cm³."""
    from ase.data import atomic_masses

    masses = atomic_masses[1 : len(crystal.content)]
    return G_PER_CM3 * float(crystal.content[1 : len(masses) + 1] @ masses) / crystal.volume


def group(z: int) -> int:
    """Column of the periodic table, 1 to 18; lanthanides and actinides are in the third."""
    from pymatgen.core import Element

    return int(Element.from_Z(z).group)


def cell_in_table(z: int) -> tuple[int, int]:
    """Row and column of an element in the usual drawing of the periodic table, both from 1.

    Lanthanides (La to Lu) are in row 8 and actinides (Ac to Lr) in row 9, in columns 3 to 17.
    """
    for first, row in ((57, 8), (89, 9)):
        if first <= z < first + 15:
            return row, 3 + z - first
    noble = (2, 10, 18, 36, 54, 86)
    return 1 + sum(z > gas for gas in noble), group(z)
