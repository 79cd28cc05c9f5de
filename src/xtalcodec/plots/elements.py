"""How an element looks in every picture: its colour and its size."""

import numpy as np
from jaxtyping import Float, Int


def hex_color(z: int) -> str:
    """Jmol's colour as CSS writes it; Jmol's table ends at Mt (109), whose pink the heavier share."""
    from ase.data.colors import jmol_colors

    red, green, blue = np.round(255 * jmol_colors[min(z, len(jmol_colors) - 1)]).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def radius(z: int) -> float:
    """Covalent radius in Å (Cordero et al. 2008).

    ASE's table puts 0.2 where it knows none (Z > 96), which is no atom's.
    """
    from ase.data import covalent_radii

    return round(float(covalent_radii[z]), 2) if z < len(covalent_radii) and covalent_radii[z] > 0.25 else 1.7


def symbol(z: int) -> str:
    """Name of the element in two letters."""
    from ase.data import chemical_symbols

    return chemical_symbols[z]


def colors(numbers: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, "atoms 3"]:
    """Red, green and blue of every atom, 0 to 1."""
    code = [hex_color(int(z)) for z in numbers]
    return np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in code]).reshape(-1, 3)


def radii(numbers: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"]:
    """Covalent radius of every atom, Å."""
    return np.array([radius(int(z)) for z in numbers], dtype=np.float64)
