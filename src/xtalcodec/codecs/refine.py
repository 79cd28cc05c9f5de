"""Encoding by analysis and synthesis: move a latent until it decodes to its crystal.

A guess is improved by gradient descent on the decoder's own loss (Kim et al. 2018, Semi-Amortized VAEs). Only the
encoding side knows the crystal; the decoder sees the latent alone.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.misfit import Misfit, misfit
from xtalcodec.config import Count, NotNegative, Positive, settings
from xtalcodec.crystal import Crystal

LossOf = Callable[[Sequence[Crystal]], Callable[[Tensor], Tensor]]
"""Crystals → the loss of their latents."""


@settings
class RefineConfig:
    """Settings of the refinement of latents: by correction, and where that is not enough by gradient descent."""

    tolerance: NotNegative = 0.01
    """Å: a crystal whose atoms are all this near their places needs no correction, where latents are corrected."""
    corrections: Annotated[int, Field(ge=0)] = 6
    """Corrections at most, on each origin."""
    retried: NotNegative = 0.03
    """Å: crystals that are wrong or have a site farther off than this are corrected on other origins too."""
    displaced: NotNegative = 0.1
    """Å: gradient descent is for crystals that are wrong or have a site farther off than this, and ends within it. So
    are further origins, where what is read is checked."""
    steps: Annotated[int, Field(ge=0)] = 60
    """Gradient steps at most."""
    check: Count = 10
    """Steps between looks at the atoms."""
    learning_rate: Positive = 0.03
    origins: Count = 8
    """Origins that are tried until the atoms come back: atoms fall on other places of the grid on each."""
    largest: Count = 4096
    """Cells of more patches are corrected on one origin, and that is all: a look takes many seconds there."""


def refine(
    loss_of: LossOf,
    crystals: Sequence[Crystal],
    z: Tensor,
    read: Callable[[Tensor, Tensor], list[FoundAtoms]],
    config: RefineConfig,
) -> tuple[Tensor, list[Misfit]]:
    """Refine latents by gradient descent through the decoder; return the best found, and their misfits.

    (1) Crystals that are right and not `displaced` keep their latent. (2) The others' descends; (3) every few steps
    the atoms are read, each crystal keeps the best latent so far, and those that are right leave.

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
    latents, one row a crystal; misfits
    """
    lattice = torch.from_numpy(np.stack([c.lattice for c in crystals])).float().to(z.device)
    misfits = [misfit(c, s) for c, s in zip(crystals, read(z, lattice), strict=True)]
    best = z.clone()
    chosen = [k for k, found in enumerate(misfits) if not found.within(config.displaced)]
    if not chosen:
        return best, misfits
    latent = z[chosen].clone()
    descent = Descent(latent, config.learning_rate)
    loss = loss_of([crystals[k] for k in chosen])
    for step in range(1, config.steps + 1):
        latent = descent.step(latent, loss)
        if step % config.check and step < config.steps:
            continue
        for row, (k, sites) in enumerate(zip(chosen, read(latent, lattice[chosen]), strict=True)):
            found = misfit(crystals[k], sites)
            if found < misfits[k]:
                misfits[k], best[k] = found, latent[row]
        left = [row for row, k in enumerate(chosen) if not misfits[k].within(config.displaced)]
        if not left:
            break
        if len(left) < len(chosen):
            chosen = [chosen[row] for row in left]
            latent = descent.keep(latent, left)
            loss = loss_of([crystals[k] for k in chosen])
    return best, misfits


class Descent:
    """Adam (Kingma & Ba 2015, algorithm 1) on rows that leave one by one, each with its own averages."""

    def __init__(self, latent: Tensor, rate: float) -> None:
        """Begin with averages of nothing, for rows like those of `latent`."""
        self.rate, self.steps = rate, 0
        self.mean, self.square = torch.zeros_like(latent), torch.zeros_like(latent)

    def step(self, latent: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """Take one step down."""
        latent = latent.detach().requires_grad_()
        with torch.enable_grad():
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
