"""Encoding by analysis and synthesis: move a latent until it decodes to its crystal.

The encoder's guess is improved by gradient descent on the decoder's own loss (Kim et al. 2018,
Semi-Amortized VAEs). Only the encoding side knows the crystal; the decoder sees the latent alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xtalcodec.crystal import Crystal
from xtalcodec.fields.batch import CrystalBatch
from xtalcodec.fields.periodic import Patches, Periodic
from xtalcodec.models.patch import PatchNetwork
from xtalcodec.sites import Sites, interpolate


@dataclass(frozen=True, slots=True)
class RefineConfig:
    """When and how far a latent is refined."""

    tolerance: float = 0.05
    """Å: an atom this near its own place has come back."""
    steps: int = 60
    """Gradient steps at most."""
    check: int = 15
    """Steps between looks at the atoms."""
    learning_rate: float = 0.03


def comes_back(crystal: Crystal, sites: Sites, config: RefineConfig) -> bool:
    """Whether the sites are the crystal's: as many, of the same species, within the tolerance."""
    if len(sites.numbers) != len(crystal):
        return False
    apart = crystal.frac_coords[:, None] - sites.frac_coords
    distance = np.linalg.norm((apart - apart.round()) @ crystal.lattice, axis=-1)
    distance[crystal.numbers[:, None] != sites.numbers] = np.inf
    nearest = distance.argmin(1)
    return bool(distance.min(1).max() < config.tolerance) and len(set(nearest.tolist())) == len(crystal)


def refine(
    network: PatchNetwork,
    space: Periodic,
    crystals: Sequence[Crystal],
    patches: Patches,
    z: Tensor,
    read: Callable[[Tensor, Tensor], list[Sites]],
    config: RefineConfig,
) -> Tensor:
    """Return latents that decode to their crystals where that can be had, the first guess elsewhere.

    Parameters
    ----------
    crystals: Niggli-reduced, of one grid.
    z: first guesses, one row a crystal.
    read: (latent, lattice) → sites.
    """
    batch = CrystalBatch.collate(crystals, z.device)
    targets = space.targets(batch, patches)
    grid = space.grid(patches)
    which, _ = batch.mask.nonzero(as_tuple=True)
    position = batch.frac_coords[batch.mask] * torch.tensor(grid, device=z.device)
    numbers = batch.numbers[batch.mask]
    latent = z.clone().requires_grad_()
    best = z.clone()
    open_ = set(range(len(crystals)))
    optimiser = torch.optim.Adam([latent], lr=config.learning_rate)
    for step in range(1, config.steps + 1):
        decoded = network.decode(latent, batch.lattice, patches)
        species = network.species(interpolate(decoded.features, which, position, grid))
        loss = torch.stack([*network.loss(decoded, targets, species, numbers).values()]).sum()
        (latent.grad,) = torch.autograd.grad(loss, [latent])
        optimiser.step()
        if step % config.check == 0 or step == config.steps:
            found = read(latent.detach(), batch.lattice)
            done = {k for k in open_ if comes_back(crystals[k], found[k], config)}
            best[list(done)] = latent.detach()[list(done)]
            open_ -= done
            if not open_:
                break
    return best
