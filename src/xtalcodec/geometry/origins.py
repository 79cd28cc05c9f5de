"""Where the origin of a space group may be among sites that nearly have its symmetry."""

import itertools

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.geometry.orbits import Operations

RESOLUTION = 1.2
"""Å: waves that are shorter are not looked at."""

WIDTH = 0.5
"""Å: standard deviation of the Gaussian of each site."""

ALIKE = 1e-4
"""Origins whose scores differ by less are taken for one: the group cannot tell them apart."""


def origins(
    places: Float[np.ndarray, "sites 3"],
    numbers: Int[np.ndarray, " sites"],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
    most: int,
) -> list[tuple[float, Float[np.ndarray, "3"]]]:
    """Return the likeliest origins, the best first, each with the share of the density that is as the group wants it.

    With the origin at o the group takes x to R (x − o) + t + o. Summed over elements and operations, the overlap of the
    density with what it is taken to is, by its Fourier coefficients,
    S(o) = Σ F(h) F(−Rᵀh) exp 2πi(h·t + (h − Rᵀh)·o): one inverse transform gives it at every o.

    Parameters
    ----------
    places, numbers
        Fractional coordinates and elements.
    operations
        Of the group, which the lattice has.
    lattice
        Rows in Å.
    most
        How many to return.
    """
    score = _scores(places, numbers, operations, lattice)
    found: list[tuple[float, Float[np.ndarray, 3]]] = []
    for value, at in _peaks(score):
        if all(abs(value - other) > ALIKE for other, _ in found):
            found.append((value, at))
        if len(found) == most:
            break
    return found


def _scores(
    places: Float[np.ndarray, "sites 3"],
    numbers: Int[np.ndarray, " sites"],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "x y z"]:
    """Share of the density that is symmetric, for origins on a grid."""
    most = np.floor(np.linalg.norm(lattice, axis=1) / RESOLUTION).astype(int) + 1
    box = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), -1).reshape(-1, 3)
    wave = np.linalg.norm(box @ np.linalg.inv(lattice).T, axis=1)
    coefficients = _coefficients(places, numbers, box) * np.exp(-2 * (np.pi * WIDTH * wave) ** 2)
    inside = (wave > 0) & (wave <= 1 / RESOLUTION)
    h, own = box[inside], coefficients[:, inside]
    size = 4 * most + 1
    summed = np.zeros(tuple(size), dtype=complex)
    for rotation, translation in zip(operations.rotations.astype(int), operations.translations, strict=True):
        partner = -h @ rotation
        there = np.ravel_multi_index(tuple((partner + most).T), tuple(2 * most + 1))
        value = (own * coefficients[:, there]).sum(0) * np.exp(2j * np.pi * (h @ translation))
        np.add.at(summed, tuple(((h + partner) % size).T), value)
    whole = len(operations.rotations) * (np.abs(own) ** 2).sum()
    score: Float[np.ndarray, "x y z"] = np.fft.ifftn(summed).real * size.prod() / max(whole, 1e-12)
    return score


def _coefficients(
    places: Float[np.ndarray, "sites 3"], numbers: Int[np.ndarray, " sites"], waves: Int[np.ndarray, "n 3"]
) -> np.ndarray:
    """Fourier coefficients of the sites of each element, of which all together count 1."""
    phases = np.exp(-2j * np.pi * (waves @ places.T))
    each = [phases[:, numbers == z].sum(1) / np.sqrt((numbers == z).sum()) for z in np.unique(numbers)]
    return np.stack(each)


def _peaks(score: Float[np.ndarray, "x y z"]) -> list[tuple[float, Float[np.ndarray, "3"]]]:
    """Local maxima on the torus, highest first, in fractions of its edges."""
    highest = np.ones(score.shape, dtype=bool)
    for step in itertools.product((-1, 0, 1), repeat=3):
        highest &= score >= np.roll(score, step, (0, 1, 2)) - 1e-12
    at, value = np.argwhere(highest) / score.shape, score[highest]
    return [(float(value[k]), at[k]) for k in np.argsort(-value, kind="stable")]
