"""Atoms from the density alone: where a sum of known Gaussians must have its centres and weights.

A Gaussian of 1 Å hides a light atom beside a heavy one, and atoms outside of the cube reach in. But the
field is a linear image of point atoms, and dividing every mode by how strongly atoms show in it (plus
noise) undoes the blur as far as the noise allows: there, atoms 1 Å apart are nearly orthogonal. So atoms
are found in rounds, as in orthogonal matching pursuit (Pati et al. 1993) with a grid that is left behind:
the peaks of what is left become atoms, all atoms are fitted together, and what they leave is looked at again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree
from torch import Tensor

from xtalcodec.fields.modes import Modes, apply, modes
from xtalcodec.fields.window import WindowConfig
from xtalcodec.sites.least_squares import Effort, Fit, refine, weight_spread
from xtalcodec.sites.superposition import Atomic, Cube, Superposition

HEAVIEST = 118
"""The largest atomic number there is."""

ROUND = Effort(5, 0.01)
"""Of a fit between two looks at what is left."""

POLISH = Effort(12, 1e-5, 1e-2)
"""Of a fit that ends a stage."""

NOISY = 4.0
"""Times the noise's variance: what a search may leave without another being made."""

SETTLE = Effort(40, 1e-6)
"""Of the fit with whole weights."""

CERTAIN = 0.99
"""Confidence from which a number is settled."""


@dataclass(frozen=True, slots=True)
class DensityConfig:
    """How atoms are searched."""

    noise: float = 3e-7
    """e/Å³: standard deviation of the density's error at a point; float32 rounds a true field by this much."""
    outside: float = 0.0
    """Å: how far outside of the cube atoms are searched; 0 where all lie inside."""
    pitch: float = 0.3
    """Å: grid on which peaks are looked for."""
    separation: float = 0.5
    """Å: nearer than this are one atom; the shortest bond, H–H, is 0.74."""
    lightest: float = 0.5
    """Atoms of less weight are none."""
    glimpse: float = 0.1
    """Least weight of a peak of what is left: atoms nearby have taken most of what a hidden one would show."""
    shares: tuple[float, ...] = (0.2, 0.6, 0.9)
    """A round takes the peaks above this share of its highest: lower ones may be ripples of those. The search is made
    again with the next where all atoms are inside and still leave more than noise."""
    missing: tuple[float, ...] = (1.0, 0.03, 1e-3, 1e-6)
    """Stages: mean squared weight, per Å³, of the atoms not yet found, which a mode's misfit is weighed against."""
    rounds: int = 12
    """At most so many in each stage."""


CLOSED = DensityConfig()
"""For windows that hold all atoms: `unit_cell`."""

OPEN = DensityConfig(outside=3.5, missing=(1.0, 1e-2))
"""For windows on more: `repeating`. Atoms still farther outside show too faintly to be told from one another."""


@dataclass(frozen=True, slots=True)
class DensityAtoms:
    """Atoms read off one density."""

    positions: Float[np.ndarray, "atoms 3"]
    """Å, from the cube's corner."""
    numbers: Int[np.ndarray, " atoms"]
    """Atomic numbers."""
    weights: Float[np.ndarray, " atoms"]
    """The fit's weights before they are made whole."""
    confidence: Float[np.ndarray, " atoms"]
    """Probability of the number, from the weight and its spread under the noise left."""
    residual: float
    """e/Å³, root mean square over the points: what the atoms do not explain."""

    def __len__(self) -> int:
        """Return the number of atoms."""
        return len(self.numbers)

    def within(self, edge: float, margin: float = 0.0) -> "DensityAtoms":
        """Return the atoms in the cube, or in one wider by `margin` Å on every side."""
        k = ((self.positions >= -margin) & (self.positions <= edge + margin)).all(1)
        return DensityAtoms(self.positions[k], self.numbers[k], self.weights[k], self.confidence[k], self.residual)


def read_density(
    density: Float[Tensor, "b n n n"] | Float[np.ndarray, "b n n n"],
    window: WindowConfig,
    config: DensityConfig,
    start: Sequence[Float[np.ndarray, "atoms 3"]] | None = None,
) -> list[DensityAtoms]:
    """Read the atoms of every window of a batch; those outside of the cube come too, see `DensityAtoms.within`.

    Parameters
    ----------
    start: positions in Å to begin with, of each window, as a network may know them.

    Raises
    ------
    ValueError
        A density that is not finite.
    """
    values = density.detach().cpu().numpy() if isinstance(density, Tensor) else density
    broken = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
    if len(broken):
        raise ValueError(f"the density of window {broken[0]} is not finite")
    basis = modes(window, above=config.noise**2 / 10)
    starts = start if start is not None else [np.zeros((0, 3))] * len(values)
    return [
        read_modes(basis.project(n.astype(np.float64)), basis, config, s) for n, s in zip(values, starts, strict=True)
    ]


def read_modes(
    field: Cube, basis: Modes, config: DensityConfig, start: Float[np.ndarray, "atoms 3"] | None = None
) -> DensityAtoms:
    """Read the atoms of one window from the coefficients of its modes.

    (1) Stage by stage, atoms are added at the peaks of what is left and all are fitted, until no peak
    stands out of the noise; (2) a last fit weighs all modes alike; (3) weights are made whole where
    their spread allows no doubt, and the positions fitted again.
    """
    search = _Search(basis, field, config)
    begin = Atomic(np.zeros((0, 3)), np.zeros(0))
    if start is not None and len(start):
        begin = search.begin(np.asarray(start, dtype=np.float64))
    best, least = begin, np.inf
    for share in config.shares if not config.outside else config.shares[:1]:
        atoms = begin
        for missing in config.missing:
            atoms = search.stage(atoms, missing, share)
        misfit = float((search.left(atoms) ** 2).mean(where=basis.kept))
        if misfit < least:
            best, least = atoms, misfit
        if misfit < NOISY * config.noise**2:
            break
    return _whole(search, best)


class _Search:
    """The rounds of the search in one window."""

    def __init__(self, basis: Modes, field: Cube, config: DensityConfig) -> None:
        self.basis, self.field, self.config = basis, field * basis.kept, config
        reach = config.outside
        self.grid = np.linspace(
            -reach, (edge := basis.config.edge) + reach, round((edge + 2 * reach) / config.pitch) + 1
        )
        self.profile, _ = basis.profiles(self.grid)
        self.white = 1 / config.noise**2
        self.reach = reach + 1 if reach else 0.0

    def metric(self, missing: float) -> Cube:
        """1/variance of each mode, of atoms not yet found and of noise."""
        return self.basis.kept / (missing * self.basis.eigenvalue + self.config.noise**2)

    def left(self, atoms: Atomic) -> Cube:
        """What atoms leave of the field."""
        return self.field - Superposition(self.basis, atoms).field if len(atoms) else self.field

    def begin(self, positions: Float[np.ndarray, "atoms 3"]) -> Atomic:
        """Atoms at known positions, their weights fitted."""
        metric = self.metric(self.config.missing[0])
        single = Superposition(self.basis, Atomic(positions, np.ones(len(positions))))
        weights = np.maximum(single.adjoint(metric * self.field)[0] / single.norms(metric)[0], 1.0)
        return self.fit(Atomic(positions, weights), metric, ROUND, 0.0).atoms

    def fit(self, atoms: Atomic, metric: Cube | float, effort: Effort, lightest: float) -> Fit:
        """Fit; atoms that become one are joined, those that vanish are dropped."""
        fit = refine(self.basis, self.field, atoms, metric, effort, self.reach)
        tidied = _tidy(fit.atoms, self.config.separation, lightest)
        if len(tidied) == len(fit.atoms):
            return fit
        residual = self.left(tidied)
        return Fit(tidied, residual, float((metric * residual**2).sum()))

    def stage(self, atoms: Atomic, missing: float, share: float) -> Atomic:
        """Rounds of one stage."""
        metric = self.metric(missing)
        residual = self.left(atoms)
        chi = float((metric * residual**2).sum())
        for _ in range(self.config.rounds):
            new = self._peaks(atoms, residual, metric, share)
            if not len(new):
                break
            fit = self.fit(atoms.join(new), metric, ROUND, self.config.glimpse)
            if fit.chi > 0.9 * chi:
                break
            atoms, residual, chi = fit.atoms, fit.residual, fit.chi
        return atoms if not len(atoms) else self.fit(atoms, self.white, POLISH, self.config.lightest).atoms

    def _peaks(self, atoms: Atomic, residual: Cube, metric: Cube, share: float) -> Atomic:
        """Peaks of what is left that stand out and keep away from atoms and from each other."""
        square = apply(self.profile**2, metric)
        height = apply(self.profile, metric * residual) / np.sqrt(square)
        noise = np.sqrt(apply(self.profile**2, metric**2) / square) * self.config.noise
        weight = height / np.sqrt(square)
        peak = (height == maximum_filter(height, 3)) & (height > np.maximum(4 * noise, 0.3))
        peak &= (weight > self.config.glimpse) & (weight < 3 * HEAVIEST)
        peak &= height > share * np.max(height, where=peak, initial=0)
        where = np.argwhere(peak)
        where = where[np.argsort(-height[peak])]
        positions = self.grid[where]
        taken = [True] * len(atoms) + [False] * len(positions)
        tree = cKDTree(np.vstack([atoms.positions, positions]))
        for k, around in enumerate(tree.query_ball_point(positions, self.config.separation + 0.1), len(atoms)):
            taken[k] = not any(taken[j] for j in around)
        new = np.flatnonzero(taken[len(atoms) :])
        return Atomic(positions[new], weight[tuple(where[new].T)])


def _tidy(atoms: Atomic, separation: float, lightest: float) -> Atomic:
    """Join atoms that are nearer than any two are, and drop those without weight."""
    positions, weights = atoms.positions.copy(), atoms.weights.copy()
    for i, j in sorted(cKDTree(positions).query_pairs(separation)):
        both = weights[i] + weights[j]
        if weights[i] and weights[j]:
            positions[i], weights[i], weights[j] = (weights[[i, j]] @ positions[[i, j]]) / both, both, 0
    return Atomic(positions, weights).take(weights > lightest)


def _whole(search: _Search, atoms: Atomic) -> DensityAtoms:
    """Make weights whole, those that allow one number alone for good, and fit the rest once more."""
    basis = search.basis
    if not len(atoms):
        none = np.zeros(0)
        return DensityAtoms(atoms.positions, np.zeros(0, dtype=np.int64), none, none, _rms(basis, search.field))
    noise = max(search.config.noise, float(np.sqrt((search.left(atoms) ** 2).sum() / len(basis))))
    spread = weight_spread(basis, atoms, 1 / noise**2)
    numbers = np.clip(np.round(atoms.weights), 1, HEAVIEST)
    confidence = _confidence(atoms.weights, numbers, spread)
    sure = confidence > CERTAIN
    settled = Atomic(atoms.positions, np.where(sure, numbers, atoms.weights))
    fit = refine(basis, search.field, settled, search.white, SETTLE, search.reach, sure)
    return DensityAtoms(
        fit.atoms.positions, numbers.astype(np.int64), atoms.weights, confidence, _rms(basis, fit.residual)
    )


def _confidence(
    weights: Float[np.ndarray, " atoms"], numbers: Float[np.ndarray, " atoms"], spread: Float[np.ndarray, " atoms"]
) -> Float[np.ndarray, " atoms"]:
    """Probability of each number among all there are, for a normal error of the weight."""
    scale = np.maximum(spread, 0.05)[:, None]  # below it no other number competes
    distance = (np.arange(1, HEAVIEST + 1) - weights[:, None]) / scale
    likelihood = np.exp(-0.5 * (distance**2 - (distance**2).min(1, keepdims=True)))
    return likelihood[np.arange(len(weights)), numbers.astype(np.int64) - 1] / likelihood.sum(1)


def _rms(basis: Modes, residual: Cube) -> float:
    """Root mean square over the window's points."""
    return float(np.sqrt((residual**2).sum() / basis.config.points**3))
