"""Encoding by analysis and synthesis: move a latent until it decodes to its crystal.

The encoder's guess is improved by gradient descent on the decoder's own loss (Kim et al. 2018,
Semi-Amortized VAEs). Only the encoding side knows the crystal; the decoder sees the latent alone.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.config import Count, NotNegative, Positive, settings
from xtalcodec.crystal import Crystal, alone, nearest

LossOf = Callable[[Sequence[Crystal]], Callable[[Tensor], Tensor]]
"""Crystals → the loss of their latents."""

SAME_SHARE = 0.05
"""An occupancy that is off by more than this is another."""


@settings
class RefineConfig:
    """Settings of the refinement of latents by gradient descent."""

    tolerance: NotNegative = 0.02
    """Å: a crystal whose atoms are all this near their places is left as it is."""
    steps: Annotated[int, Field(ge=0)] = 60
    """Gradient steps at most."""
    check: Count = 10
    """Steps between looks at the atoms."""
    learning_rate: Positive = 0.03
    origins: Count = 8
    """Origins that are tried until the atoms come back: atoms fall on other places of the grid on each."""
    largest: Count = 4096
    """Cells of more patches keep the encoder's latent: a step takes many seconds there."""


def deviation(crystal: Crystal, sites: FoundAtoms) -> float:
    """Largest displacement of a site in Å; infinite where number, species or occupancies of the sites differ.

    Occupancies differ where one is off by more than `SAME_SHARE`.
    """
    if len(sites) != len(crystal):
        return float("inf")
    distance, index = nearest(crystal.frac_coords, sites.positions, crystal.lattice)
    if len(set(index.tolist())) < len(crystal) or not _same(crystal, sites, index):
        return float("inf")
    return float(distance.max())


def _same(crystal: Crystal, sites: FoundAtoms, index: Int[np.ndarray, " sites"]) -> bool:
    """Whether each site of the crystal holds what the found site of its index does."""
    if crystal.is_ordered and sites.occupancies is None:
        return bool((crystal.numbers == sites.numbers[index]).all())
    found = alone(sites.numbers) if sites.occupancies is None else sites.occupancies
    return bool((abs(crystal.shares() - found[index]) <= SAME_SHARE).all())


def refine(
    loss_of: LossOf,
    crystals: Sequence[Crystal],
    z: Tensor,
    read: Callable[[Tensor, Tensor], list[FoundAtoms]],
    config: RefineConfig,
) -> tuple[Tensor, list[float]]:
    """Refine latents by gradient descent through the decoder; return the best found, and their `deviation` in Å.

    (1) Crystals that come back within the tolerance keep their latent. (2) The others' descends; (3) every few
    steps the atoms are read, each crystal keeps the best latent so far, and those that are right leave.

    Parameters
    ----------
    loss_of
        Crystals → the loss of their latents.
    crystals
        Placed and moved to their origins, of one grid.
    z
        First guesses, one row a crystal.
    read
        (latents, lattices) → sites.
    config
        When and how far.

    Returns
    -------
    latents, one row a crystal; errors in Å
    """
    lattice = torch.from_numpy(np.stack([c.lattice for c in crystals])).float().to(z.device)
    errors = [deviation(c, s) for c, s in zip(crystals, read(z, lattice), strict=True)]
    best = z.clone()
    chosen = [k for k, error in enumerate(errors) if error > config.tolerance]
    if not chosen:
        return best, errors
    latent = z[chosen].clone()
    descent = Descent(latent, config.learning_rate)
    loss = loss_of([crystals[k] for k in chosen])
    for step in range(1, config.steps + 1):
        latent = descent.step(latent, loss)
        if step % config.check and step < config.steps:
            continue
        for row, (k, sites) in enumerate(zip(chosen, read(latent, lattice[chosen]), strict=True)):
            error = deviation(crystals[k], sites)
            if error < errors[k]:
                errors[k], best[k] = error, latent[row]
        left = [row for row, k in enumerate(chosen) if errors[k] > config.tolerance]
        if not left:
            break
        if len(left) < len(chosen):
            chosen = [chosen[row] for row in left]
            latent = descent.keep(latent, left)
            loss = loss_of([crystals[k] for k in chosen])
    return best, errors


class Descent:
    """Adam (Kingma & Ba 2015, algorithm 1) on rows that leave one by one, each with its own averages."""

    def __init__(self, latent: Tensor, rate: float) -> None:
        """Begin with averages of nothing, for rows like those of `latent`."""
        self.rate, self.steps = rate, 0
        self.mean, self.square = torch.zeros_like(latent), torch.zeros_like(latent)

    def step(self, latent: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """Take one step down."""
        latent = latent.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(latent), [latent])
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient.square()
        mean, square = self.mean / (1 - 0.9**self.steps), self.square / (1 - 0.999**self.steps)
        return latent.detach() - self.rate * mean / (square.sqrt() + 1e-8)

    def keep(self, latent: Tensor, rows: list[int]) -> Tensor:
        """Go on with some of the rows."""
        self.mean, self.square = self.mean[rows], self.square[rows]
        return latent[rows]
