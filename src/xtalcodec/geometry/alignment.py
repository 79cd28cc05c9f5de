"""How one cell is turned, and which of its equivalents is taken, so that it lies on another."""

from functools import cache
from itertools import product

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import polar
from scipy.spatial.transform import Rotation


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


def polar_rotation(a: Float[np.ndarray, "3 3"], b: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Rotation R that leaves nothing but a stretch between two cells: a⁻¹ b R is symmetric, whatever the basis.

    Parameters
    ----------
    a, b
        Cell vectors in rows, both right-handed.
    """
    rotation, _ = polar(np.linalg.solve(a, b), side="left")
    return rotation.T


def cell_between(a: Float[np.ndarray, "3 3"], b: Float[np.ndarray, "3 3"], share: float) -> Float[np.ndarray, "3 3"]:
    """Cell at `share` of the way from a to b: a P^share R^share, where b = a P R, P a stretch and R a rotation.

    Strain grows evenly: it is the logarithm of P that is shared out. The volume goes from one end to the other without
    a bulge, no cell on the way is flat, from b to a the way is the same, and it is that of any other basis (Arsigny
    et al., SIAM J. Matrix Anal. Appl. 29, 328, 2007). Straight lines between cell vectors have none of the first two.

    Parameters
    ----------
    a, b
        Cell vectors in rows, both right-handed, in Å.
    share
        0 gives a, 1 gives b.
    """
    rotation, stretch = polar(np.linalg.solve(a, b), side="left")
    values, axes = np.linalg.eigh(stretch)
    turned = Rotation.from_rotvec(share * Rotation.from_matrix(rotation).as_rotvec()).as_matrix()
    between: Float[np.ndarray, "3 3"] = a @ (axes * values**share) @ axes.T @ turned
    return between
