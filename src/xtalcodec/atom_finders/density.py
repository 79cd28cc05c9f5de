"""Atoms from the density alone: where a sum of known Gaussians must have its centres and weights.

A Gaussian of 1 Å hides a light atom beside a heavy one, and atoms outside of the cube reach in. But the
field is a linear image of point atoms, and dividing every mode by how strongly atoms show in it (plus
noise) undoes the blur as far as the noise allows: there, atoms 1 Å apart are nearly orthogonal. So atoms
are found in rounds, as in orthogonal matching pursuit (Pati et al. 1993) with a grid that is left behind:
the peaks of what is left become atoms, all atoms are fitted together, and what they leave is looked at again.

What lies more than some 3 Å outside of the cube shows too faintly to be told apart, yet bends the atoms inside.
Where these show a lattice, it says what lies there (`continuation.py`), and the field whether that is true.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree
from torch import Tensor

from xtalcodec.atom_finders.atomic_numbers import HEAVIEST, likeliest, nearest
from xtalcodec.atom_finders.blas import one_blas_thread
from xtalcodec.atom_finders.continuation import continued
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.least_squares import Effort, Fit, refine, weight_spread
from xtalcodec.atom_finders.superposition import Atomic, Coefficients, Superposition
from xtalcodec.representations.modes import Modes, apply, modes
from xtalcodec.representations.window_field import WindowConfig

Prior = Callable[[Float[np.ndarray, "atoms 3"]], Float[np.ndarray, "atoms 118"]]
"""Positions in Å → logarithms of the probabilities of Z = 1…118 there, before the density is asked."""

ROUND = Effort(5, 0.01)
"""Of a fit between two looks at what is left."""

POLISH = Effort(12, 1e-5, 1e-2)
"""Of a fit that ends a stage."""

NOISY = 4.0
"""Times the noise's variance: what a search may leave without another being made."""

ROUNDED = 10.0
"""Times the noise: what the atoms of a lattice may leave. float32 rounds the fields of heavy atoms more coarsely than
those of light ones, and a single hydrogen atom 3.5 Å outside that is not there leaves as much."""

SETTLE = Effort(40, 1e-6)
"""Of the fit with whole weights."""

CERTAIN = 0.99
"""Confidence from which a number is settled."""


@dataclass(frozen=True, slots=True)
class DensityConfig:
    """Settings of the search for atoms in a density."""

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
    modes: int = 0
    """So many of the largest modes are compared, where a code holds those best; 0 for all that show above the noise."""
    spread: float = 0.0
    """Å: standard deviation of the atoms about the window's middle that those modes are for; 0 for atoms everywhere."""


CLOSED = DensityConfig()
"""For windows that hold all atoms: `unit_cell`."""

OPEN = DensityConfig(outside=3.5, missing=(1.0, 1e-2, 1e-4))
"""For windows on more: `repeating`. Atoms still farther outside show too faintly to be told from one another: at
3.5 Å the field of one has fallen to 0.2 %, and with it what another position or weight would change."""


@one_blas_thread()
def read_density(
    density: Float[Tensor, "b n n n"] | Float[np.ndarray, "b n n n"],
    window: WindowConfig,
    config: DensityConfig,
    start: Sequence[Float[np.ndarray, "atoms 3"]] | None = None,
) -> list[FoundAtoms]:
    """Read the atoms of every window of a batch; those outside of the cube come too, see `FoundAtoms.within`.

    Parameters
    ----------
    density
        e/Å³ on the window's points.
    window
        The cube, its points and the width of an atom's Gaussian.
    config
        Noise of the density and how atoms are searched.
    start
        Positions in Å to begin with, of each window, as a network may know them.

    Raises
    ------
    ValueError
        A density that is not finite.
    """
    values = density.detach().cpu().numpy() if isinstance(density, Tensor) else density
    broken = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
    if len(broken):
        raise ValueError(f"the density of window {broken[0]} is not finite")
    basis = visible(window, config)
    starts = start if start is not None else [np.zeros((0, 3))] * len(values)
    return [
        read_modes(basis.project(n.astype(np.float64)), basis, config, Atomic(np.asarray(s, float), np.zeros(len(s))))
        for n, s in zip(values, starts, strict=True)
    ]


def visible(window: WindowConfig, config: DensityConfig) -> Modes:
    """Modes of a window in which the density is compared: those in which atoms show above the noise, or the largest."""
    if config.modes:
        return modes(window, count=config.modes, spread=config.spread or np.inf)
    return modes(window, above=config.noise**2 / 10)


@one_blas_thread()
def read_modes(
    field: Coefficients,
    basis: Modes,
    config: DensityConfig,
    start: Atomic | None = None,
    prior: Prior | None = None,
) -> FoundAtoms:
    """Read the atoms of one window from the coefficients of its modes.

    (1) Stage by stage, atoms are added at the peaks of what is left and all are fitted, until no peak
    stands out of the noise; (2) where there is more outside and the atoms inside show a lattice, what
    lies outside is put where the lattice has it; (3) a fit weighs all modes alike; (4) weights are made
    whole where their spread allows no doubt, and the positions fitted again.

    Parameters
    ----------
    field
        Coefficients of the density in the modes, e/Å³.
    basis
        The modes of the window.
    config
        How atoms are searched.
    start
        Atoms to begin with, as a network may know them; those of weight 0 get one from the field.
    prior
        What else is known of the species at given positions.
    """
    search = _Search(basis, field, config, prior)
    begin = Atomic(np.zeros((0, 3)), np.zeros(0))
    if start is not None and len(start):
        begin = search.begin(start)
    if config.outside:
        return _open(search, begin)
    best, least = begin, np.inf
    for share in config.shares:
        atoms = begin
        for missing in config.missing:
            atoms = search.polish(search.stage(atoms, missing, share))
        misfit = float((search.left(atoms) ** 2).mean(where=basis.kept))
        if misfit < least:
            best, least = atoms, misfit
        if misfit < NOISY * config.noise**2:
            break
    return _whole(search, best)


def _open(search: "_Search", atoms: Atomic) -> FoundAtoms:
    """Read a window on more: by the lattice of its atoms where that leaves no more than noise, else atom by atom."""
    found = []
    for missing in search.config.missing:
        atoms = search.stage(atoms, missing, search.config.shares[0])
        if (repeating := _repeating(search, atoms)) is not None:
            found.append(repeating)
            if repeating.residual < ROUNDED * search.config.noise:
                return repeating
    found.append(_whole(search, search.polish(atoms)))
    return min(found, key=lambda each: each.residual)


def _repeating(search: "_Search", atoms: Atomic) -> FoundAtoms | None:
    """Read a window by the lattice that the atoms inside show; None where they show none.

    The lattice puts atoms outside, with their species; then all move freely but those beyond `outside`, which
    are told from one another by nothing else. What comes out inside makes a better lattice, and all is done again.
    """
    basis, edge, config = search.basis, search.basis.config.edge, search.config
    for effort in (ROUND, POLISH):
        inside = atoms.take((atoms.beyond(edge) <= 0) & (atoms.weights > config.lightest))
        every = continued(inside.positions, nearest(inside.weights), edge, basis.config.reach)
        if every is None:
            return None
        far = every.beyond(edge) > config.outside
        near, atoms = search.without(every.take(far)), every.take(~far)
        held = atoms.beyond(edge) > 0
        atoms = refine(basis, near.field, atoms, near.white, effort, near.reach, held).atoms
    return _whole(near, atoms, held)


class _Search:
    """The rounds of the search in one window."""

    def __init__(self, basis: Modes, field: Coefficients, config: DensityConfig, prior: Prior | None = None) -> None:
        self.basis, self.field, self.config, self.prior = basis, field * basis.kept, config, prior
        reach = config.outside
        self.grid = np.linspace(
            -reach, (edge := basis.config.edge) + reach, round((edge + 2 * reach) / config.pitch) + 1
        )
        self.profile, _ = basis.profiles(self.grid)
        self.white = 1 / config.noise**2
        self.reach = reach + 1 if reach else 0.0

    def metric(self, missing: float) -> Coefficients:
        """1/variance of each mode, of atoms not yet found and of noise."""
        return self.basis.kept / (missing * self.basis.eigenvalue + self.config.noise**2)

    def left(self, atoms: Atomic) -> Coefficients:
        """Residual of the field after the atoms are subtracted."""
        return self.field - Superposition(self.basis, atoms).field if len(atoms) else self.field

    def begin(self, start: Atomic) -> Atomic:
        """Atoms at known positions, fitted; weights that are not known are first those of each atom alone."""
        metric = self.metric(self.config.missing[0])
        single = Superposition(self.basis, Atomic(start.positions, np.ones(len(start))))
        alone = np.maximum(single.adjoint(metric * self.field)[0] / single.norms(metric)[0], 1.0)
        weights = np.where(start.weights > 0, start.weights, alone)
        return self.fit(Atomic(start.positions, weights), metric, ROUND, 0.0).atoms

    def fit(self, atoms: Atomic, metric: Coefficients | float, effort: Effort, lightest: float) -> Fit:
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
        return atoms

    def polish(self, atoms: Atomic) -> Atomic:
        """Fit all modes alike."""
        return self.fit(atoms, self.white, POLISH, self.config.lightest).atoms if len(atoms) else atoms

    def without(self, atoms: Atomic) -> "_Search":
        """Return the search in what known atoms leave."""
        return _Search(self.basis, self.left(atoms), self.config, self.prior)

    def _peaks(self, atoms: Atomic, residual: Coefficients, metric: Coefficients, share: float) -> Atomic:
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


def _whole(search: _Search, atoms: Atomic, held: Bool[np.ndarray, " atoms"] | None = None) -> FoundAtoms:
    """Make weights whole, those held or that allow one number alone for good, and fit the rest once more.

    Parameters
    ----------
    held
        Atoms whose weights are whole already and stay.
    """
    basis = search.basis
    if not len(atoms):
        return replace(FoundAtoms.none(), residual=_rms(basis, search.field))
    noise = max(search.config.noise, float(np.sqrt((search.left(atoms) ** 2).sum() / len(basis))))
    spread = weight_spread(basis, atoms, 1 / noise**2, held)
    known = search.prior(atoms.positions) if search.prior else None
    numbers, confidence = likeliest(atoms.weights, spread, known)
    sure = confidence > CERTAIN
    settled = Atomic(atoms.positions, np.where(sure, numbers, atoms.weights))
    fit = refine(basis, search.field, settled, search.white, SETTLE, search.reach, sure)
    return FoundAtoms(fit.atoms.positions, numbers, confidence, residual=_rms(basis, fit.residual))


def _rms(basis: Modes, residual: Coefficients) -> float:
    """Root mean square over the window's points."""
    return float(np.sqrt((residual**2).sum() / basis.config.points**3))
