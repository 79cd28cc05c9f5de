"""Crystals made from others: supercells, slabs in vacuum, strained and sheared cells."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.images import wrapped

LARGEST = 120
"""Sites of a crystal that is made."""
STRAIN = 0.08
"""Standard deviation of the entries of a strain."""
GAP = (3.0, 25.0)
"""Å: least and most of vacuum between the slabs."""


def derive(crystals: Sequence[Crystal], share: float, seed: int) -> list[Crystal]:
    """Make `share` times as many crystals as there are, each from one of them at random.

    Parameters
    ----------
    crystals
        To make others from.
    share
        How many for each of them.
    seed
        Of the random numbers; the same seed makes the same crystals.
    """
    rng = np.random.default_rng([seed, 1])
    chosen = rng.integers(0, len(crystals), round(share * len(crystals)))
    return [KINDS[rng.integers(len(KINDS))](crystals[k], rng) for k in chosen]


def strained(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """Strain and shear the cell at random."""
    strain = np.eye(3) + STRAIN * rng.standard_normal((3, 3))
    return replace(crystal, lattice=crystal.lattice @ strain)


def repeated(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """Repeat the cell along a random axis, and again, as long as it stays small."""
    counts = np.ones(3, dtype=np.int64)
    for axis in rng.permutation(3)[: rng.integers(1, 4)]:
        counts[axis] += rng.integers(1, 3)
        if len(crystal) * counts.prod() > LARGEST:
            counts[axis] = 1
    return supercell(crystal, counts)


def slab(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """Cut the crystal along a plane of its cell and set its layers apart by vacuum."""
    axis = int(rng.integers(3))
    turned = crystal.in_basis(np.roll(np.eye(3, dtype=np.int64), 2 - axis, axis=0))
    lattice = turned.lattice
    normal = np.cross(lattice[0], lattice[1])
    normal /= np.linalg.norm(normal)
    height = abs(float(lattice[2] @ normal))
    layers = int(np.clip(round(float(rng.uniform(1, 10)) / height), 1, max(1, LARGEST // len(turned))))
    thick = supercell(turned.translated(rng.random(3)), np.array([1, 1, layers]))
    frac = wrapped(thick.frac_coords)
    positions = frac @ thick.lattice
    direction = np.sign(float(thick.lattice[2] @ normal)) * normal
    below = (thick.lattice[2] @ direction) * direction
    extent = below + rng.uniform(*GAP) * direction
    open_lattice = np.stack([thick.lattice[0], thick.lattice[1], extent])
    return replace(thick, lattice=open_lattice, frac_coords=positions @ np.linalg.inv(open_lattice))


def supercell(crystal: Crystal, counts: Int[np.ndarray, "3"]) -> Crystal:
    """Repeat the cell so many times along each axis."""
    shifts = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), -1).reshape(-1, 1, 3)
    frac: Float[np.ndarray, "sites 3"] = ((crystal.frac_coords + shifts) / counts).reshape(-1, 3)
    shares = None if crystal.occupancies is None else np.tile(crystal.occupancies, (len(shifts), 1))
    return replace(
        crystal,
        lattice=crystal.lattice * counts[:, None],
        frac_coords=frac,
        numbers=np.tile(crystal.numbers, len(shifts)),
        occupancies=shares,
    )


KINDS = (strained, repeated, slab)
"""Ways of making a crystal from another."""
