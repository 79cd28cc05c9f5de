"""Space groups laid on cells that nearly have their lattice."""

import functools
import itertools
from dataclasses import dataclass

import moyopy
import numpy as np
from jaxtyping import Float, Int

from xtalcodec.geometry.orbits import Operations

FINEST = 24
"""Parts of an axis: special positions have coordinates of eighths and sixths."""

EXACT = 1e-6
"""Strain below which a lattice has the symmetry of a group."""


@dataclass(frozen=True, slots=True, eq=False)
class LaidGroup:
    """A cell whose lattice is that of a space group, and all ways in which the group can lie on it."""

    number: int
    """In International Tables A."""
    lattice: Float[np.ndarray, "3 3"]
    """Rows in Å."""
    ways: tuple[Operations, ...]
    """Operations in the cell; they differ by more than the basis that the group was given in."""
    strain: float
    """By how much the cell that was given is off: Frobenius norm of the difference of the metrics, in units of its
    own."""


def lay(lattice: Float[np.ndarray, "3 3"], number: int) -> LaidGroup:
    """Move a primitive cell to the nearest lattice of a space group, of the same volume.

    The metric in a basis of the group is averaged over its point group, G = ⟨Wᵀ G W⟩; tried are all bases of vectors
    u a + v b + w c with u, v, w of −1, 0, 1, and the one that strains the cell least is taken.

    Parameters
    ----------
    lattice
        Niggli-reduced, rows in Å.
    number
        Of the group.
    """
    metric = lattice @ lattice.T
    averaged, strain = _averaged(metric, number)
    best = int(strain.argmin())
    inverse = _bases()[1][best]
    wanted = inverse @ averaged[best] @ inverse.T
    wanted *= (np.linalg.det(metric) / np.linalg.det(wanted)) ** (1 / 3)
    moved = lattice @ _root(np.linalg.solve(lattice, np.linalg.solve(lattice, wanted).T))
    _, left = _averaged(moved @ moved.T, number)
    return LaidGroup(number, moved, _ways(np.flatnonzero(left < EXACT), number), float(strain[best]))


@functools.cache
def _bases() -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, "n 3 3"]]:
    """Bases of a lattice in units of another, of the same volume and hand, and their inverses."""
    every = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=9))).reshape(-1, 3, 3)
    bases = every[np.round(np.linalg.det(every)) == 1]
    return bases, np.round(np.linalg.inv(bases))


@functools.cache
def _group(number: int) -> tuple[Float[np.ndarray, "ops 3 3"], Float[np.ndarray, "ops 3"], Float[np.ndarray, "9 9"]]:
    """Rotations and translations of a group in a primitive cell, and what averages a metric over it."""
    found = moyopy.operations_from_number(number, setting=moyopy.Setting.standard(), primitive=True)
    rotations = np.array(found.rotations, dtype=float)
    average = np.mean([np.kron(w, w) for w in np.unique(rotations, axis=0)], axis=0)
    return rotations, np.array(found.translations), average


@functools.cache
def smallest_orbit(number: int) -> int:
    """Fewest sites that a space group makes of one, in a primitive cell.

    Positions that a group leaves no freedom lie on twenty-fourths of its axes, and so do some of those it leaves some.
    """
    rotations, translations, _ = _group(number)
    places = np.indices((FINEST, FINEST, FINEST)).reshape(3, -1)
    stay = np.zeros(places.shape[1], dtype=int)
    for rotation, translation in zip(rotations, translations, strict=True):
        moved = rotation @ places - places + FINEST * translation[:, None]
        stay += (np.round(moved) % FINEST == 0).all(0)
    return len(rotations) // int(stay.max())


def _averaged(
    metric: Float[np.ndarray, "3 3"], number: int
) -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, " n"]]:
    """The metric in every basis, averaged over the group, and how far that is from the metric."""
    bases, _ = _bases()
    own = bases @ metric @ bases.transpose(0, 2, 1)
    averaged = (own.reshape(-1, 9) @ _group(number)[2]).reshape(-1, 3, 3)
    unit = np.linalg.inv(np.linalg.cholesky(own))
    off = unit @ averaged @ unit.transpose(0, 2, 1) - np.eye(3)
    return averaged, np.linalg.norm(off, axis=(1, 2))


def _root(square: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The symmetric matrix of which this is the square."""
    value, axes = np.linalg.eigh((square + square.T) / 2)
    root: Float[np.ndarray, "3 3"] = axes @ np.diag(np.sqrt(value)) @ axes.T
    return root


def _ways(chosen: Int[np.ndarray, " n"], number: int) -> tuple[Operations, ...]:
    """Operations of a group in the cell, by some of the bases: each set of them once.

    Places in a basis P are x P⁻¹ of those in the cell, so that W and w become Pᵀ W P⁻ᵀ and Pᵀ w.
    """
    rotations, translations, _ = _group(number)
    bases, inverses = (every[chosen][:, None] for every in _bases())
    turned = np.round(bases.transpose(0, 1, 3, 2) @ rotations @ inverses.transpose(0, 1, 3, 2))
    moved = np.einsum("ox,nxy->noy", translations, bases[:, 0])
    parts = np.round(24 * moved) % 24  # translations of space groups are twenty-fourths
    words = np.concatenate([turned.reshape(*turned.shape[:2], 9) + 12, parts], axis=2).astype(np.int64)
    keys = np.sort(words @ 31 ** np.arange(12), axis=1)  # each below 31: a number in that base
    _, first = np.unique(keys, axis=0, return_index=True)
    return tuple(Operations(turned[k], moved[k]) for k in sorted(first))
