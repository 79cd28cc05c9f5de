"""What a set of samples is compared with in the same run: real crystals that were held out, and elements exchanged."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.elements import radii

NOBLE = (2, 10, 18, 36, 54, 86)
"""Atomic numbers of the noble gases."""

STABLE = tuple(z for z in range(1, 84) if z not in (*NOBLE, 43, 61))
"""Elements up to bismuth but for noble gases, technetium and promethium."""


def halves(crystals: Sequence[Crystal], seed: int) -> tuple[list[Crystal], list[Crystal]]:
    """Part crystals at random in two, of which the first has no fewer than the second.

    Raises
    ------
    ValueError
        Fewer than two crystals.
    """
    if len(crystals) < 2:
        raise ValueError("one reference crystal cannot be reference and held-out control; name more, or --held-out")
    order = np.random.default_rng(seed).permutation(len(crystals))
    cut = (len(crystals) + 1) // 2
    return [crystals[k] for k in sorted(order[:cut])], [crystals[k] for k in sorted(order[cut:])]


def drawn(crystals: Sequence[Crystal], count: int, seed: int) -> list[Crystal]:
    """So many crystals at random, in their order; all where there are no more.

    Parameters
    ----------
    crystals
        Of which some are drawn, each once at most.
    count
        How many.
    seed
        Of the draw.
    """
    if count >= len(crystals):
        return list(crystals)
    chosen = np.random.default_rng(seed).choice(len(crystals), count, replace=False)
    return [crystals[k] for k in sorted(chosen)]


def substituted(crystals: Sequence[Crystal], count: int, seed: int) -> list[Crystal]:
    """Exchange all elements of crystals that are drawn at random, with replacement.

    Each element becomes another one, no two the same, drawn from those of all the crystals, or from `STABLE` where
    these are too few (as for carbon). Sites stay where they are in the cell; the cell takes the size at which the
    mean covalent radius over the cell's edge is what it was.

    Parameters
    ----------
    crystals
        Of which the elements are exchanged.
    count
        Crystals to make.
    seed
        Of the draws.

    Raises
    ------
    ValueError
        No crystal.
    """
    if not crystals:
        raise ValueError("there is no crystal whose elements could be exchanged")
    generator = np.random.default_rng(seed)
    present = np.unique(np.concatenate([crystal.numbers for crystal in crystals]))
    most = max(len(np.unique(crystal.numbers)) for crystal in crystals)
    pool = present if len(present) >= 2 * most else np.array(STABLE)
    picked = generator.integers(len(crystals), size=count)
    return [_exchanged(crystals[k], pool, generator, place) for place, k in enumerate(picked.tolist())]


def _exchanged(crystal: Crystal, pool: np.ndarray, generator: np.random.Generator, place: int) -> Crystal:
    old, which = np.unique(crystal.numbers, return_inverse=True)
    new = generator.choice(np.setdiff1d(pool, old), len(old), replace=False)
    numbers = new[which]
    size = radii(numbers).sum() / radii(crystal.numbers).sum()
    name = f"{crystal.name}~{place + 1}"
    return replace(crystal, lattice=crystal.lattice * size, numbers=numbers, name=name)
