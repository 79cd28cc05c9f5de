"""Crystals whose cell is strained before they are encoded."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal, CrystalError

VOIGT = (0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)
"""Entries of a strain in Voigt's order: xx, yy, zz, yz, xz, xy."""

LARGEST = 0.5
"""Stretch or compression along any axis, at most; crystals bear some hundredths."""


def strain_of(text: str, seed: int = 0) -> Float[np.ndarray, "3 3"]:
    """Read a strain: a symmetric matrix in the Cartesian axes of the cell.

    Parameters
    ----------
    text
        "0.02": as much along every axis; "0.01,0,0,0,0,0.02": Voigt's order, of which the last three are shears γ,
        twice the entry of the matrix; "random:0.02": six such numbers, normally distributed with this deviation.
    seed
        Of a random one.

    Raises
    ------
    ValueError
        Another text.
    """
    word, colon, size = text.partition(":")
    try:
        if colon and word.strip() == "random":
            six = float(size) * np.random.default_rng(seed).standard_normal(6)
        else:
            values = [float(part) for part in text.split(",")]
            six = np.array(values * 3 + [0.0] * 3 if len(values) == 1 else values)
    except ValueError:
        six = np.array([])
    if six.shape != (6,) or not np.isfinite(six).all():
        raise ValueError(
            f"{text!r} is no strain: write one number (0.02), six in Voigt's order (0.01,0,0,0,0,0.02), or random:0.02"
        )
    strain = np.zeros((3, 3))
    for (i, j), value in zip(VOIGT, six, strict=True):
        strain[i, j] = strain[j, i] = value if i == j else value / 2
    return strain


def strained(crystal: Crystal, strain: Float[np.ndarray, "3 3"]) -> Crystal:
    """Return the crystal on its strained cell, with the same fractional coordinates.

    Raises
    ------
    CrystalError
        A strain beyond `LARGEST`.
    """
    furthest = float(abs(np.linalg.eigvalsh(strain)).max())
    if furthest > LARGEST:
        raise CrystalError(
            f"{crystal.called}: a strain of {furthest:g} is one of {100 * furthest:g} %, more than "
            f"{100 * LARGEST:g} %; 0.02 is 2 %"
        )
    name = f"{crystal.called}-strained"
    lattice = crystal.lattice @ (np.eye(3) + strain)
    return replace(crystal.without_properties(), lattice=lattice, name=name)
