"""Latents of planned cells, from noise or from codes that are brought back to it in part."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from xtalcodec.codecs.latents import CrystalCode
from xtalcodec.priors.flow.following import Follower
from xtalcodec.priors.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """Where a flow begins that does not begin with noise alone."""

    codes: Sequence[CrystalCode]
    """One for each cell, on its grid."""
    noise: float
    """What share of noise they are brought back to, 0 to 1: the time is then 1 − noise."""
    number: int
    """Of the return: each has random numbers of its own."""

    def of(self, rows: Sequence[int]) -> "Begun":
        """Return those of some of the cells."""
        return replace(self, codes=[self.codes[k] for k in rows])


def filled(
    follower: Follower,
    plans: Sequence[Plan],
    seed: int,
    temperature: float,
    part: CrystalCode | None,
    begun: Begun | None,
    noise: float,
) -> list[CrystalCode]:
    """Draw the latents of cells together.

    Parameters
    ----------
    follower
        The flow, and what is asked.
    plans, seed, temperature, part, begun
        As of `FlowPrior.filled`.
    noise
        What the decoder is to be told.
    """
    network, grids = follower.network, [plan.patches for plan in plans]
    counts = [math.prod(grid) for grid in grids]
    words = [] if begun is None else [begun.number]
    rngs = [np.random.default_rng([seed, plan.number, 1, plan.attempt, *words]) for plan in plans]
    about = {"lattice": follower.lattices(plans)}
    if part is not None:
        known = follower.standard([part]).expand(len(plans), -1, -1)
        about |= {"part": known, "given": torch.ones(len(plans), dtype=torch.bool, device=follower.device)}
    fresh = partial(follower.drawn, rngs, counts, len(network.latent_mean))
    x, since = temperature * fresh(), 0.0
    if begun is not None:
        x, since = begun.noise * x + (1 - begun.noise) * follower.standard(begun.codes), 1 - begun.noise
    z = network.plain(follower.follow(network.latents, x, grids, follower.told_of(plans), fresh, about, since))
    basis = np.eye(3, dtype=np.int64)
    return [
        CrystalCode(plan.name, row[:t], plan.patches, plan.lattice, basis, noise=noise)
        for plan, row, t in zip(plans, z.cpu().numpy(), counts, strict=True)
    ]
