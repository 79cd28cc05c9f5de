"""A cell as numbers without bounds, of which any are a cell again."""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

LATTICE = 9
"""Numbers of a cell: six of its shape and three of its orientation."""


def lattice_numbers(lattice: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "9"]:
    """Return a right-handed cell as nine numbers without bounds, of which any nine are a cell again.

    L = exp(E) R: E is the symmetric logarithmic (Hencky) strain of a cube of 1 Å, half the logarithm of the
    metric tensor L Lᵀ, so it gives the six cell parameters; R is the rotation into the window's frame, as a
    vector. xx, yy, zz, yz, xz, xy of E, then the rotation vector in rad.
    """
    square, axes = np.linalg.eigh(lattice @ lattice.T)
    strain = axes @ np.diag(0.5 * np.log(square)) @ axes.T
    rotation = axes @ np.diag(square**-0.5) @ axes.T @ lattice
    vector = Rotation.from_matrix(rotation.T).as_rotvec()
    return np.concatenate([np.diag(strain), strain[[1, 0, 0], [2, 2, 1]], vector])


def lattice_of(numbers: Float[np.ndarray, "9"]) -> Float[np.ndarray, "3 3"]:
    """Return the cell of nine numbers: the inverse of `lattice_numbers`."""
    xx, yy, zz, yz, xz, xy = numbers[:6]
    value, axes = np.linalg.eigh(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    return axes @ np.diag(np.exp(value)) @ axes.T @ Rotation.from_rotvec(numbers[6:]).as_matrix().T
