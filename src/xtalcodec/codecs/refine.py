"""Encoding by analysis and synthesis: move a latent until it decodes to its crystal.

The encoder's guess is improved by gradient descent on the decoder's own loss (Kim et al. 2018,
Semi-Amortized VAEs). Only the encoding side knows the crystal; the decoder sees the latent alone.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.config import Count, NotNegative, Positive, settings
from xtalcodec.crystal import Crystal, minimum_image

LossOf = Callable[[Sequence[Crystal]], Callable[[Tensor], Tensor]]
"""Crystals → the loss of their latents."""


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


def deviation(crystal: Crystal, sites: FoundAtoms) -> float:
    """Largest displacement of a site in Å; infinite where number or species of the sites differ."""
    if len(sites) != len(crystal):
        return float("inf")
    apart = minimum_image(crystal.frac_coords[:, None] - sites.positions)
    distance = np.linalg.norm(apart @ crystal.lattice, axis=-1)
    distance[crystal.numbers[:, None] != sites.numbers] = np.inf
    one_to_one = len(set(distance.argmin(1).tolist())) == len(crystal)
    return float(distance.min(1).max()) if one_to_one else float("inf")


def refine(
    loss_of: LossOf,
    crystals: Sequence[Crystal],
    z: Tensor,
    read: Callable[[Tensor, Tensor], list[FoundAtoms]],
    config: RefineConfig,
) -> tuple[Tensor, list[float]]:
    """Refine latents by gradient descent through the decoder; return the best found, and their `deviation` in Å.

    (1) Crystals that come back within the tolerance keep their latent. (2) The others' descends;
    (3) every few steps the atoms are read, and each crystal keeps the best latent so far.

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
    chosen = [k for k, error in enumerate(errors) if error > config.tolerance]
    best = z.clone()
    if not chosen:
        return best, errors
    latent = z[chosen].clone().requires_grad_()
    optimiser = torch.optim.Adam([latent], lr=config.learning_rate)
    loss = loss_of([crystals[k] for k in chosen])
    for step in range(1, config.steps + 1):
        (latent.grad,) = torch.autograd.grad(loss(latent), [latent])
        optimiser.step()
        if step % config.check and step < config.steps:
            continue
        for row, (k, sites) in enumerate(zip(chosen, read(latent.detach(), lattice[chosen]), strict=True)):
            error = deviation(crystals[k], sites)
            if error < errors[k]:
                errors[k], best[k] = error, latent.detach()[row]
        if max(errors) <= config.tolerance:
            break
    return best, errors
