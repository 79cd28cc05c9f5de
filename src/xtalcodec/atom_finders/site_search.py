"""Sites of a cell from structure factors: found in rounds, fitted together, needless ones left out again.

As in a density (`density.py`), the rounds are those of orthogonal matching pursuit (Pati et al. 1993): the peaks of the
map of what is left become sites, all sites are fitted, and what they leave is looked at again. Only the sites of one
cell are searched, so a window with hundreds of atoms takes hundredths of a second.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.ndimage import maximum_filter

from xtalcodec.atom_finders.atomic_numbers import HEAVIEST, likeliest
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.site_fit import fit, weight_spread
from xtalcodec.atom_finders.structure_factors import NOWHERE, Sites, StructureFactors
from xtalcodec.geometry.distances import distances

Prior = Callable[[Float[np.ndarray, "sites 3"]], Float[np.ndarray, "sites 118"]]
"""Fractional coordinates → logarithms of the probabilities of Z = 1…118 there."""

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
CERTAIN = 0.99
"""Confidence from which a number is settled."""


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
    sites = _tidy(factors.cell, fit(factors, sites, metric, 30), LIGHTEST)
    if not len(sites):
        return FoundAtoms.none()
    sites = _without_needless(factors, fit(factors, sites, metric, 30), metric)
    known = prior(sites.places) if prior else None
    numbers, confidence = likeliest(sites.weights, weight_spread(factors, sites, metric), known)
    sure = confidence > CERTAIN
    settled = Sites(sites.places, np.where(sure, numbers, sites.weights))
    settled = fit(factors, settled, metric, 30, held=sure)
    return FoundAtoms(settled.places % 1.0, numbers, confidence, residual=factors.misfit(settled, metric) ** 0.5)


def _stage(factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]) -> Sites:
    """Rounds of one stage."""
    left = factors.misfit(sites, metric)
    for _ in range(ROUNDS):
        new = _peaks(factors, sites, metric)
        if not len(new):
            break
        fitted = _tidy(factors.cell, fit(factors, sites.join(new), metric, 8), GLIMPSE)
        then = factors.misfit(fitted, metric)
        if then > FALL * left:
            break
        sites, left = fitted, then
    return sites


def _without_needless(factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]) -> Sites:
    """Leave out sites that the others can do without: a round that has found one wrongly does not take it back.

    Those next to another one are tried first, then the lightest.
    """
    left = factors.misfit(sites, metric)
    apart = distances(sites.places, sites.places, factors.cell) + 1e3 * np.eye(len(sites))
    tried = [*np.argsort(apart.min(1))[:DOUBTED], *np.argsort(sites.weights)[:DOUBTED]]
    for k in dict.fromkeys(tried):
        others = np.arange(len(sites)) != k
        if not others.any():
            break
        fitted = fit(factors, Sites(sites.places[others], sites.weights[others]), metric, 15)
        if FALL * factors.misfit(fitted, metric) <= max(left, 1.0):
            return _without_needless(factors, fitted, metric)
    return sites


def _peaks(factors: StructureFactors, sites: Sites, metric: Float[np.ndarray, " k"]) -> Sites:
    """Peaks of the map of what is left, away from sites and from each other; weights are those of each alone."""
    counts = np.maximum(4, np.ceil(np.linalg.norm(factors.cell, axis=1) / PITCH)).astype(int)
    x, y, z = (
        np.exp(2j * math.pi * np.outer(np.arange(n) / n, h)) for n, h in zip(counts, factors.indices.T, strict=True)
    )
    twice = np.where(factors.indices.any(1), 2.0, 1.0) * metric  # of ±(hkl) only one is here
    plane = (x[:, None] * y).reshape(-1, len(metric))
    weight = ((plane * (twice * factors.left_by(sites))) @ z.T).real.reshape(counts) / twice.sum()
    least = max(GLIMPSE, STANDS_OUT * float(np.linalg.norm(twice * factors.spread) / twice.sum()))
    peak = (weight == maximum_filter(weight, 3, mode="wrap")) & (weight > least) & (weight < 3 * HEAVIEST)
    peak &= weight > SHARE * np.max(weight, where=peak, initial=0)
    where = np.argwhere(peak)
    where = where[np.argsort(-weight[peak])]
    taken = sites.places
    new = []
    for place, one in zip(where / counts, where, strict=True):
        if distances(place[None], taken, factors.cell).min(initial=np.inf) > SEPARATION + 0.1:
            taken = np.vstack([taken, place])
            new.append(weight[tuple(one)])
    return Sites(taken[len(sites) :], np.array(new))


def _tidy(cell: Float[np.ndarray, "3 3"], sites: Sites, lightest: float) -> Sites:
    """Join sites that are nearer than any two are, and drop those without weight."""
    places, weights = sites.places.copy(), sites.weights.copy()
    for i, j in np.argwhere(np.triu(distances(places, places, cell) < SEPARATION, 1)):
        both = weights[i] + weights[j]
        if weights[i] and weights[j]:
            apart = places[j] - places[i]
            places[i] += (apart - np.round(apart)) * weights[j] / both
            weights[i], weights[j] = both, 0
    kept = weights > lightest
    return Sites(places[kept], weights[kept])
