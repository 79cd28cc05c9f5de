"""Sites fitted to structure factors: Levenberg and Marquardt's damped least squares over weights and places."""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import cho_factor, cho_solve

from xtalcodec.atom_finders.structure_factors import Sites, StructureFactors

STRIDE = 0.3
"""Å: no site moves farther in one step."""
RIDGE = np.array([1e-4, 1.0, 1.0, 1.0])
"""What a change by 1 in weight or by 1 Å costs, in χ²: sites that hardly show stay where they are."""
TRIES = 6
"""Times the damping rises, until a step leads downwards."""
ENOUGH = 1e-4
"""Share by which a step must lower the misfit for another one."""


def fit(
    factors: StructureFactors,
    sites: Sites,
    metric: Float[np.ndarray, " k"],
    steps: int,
    held: Bool[np.ndarray, " sites"] | None = None,
) -> Sites:
    """Move sites and change weights so that Σ metric × |what is left|² falls, step by step.

    Parameters
    ----------
    factors, sites
        What is fitted.
    metric
        1/variance of each.
    steps
        At most.
    held
        Sites whose weights stay.
    """
    free = np.ones((len(sites), 4), dtype=bool)
    free[:, 0] = True if held is None else ~held
    left, damping = factors.misfit(sites, metric), 1e-6
    for _ in range(steps if len(sites) else 0):
        step = _Step(factors, sites, metric, free)
        for _ in range(TRIES):
            moved = step.taken(damping)
            then = factors.misfit(moved, metric)
            if then < left:
                break
            damping *= 10
        else:
            break
        gain = (left - then) / max(then, 1e-300)
        sites, left, damping = moved, then, max(damping / 10, 1e-13)
        if gain < ENOUGH:
            break
    return sites


def weight_spread(
    factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " sites"]:
    """Standard deviations of fitted weights, with errors as large as what is left.

    Parameters
    ----------
    factors, sites
        As they were fitted.
    metric
        1/variance of each.
    """
    jacobian = _jacobian(factors, sites, metric)
    inverse = np.linalg.inv(jacobian.T @ jacobian + np.diag(np.tile(RIDGE, len(sites))))
    spread: Float[np.ndarray, " sites"] = np.sqrt(np.diagonal(inverse)[::4] * max(1.0, factors.misfit(sites, metric)))
    return spread


class _Step:
    """The linear problem of one step, for any damping."""

    def __init__(
        self,
        factors: StructureFactors,
        sites: Sites,
        metric: Float[np.ndarray, " k"],
        free: Bool[np.ndarray, "sites 4"],
    ) -> None:
        self.sites, self.free, self.inverse = sites, free, np.linalg.inv(factors.cell)
        jacobian = _jacobian(factors, sites, metric)[:, free.ravel()]
        left = factors.left_by(sites) * np.sqrt(metric)
        self.slope = jacobian.T @ np.concatenate([left.real, left.imag])
        self.gram = jacobian.T @ jacobian
        self.ridge = np.tile(RIDGE, len(sites))[free.ravel()]

    def taken(self, damping: float) -> Sites:
        """Where the step leads, no site farther than `STRIDE`."""
        matrix = self.gram + np.diag(damping * self.gram.diagonal() + self.ridge)
        change = np.zeros(self.free.shape)
        change[self.free] = cho_solve(cho_factor(matrix), self.slope)
        length = np.linalg.norm(change[:, 1:], axis=1, keepdims=True)
        step = change[:, 1:] * np.minimum(1, STRIDE / np.maximum(length, 1e-12))
        return Sites(self.sites.places + step @ self.inverse, np.maximum(self.sites.weights + change[:, 0], 1e-2))


def _jacobian(
    factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "parts parameters"]:
    """Changes of structure factors with weights and places (Å), over their errors: real parts, then imaginary ones."""
    waves = sites.waves(factors.indices)
    slope = -2j * math.pi * factors.indices @ np.linalg.inv(factors.cell).T  # k 3, 1/Å
    moved = (waves * sites.weights)[..., None] * slope[:, None]  # k sites 3
    every = np.concatenate([waves[..., None], moved], 2).reshape(len(waves), -1) * np.sqrt(metric)[:, None]
    return np.concatenate([every.real, every.imag])
