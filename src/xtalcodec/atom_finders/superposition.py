"""A sum of Gaussian atoms in the modes of a window, and how it changes with weights and positions.

A Gaussian is separable, so the value, both products with the Jacobian and its Gram matrix are
products of matrices of one axis each; the Jacobian itself is never built.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from xtalcodec.representations.modes import Modes

Change = Float[np.ndarray, "4 atoms"]
"""Of each atom: weight, x, y, z."""

Coefficients = Float[np.ndarray, "k k k"]
"""Coefficients of a field in a window's modes."""


@dataclass(frozen=True, eq=False)
class Atomic:
    """Positions and weights of atoms in a least-squares fit."""

    positions: Float[np.ndarray, "atoms 3"]
    """Å, from the cube's corner."""
    weights: Float[np.ndarray, " atoms"]
    """Fitted weights in electrons: the atomic number before it is rounded."""

    def __len__(self) -> int:
        """Return the number of atoms."""
        return len(self.weights)

    def take(self, which: np.ndarray) -> "Atomic":
        """Return some of the atoms, by mask or index."""
        return Atomic(self.positions[which], self.weights[which])

    def beyond(self, edge: float) -> Float[np.ndarray, " atoms"]:
        """Largest distance in Å beyond the cube's faces over the three axes, of each atom; negative inside."""
        return np.maximum(-self.positions, self.positions - edge).max(1)

    def join(self, other: "Atomic") -> "Atomic":
        """Return these atoms and others."""
        return Atomic(np.vstack([self.positions, other.positions]), np.concatenate([self.weights, other.weights]))


class Superposition:
    """The field of some atoms, linearised around where they are."""

    def __init__(self, modes: Modes, atoms: Atomic) -> None:
        """Take the profiles of the atoms along each axis."""
        self.weights, self.modes = atoms.weights, modes
        self.value, self.slope = zip(*(modes.profiles(x) for x in atoms.positions.T), strict=True)
        self._plane = _planes(self.value[0], self.value[1])
        self._tilted: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def field(self) -> Coefficients:
        """Coefficients of the sum."""
        return self._cube(self._plane.T @ (self.weights[:, None] * self.value[2]))

    def forward(self, change: Change) -> Coefficients:
        """First-order change of the field for a change of weights and positions: the Jacobian times `change`."""
        (dx, dy), w = self._slopes(), self.weights
        plane = self._plane * change[0][:, None] + dx * (w * change[1])[:, None] + dy * (w * change[2])[:, None]
        return self._cube(plane.T @ self.value[2] + self._plane.T @ (self.slope[2] * (w * change[3])[:, None]))

    def adjoint(self, cube: Coefficients) -> Change:
        """The transposed Jacobian times a field: gradient of the scalar product with it."""
        (dx, dy), flat = self._slopes(), (cube * self.modes.kept).reshape(-1, cube.shape[-1])
        column, column_slope = self.value[2] @ flat.T, self.slope[2] @ flat.T
        return self._scaled([(self._plane, column), (dx, column), (dy, column), (self._plane, column_slope)], 1)

    def norms(self, metric: Coefficients) -> Change:
        """Σ metric × (derivative of the field)², for every parameter."""
        (dx, dy), flat = self._slopes(), metric.reshape(-1, metric.shape[-1])
        column, column_slope = self.value[2] ** 2 @ flat.T, self.slope[2] ** 2 @ flat.T
        pairs = [(self._plane, column), (dx, column), (dy, column), (self._plane, column_slope)]
        return self._scaled([(plane**2, c) for plane, c in pairs], 2)

    def gram(self, free: Bool[np.ndarray, "4 atoms"] | None = None) -> Float[np.ndarray, "p p"]:
        """Scalar products of derivatives over the whole cube of modes: of all, or of those of the `free` parameters.

        In the order of `Change`: weights, then x, y and z of all atoms.
        """
        n = len(self.weights)
        free = np.ones((4, n), dtype=bool) if free is None else free
        which = [slice(None) if k.all() else np.flatnonzero(k) for k in free]
        place = np.cumsum([0, *free.sum(1)])
        axes = []  # of each axis, products of value with value, value with slope, slope with slope
        for value, slope in zip(self.value, self.slope, strict=True):
            both = np.vstack([value, slope])
            axes.append((both @ both.T).reshape(2, n, 2, n))
        result = np.empty((place[-1], place[-1]))
        for p in range(4):
            for q in range(p + 1):
                x, y, z = (axes[a][int(p == a + 1), :, int(q == a + 1)][which[p]][:, which[q]] for a in range(3))
                block = x * y
                block *= z
                if p:
                    block *= self.weights[which[p], None]
                if q:
                    block *= self.weights[which[q]]
                result[place[p] : place[p + 1], place[q] : place[q + 1]] = block
                result[place[q] : place[q + 1], place[p] : place[p + 1]] = block.T
        return result

    def _slopes(self) -> tuple[np.ndarray, np.ndarray]:
        if self._tilted is None:
            self._tilted = _planes(self.slope[0], self.value[1]), _planes(self.value[0], self.slope[1])
        return self._tilted

    def _scaled(self, pairs: list[tuple[np.ndarray, np.ndarray]], power: int) -> Change:
        """Row products, those of positions times the atoms' weights."""
        result = np.stack([np.einsum("nk,nk->n", plane, column) for plane, column in pairs])
        result[1:] *= self.weights**power
        return result

    def _cube(self, flat: Float[np.ndarray, "kk k"]) -> Coefficients:
        k = flat.shape[-1]
        return flat.reshape(k, k, k) * self.modes.kept


def _planes(x: Float[np.ndarray, "n k"], y: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n kk"]:
    """Outer products of rows."""
    return (x[:, :, None] * y[:, None, :]).reshape(len(x), -1)
