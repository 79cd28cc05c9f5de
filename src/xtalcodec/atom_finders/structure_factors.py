"""Sites of a cell from structure factors: point atoms at which they scatter.

S(hkl) = Σ Z exp(−2πi (hx + ky + lz)) over the sites of a cell. As in a density (`density.py`), sites are found in
rounds of orthogonal matching pursuit (Pati et al. 1993): the peaks of the map of what is left become sites, all
sites are fitted together by damped least squares (Levenberg, Marquardt), and what they leave is looked at again.
Only the sites of one cell are searched, so a window with hundreds of atoms takes hundredths of a second.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float, Int
from scipy.linalg import cho_factor, cho_solve
from scipy.ndimage import maximum_filter
from torch import Tensor

from xtalcodec.atom_finders.atomic_numbers import HEAVIEST, likeliest
from xtalcodec.atom_finders.blas import one_blas_thread
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.distances import distances
from xtalcodec.representations.repeating import seen
from xtalcodec.representations.waves import TYPICAL, Waves
from xtalcodec.representations.window_field import WindowConfig

Prior = Callable[[Float[np.ndarray, "sites 3"]], Float[np.ndarray, "sites 118"]]
"""Fractional coordinates → logarithms of the probabilities of Z = 1…118 there."""
WindowPrior = Callable[[Float[np.ndarray, "atoms 3"]], Float[np.ndarray, "atoms 118"]]
"""The same of places in a window, in Å."""

MISSING = (1.0, 1e-2, 1e-4, 1e-6)
"""Stages: mean squared weight, per Å³, of the sites not yet found, which misfits are weighed against."""
ROUNDS = 12
"""In each stage, at most."""
PITCH = 0.25
"""Å: grid on which peaks are looked for."""
SHARE = 0.3
"""A round takes the peaks above this share of its highest: lower ones may be ripples of those."""
SEPARATION = 0.5
"""Å: nearer than this are one site; the shortest bond, H–H, is 0.74."""
GLIMPSE, LIGHTEST = 0.1, 0.5
"""Least weight of a site that is searched on, and of one in the end."""
DOUBTED = 4
"""Sites that may be needless, of the nearest and of the lightest ones each."""
STANDS_OUT = 4.0
"""Times what errors make of the map: lower peaks are none."""
FALL = 0.9
"""A round stands if it leaves less than this share of the misfit."""
STRIDE = 0.3
"""Å: no site moves farther in one step."""
RIDGE = np.array([1e-4, 1.0, 1.0, 1.0])
"""What a change by 1 in weight or by 1 Å costs, in χ²: sites that hardly show stay where they are."""
CERTAIN = 0.99
"""Confidence from which a number is settled."""


@dataclass(frozen=True, slots=True, eq=False)
class StructureFactors:
    """Some of a cell's, of ±(hkl) one; the first is that of 000."""

    cell: Float[np.ndarray, "3 3"]
    """Cell vectors, rows in Å."""
    indices: Int[np.ndarray, "k 3"]
    values: Complex[np.ndarray, " k"]
    """In electrons."""
    spread: Float[np.ndarray, " k"]
    """Standard deviation of the errors of their real and imaginary parts."""

    @classmethod
    def of(cls, waves: Waves, z: Float[Tensor, "b numbers"], noise: float) -> "list[StructureFactors]":
        """Structure factors of the densities that coefficients of waves stand for.

        Parameters
        ----------
        waves
            Of each crystal.
        z
            Coefficients.
        noise
            e/Å³: standard deviation of the density's error at a point.
        """
        a, b = (x.double().cpu().numpy() for x in waves.parts(z))
        points, size = waves.real.shape[2] ** 3, waves.size.double().cpu().numpy()
        result = []
        for row, cell in enumerate(waves.cells):
            k = int((size[row] > 0).sum())
            typical = TYPICAL * math.sqrt(abs(np.linalg.det(cell)) / 2)  # of the real part, and the imaginary one
            values = typical * (a[row, :k] + 1j * b[row, :k])
            values[0] *= 2  # the whole of what ±G share
            spread = typical * noise / (size[row, :k] * math.sqrt(2 * points))
            result.append(cls(cell, waves.indices[row, :k], values, spread))
        return result

    @property
    def volume(self) -> float:
        """Å³."""
        return abs(float(np.linalg.det(self.cell)))

    def metric(self, missing: float) -> Float[np.ndarray, " k"]:
        """1/variance of each, of sites not yet found and of errors."""
        return 1 / (missing * self.volume + self.spread**2)


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Point atoms in a cell."""

    places: Float[np.ndarray, "sites 3"]
    """Fractional coordinates."""
    weights: Float[np.ndarray, " sites"]
    """Electrons: the atomic number before it is rounded."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.weights)

    def waves(self, indices: Int[np.ndarray, "k 3"]) -> Complex[np.ndarray, "k sites"]:
        """What each scatters, for a weight of 1."""
        return np.exp(-2j * math.pi * (indices @ self.places.T))

    def join(self, other: "Sites") -> "Sites":
        """Return these sites and others."""
        return Sites(np.vstack([self.places, other.places]), np.concatenate([self.weights, other.weights]))


NOWHERE = Sites(np.zeros((0, 3)), np.zeros(0))


def read_waves(
    waves: Waves,
    z: Float[Tensor, "b numbers"],
    window: WindowConfig,
    noise: float,
    species: Sequence[WindowPrior] | None = None,
) -> list[FoundAtoms]:
    """Find the sites of every crystal, and the atoms that a window shows of them, in Å from its corner.

    Parameters
    ----------
    waves
        Of the crystals.
    z
        Their coefficients.
    window
        Where the waves are.
    noise
        e/Å³: standard deviation of the density's error at a point.
    species
        Of each window, what else is known of the species at places in Å.
    """
    found = []
    with one_blas_thread():
        for k, factors in enumerate(StructureFactors.of(waves, z, noise)):
            sites = read_structure_factors(factors, _Copies(factors.cell, window, species[k]) if species else None)
            position, site = _shown(factors.cell, sites.positions, window)
            shown = replace(sites, positions=position, numbers=sites.numbers[site], confidence=sites.confidence[site])
            found.append(shown)
    return found


def _shown(
    cell: Float[np.ndarray, "3 3"], places: Float[np.ndarray, "sites 3"], window: WindowConfig
) -> tuple[Float[np.ndarray, "atoms 3"], Int[np.ndarray, " atoms"]]:
    """Positions in Å of all copies of places that a window shows, and of which place each is."""
    if not len(places):
        return np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
    crystal = Crystal(cell, places, np.ones(len(places), dtype=np.int64))
    view = seen(crystal, cell, np.zeros(3), np.eye(3), window.edge, 0.0)
    return view.positions, view.site


@dataclass(frozen=True, slots=True, eq=False)
class _Copies:
    """What is known of the species at places in a cell, by their copies in a window."""

    cell: Float[np.ndarray, "3 3"]
    window: WindowConfig
    known: WindowPrior

    def __call__(self, places: Float[np.ndarray, "sites 3"]) -> Float[np.ndarray, "sites 118"]:
        """Mean of the logarithms over the copies of each; 0 where there is none."""
        position, site = _shown(self.cell, places, self.window)
        total = np.zeros((len(places), HEAVIEST))
        np.add.at(total, site, self.known(position))
        return total / np.maximum(np.bincount(site, minlength=len(places)), 1)[:, None]


def read_structure_factors(factors: StructureFactors, prior: Prior | None = None) -> FoundAtoms:
    """Find the sites of a cell: positions as fractional coordinates, numbers, how sure they are.

    (1) Stage by stage, sites are added at the peaks of what is left and all are fitted; (2) weights are made whole
    where their spread allows no doubt, and places fitted again.

    Parameters
    ----------
    factors
        Of the cell.
    prior
        What else is known of the species at given places.
    """
    sites = NOWHERE
    for missing in MISSING:
        sites = _stage(factors, sites, factors.metric(missing))
    metric = factors.metric(0.0)
    sites = _tidy(factors.cell, _fit(factors, sites, metric, 30), LIGHTEST)
    if not len(sites):
        return FoundAtoms.none()
    sites = _without_needless(factors, _fit(factors, sites, metric, 30), metric)
    known = prior(sites.places) if prior else None
    numbers, confidence = likeliest(sites.weights, _weight_spread(factors, sites, metric), known)
    sure = confidence > CERTAIN
    settled = Sites(sites.places, np.where(sure, numbers, sites.weights))
    settled = _fit(factors, settled, metric, 30, held=sure)
    found = FoundAtoms(settled.places % 1.0, numbers, confidence)
    return replace(found, residual=_misfit(factors, settled, metric) ** 0.5)


def _stage(factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]) -> Sites:
    """Rounds of one stage."""
    left = _misfit(factors, sites, metric)
    for _ in range(ROUNDS):
        new = _peaks(factors, sites, metric)
        if not len(new):
            break
        fitted = _tidy(factors.cell, _fit(factors, sites.join(new), metric, 8), GLIMPSE)
        then = _misfit(factors, fitted, metric)
        if then > FALL * left:
            break
        sites, left = fitted, then
    return sites


def _without_needless(factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]) -> Sites:
    """Leave out sites that the others can do without: a round that has found one wrongly does not take it back.

    Those next to another one are tried first, then the lightest.
    """
    left = _misfit(factors, sites, metric)
    apart = distances(sites.places, sites.places, factors.cell) + 1e3 * np.eye(len(sites))
    tried = [*np.argsort(apart.min(1))[:DOUBTED], *np.argsort(sites.weights)[:DOUBTED]]
    for k in dict.fromkeys(tried):
        others = np.arange(len(sites)) != k
        if not others.any():
            break
        fitted = _fit(factors, Sites(sites.places[others], sites.weights[others]), metric, 15)
        if FALL * _misfit(factors, fitted, metric) <= max(left, 1.0):
            return _without_needless(factors, fitted, metric)
    return sites


def _residual(factors: StructureFactors, sites: Sites) -> Complex[np.ndarray, " k"]:
    return factors.values - sites.waves(factors.indices) @ sites.weights


def _misfit(factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]) -> float:
    """Mean of metric × |residual|²."""
    return float((metric * np.abs(_residual(factors, sites)) ** 2).mean())


def _peaks(factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]) -> Sites:
    """Peaks of the map of what is left, away from sites and from each other; weights are those of each alone."""
    counts = np.maximum(4, np.ceil(np.linalg.norm(factors.cell, axis=1) / PITCH)).astype(int)
    x, y, z = (
        np.exp(2j * math.pi * np.outer(np.arange(n) / n, h)) for n, h in zip(counts, factors.indices.T, strict=True)
    )
    twice = np.where(factors.indices.any(1), 2.0, 1.0) * metric  # of ±(hkl) only one is here
    plane = (x[:, None] * y).reshape(-1, len(metric))
    weight = ((plane * (twice * _residual(factors, sites))) @ z.T).real.reshape(counts) / twice.sum()
    least = max(GLIMPSE, STANDS_OUT * float(np.linalg.norm(twice * factors.spread) / twice.sum()))
    peak = (weight == maximum_filter(weight, 3, mode="wrap")) & (weight > least) & (weight < 3 * HEAVIEST)
    peak &= weight > SHARE * np.max(weight, where=peak, initial=0)
    where = np.argwhere(peak)
    where = where[np.argsort(-weight[peak])]
    taken = sites.places
    new = []
    for place, one in zip(where / counts, where, strict=True):
        if not len(taken) or distances(place[None], taken, factors.cell).min() > SEPARATION + 0.1:
            taken = np.vstack([taken, place])
            new.append(weight[tuple(one)])
    return Sites(taken[len(sites) :], np.array(new))


def _jacobian(
    factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "parts parameters"]:
    """Changes of structure factors with weights and places (Å), over their errors: real parts, then imaginary ones."""
    waves = sites.waves(factors.indices)
    slope = -2j * math.pi * factors.indices @ np.linalg.inv(factors.cell).T  # k 3, 1/Å
    moved = (waves * sites.weights)[..., None] * slope[:, None]  # k sites 3
    every = np.concatenate([waves[..., None], moved], 2).reshape(len(waves), -1) * np.sqrt(metric)[:, None]
    return np.concatenate([every.real, every.imag])


def _fit(
    factors: StructureFactors,
    sites: Sites,
    metric: Float[np.ndarray, " k"],
    steps: int,
    held: np.ndarray | None = None,
) -> Sites:
    """Move sites and change weights so that Σ metric × |residual|² falls, step by step.

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
    if not len(sites):
        return sites
    free = np.ones((len(sites), 4), dtype=bool)
    free[:, 0] = True if held is None else ~held
    inverse, damping = np.linalg.inv(factors.cell), 1e-6
    left = _misfit(factors, sites, metric)
    for _ in range(steps):
        jacobian = _jacobian(factors, sites, metric)[:, free.ravel()]
        residual = _residual(factors, sites) * np.sqrt(metric)
        slope = jacobian.T @ np.concatenate([residual.real, residual.imag])
        gram = jacobian.T @ jacobian
        ridge = np.tile(RIDGE, len(sites))[free.ravel()]
        for _ in range(6):
            matrix = gram + np.diag(damping * gram.diagonal() + ridge)
            change = np.zeros(free.shape)
            change[free] = cho_solve(cho_factor(matrix), slope)
            length = np.linalg.norm(change[:, 1:], axis=1, keepdims=True)
            step = change[:, 1:] * np.minimum(1, STRIDE / np.maximum(length, 1e-12))
            moved = Sites(sites.places + step @ inverse, np.maximum(sites.weights + change[:, 0], 1e-2))
            then = _misfit(factors, moved, metric)
            if then < left:
                break
            damping *= 10
        else:
            break
        gain = (left - then) / max(then, 1e-300)
        sites, left, damping = moved, then, max(damping / 10, 1e-13)
        if gain < 1e-4:
            break
    return sites


def _weight_spread(
    factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " sites"]:
    """Standard deviations of fitted weights, with errors as large as what is left."""
    jacobian = _jacobian(factors, sites, metric)
    inverse = np.linalg.inv(jacobian.T @ jacobian + np.diag(np.tile(RIDGE, len(sites))))
    return np.sqrt(np.diagonal(inverse)[::4] * max(1.0, _misfit(factors, sites, metric)))


def _tidy(cell: Float[np.ndarray, "3 3"], sites: Sites, lightest: float) -> Sites:
    """Join sites that are nearer than any two are, and drop those without weight."""
    places, weights = sites.places.copy(), sites.weights.copy()
    near = distances(places, places, cell) < SEPARATION if len(sites) else np.zeros((0, 0), dtype=bool)
    for i, j in np.argwhere(np.triu(near, 1)):
        both = weights[i] + weights[j]
        if weights[i] and weights[j]:
            apart = places[j] - places[i]
            places[i] += (apart - np.round(apart)) * weights[j] / both
            weights[i], weights[j] = both, 0
    kept = weights > lightest
    return Sites(places[kept], weights[kept])
