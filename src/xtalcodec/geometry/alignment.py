"""How one cell is turned, and which of its equivalents is taken, so that it lies on another."""

from functools import cache
from itertools import product

import numpy as np
from jaxtyping import Float, Int


@cache
def unimodular() -> Int[np.ndarray, "bases 3 3"]:
    """Changes of basis of a reduced cell to equivalent ones nearby: entries −1, 0, 1, determinant 1; none first."""
    every = np.array(list(product((-1, 0, 1), repeat=9)), dtype=np.int64).reshape(-1, 3, 3)
    found = every[np.round(np.linalg.det(every)) == 1]
    return found[np.argsort(abs(found - np.eye(3)).sum((1, 2)), kind="stable")]


def orientation(
    a: Float[np.ndarray, "3 3"], b: Float[np.ndarray, "3 3"], bases: Int[np.ndarray, "bases 3 3"] | None = None
) -> tuple[Int[np.ndarray, "3 3"], Float[np.ndarray, "3 3"]]:
    """Basis U and rotation R that bring the cell of b nearest to that of a: U b R ≈ a in the sum of squares, Å².

    The best rotation of each basis is Kabsch's (1976). Of equally good ones the least rotation wins.

    Parameters
    ----------
    a, b
        Cell vectors in rows, right-handed.
    bases
        What U may be; if not given, all of `unimodular`.
    """
    choices = unimodular() if bases is None else bases
    u, s, vt = np.linalg.svd(np.swapaxes(choices @ b, 1, 2) @ a)
    rotations = u @ vt
    misfit = ((choices @ b) ** 2).sum((1, 2)) - 2 * s.sum(1)
    turned = 3 - np.trace(rotations, axis1=1, axis2=2)
    equal = misfit <= misfit.min() + 1e-6 * (a**2).sum()
    best = int(np.argmin(np.where(equal, np.round(turned, 6), np.inf)))
    return choices[best], rotations[best]
