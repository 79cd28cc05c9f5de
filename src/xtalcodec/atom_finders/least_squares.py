"""Atoms fitted to a field: Levenberg and Marquardt's damped least squares over weights and positions.

Two ways to solve for a step. In a metric that differs from mode to mode, conjugate gradients: with every
mode divided by its own spread, atoms are nearly orthogonal and few rounds do. In the metric of white
noise, Cholesky: neighbours' Gaussians overlap, the system is stiff, but its matrix costs next to nothing.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular

from xtalcodec.atom_finders.superposition import Atomic, Change, Coefficients, Superposition
from xtalcodec.representations.modes import Modes

STRIDE = 0.3
"""Å: no atom moves farther in one step."""

RIDGE = np.array([1e-2, 1.0, 1.0, 1.0])[:, None]
"""What a change by 1 in weight or by 1 Å costs, in the fit's χ²: atoms that hardly show stay where they are."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Stopping criteria of a least-squares fit."""

    steps: int
    """Steps at most."""
    move: float
    """Å: done when no atom in the cube moves farther."""
    gain: float = 1e-3
    """Done when χ² falls by less than this share of it."""
    inner: int = 15
    """Rounds of conjugate gradients within a step."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted atoms, and the residual of the field."""

    atoms: Atomic
    residual: Coefficients
    chi: float
    """Σ metric × residual²."""


def refine(
    modes: Modes,
    field: Coefficients,
    atoms: Atomic,
    metric: Coefficients | float,
    effort: Effort,
    reach: float,
    held: Bool[np.ndarray, " atoms"] | None = None,
) -> Fit:
    """Move atoms and change their weights so that Σ metric × (field − atoms)² falls, step by step.

    Parameters
    ----------
    modes
        Modes of the window.
    field
        Coefficients of the field in these modes.
    atoms
        Positions in Å and weights to begin with.
    metric
        A number for white noise, 1/variance; a cube where every mode has its own.
    effort
        Most steps, and when to stop before.
    reach
        Å; atoms stay within this of the cube.
    held
        Atoms whose weights stay as they are.
    """
    model = Superposition(modes, atoms)
    residual = field - model.field
    chi, damping = float((metric * residual**2).sum()), 1e-6 if isinstance(metric, float) else 1e-4
    for _ in range(effort.steps):
        step = _Step(model, metric, residual, held, effort.inner)
        for _ in range(6):
            moved = _moved(atoms, step.solve(damping), modes.config.edge, reach)
            ahead = Superposition(modes, moved)
            left = field - ahead.field
            fallen = float((metric * left**2).sum())
            if fallen < chi:
                break
            damping *= 10
        else:
            break
        inside = ((moved.positions >= 0) & (moved.positions <= modes.config.edge)).all(1)
        far = float(np.abs(moved.positions - atoms.positions)[inside].max(initial=0))
        gain = (chi - fallen) / max(fallen, 1e-300)
        atoms, model, residual, chi, damping = moved, ahead, left, fallen, max(damping / 10, 1e-13)
        if far < effort.move or gain < effort.gain:
            break
    return Fit(atoms, residual, chi)


def weight_spread(
    modes: Modes, atoms: Atomic, metric: float, held: Bool[np.ndarray, " atoms"] | None = None
) -> Float[np.ndarray, " atoms"]:
    """Standard deviations of fitted weights under white noise, from the inverse of the Gram matrix; 0 of those held.

    With the weights last, their block of the inverse needs no more than their block of the Cholesky factor.

    Parameters
    ----------
    modes
        Of the window.
    atoms
        As they were fitted.
    metric
        1/variance of the white noise, (e/Å³)⁻².
    held
        Atoms whose weights were not fitted.
    """
    free = _free(len(atoms), held)
    n, spread = int(free[0].sum()), np.zeros(len(atoms))
    gram = Superposition(modes, atoms).gram(free) * metric
    gram[np.diag_indices(len(gram))] += np.broadcast_to(RIDGE, free.shape)[free]
    factor, _ = cho_factor(gram[::-1, ::-1], lower=True)
    inverse = solve_triangular(factor[len(gram) - n :, len(gram) - n :], np.eye(n), lower=True)
    spread[free[0]] = np.sqrt((inverse**2).sum(0))[::-1]
    return spread


def _free(atoms: int, held: Bool[np.ndarray, " atoms"] | None) -> Bool[np.ndarray, "4 atoms"]:
    """Parameters to fit: all but the weights that are held."""
    free = np.ones((4, atoms), dtype=bool)
    if held is not None:
        free[0] = ~held
    return free


def _moved(atoms: Atomic, change: Change, edge: float, reach: float) -> Atomic:
    """Take a step, no atom's longer than `STRIDE`, none below or beyond."""
    step = change[1:].T
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step *= np.minimum(1, STRIDE / np.maximum(length, 1e-12))
    positions = np.clip(atoms.positions + step, -reach, edge + reach)
    return Atomic(positions, np.maximum(atoms.weights + change[0], 1e-2))


class _Step:
    """The linear problem of one step, for any damping."""

    def __init__(
        self,
        model: Superposition,
        metric: Coefficients | float,
        residual: Coefficients,
        held: Bool[np.ndarray, " atoms"] | None,
        inner: int,
    ) -> None:
        self.model, self.metric, self.inner = model, metric, inner
        self.free = _free(len(model.weights), held)
        self.slope = model.adjoint(metric * residual) * self.free
        if isinstance(metric, float):
            self.gram = model.gram(self.free)
            self.gram *= metric
            self.diagonal = np.zeros_like(self.slope)
            self.diagonal[self.free] = np.diagonal(self.gram)
        else:
            self.diagonal = model.norms(metric) * self.free

    def solve(self, damping: float) -> Change:
        """Return the step for a damping, relative to the diagonal."""
        extra = self.diagonal * damping + RIDGE
        return self._by_cholesky(extra) if isinstance(self.metric, float) else self._by_conjugate_gradients(extra)

    def _by_cholesky(self, extra: Change) -> Change:
        matrix, step = self.gram.copy(), np.zeros_like(extra)
        matrix[np.diag_indices(len(matrix))] += extra[self.free]
        try:
            # Transposed, it lies in memory as LAPACK wants it.
            factor = cho_factor(matrix.T, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:  # rounding has made it indefinite: too small a damping
            return step
        step[self.free] = cho_solve(factor, self.slope[self.free], check_finite=False)
        return step

    def _by_conjugate_gradients(self, extra: Change) -> Change:
        """Preconditioned by the diagonal; stops at a twentieth of the initial error."""
        scale = 1 / (self.diagonal + extra)
        x, r = np.zeros_like(self.slope), self.slope
        z = p = r * scale
        first = old = float((r * z).sum())
        for _ in range(self.inner):
            along = self.model.adjoint(self.metric * self.model.forward(p)) * self.free + extra * p
            share = old / max(float((p * along).sum()), 1e-300)
            x, r = x + share * p, r - share * along
            z = r * scale
            new = float((r * z).sum())
            if new < 2.5e-3 * first:
                break
            p, old = z + new / old * p, new
        return x
