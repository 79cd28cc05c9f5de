"""How elements look in every picture: their colour, and their order on a site that they share."""

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import VACANCY


def hex_color(z: int) -> str:
    """Jmol's colour as CSS writes it; Jmol's table ends at Mt (109), whose pink the heavier share."""
    from ase.data.colors import jmol_colors

    red, green, blue = np.round(255 * jmol_colors[min(z, len(jmol_colors) - 1)]).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def colors(numbers: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, "atoms 3"]:
    """Red, green and blue of every atom, 0 to 1."""
    code = [hex_color(int(z)) for z in numbers]
    return np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in code]).reshape(-1, 3)


def in_order(shares: Float[np.ndarray, " 119"]) -> list[int]:
    """Z of what is on a site, in the order of its sectors: the largest share first; what is empty, as Z 0, last.

    Shares that are the same but for decoding's error are in the order of Z.
    """
    return sorted(np.flatnonzero(shares).tolist(), key=lambda z: (z == VACANCY, -round(float(shares[z]), 2)))
