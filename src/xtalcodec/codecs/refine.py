"""Encoding by analysis and synthesis: move a latent until it decodes to its crystal.

The encoder's guess is improved by gradient descent on the decoder's own loss (Kim et al. 2018,
Semi-Amortized VAEs). Only the encoding side knows the crystal; the decoder sees the latent alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xtalcodec.atom_finders.found import Sites
from xtalcodec.atom_finders.heat import interpolate
from xtalcodec.crystal import Crystal
from xtalcodec.networks.patch import PatchNetwork
from xtalcodec.representations.base import Patches, Voxels
from xtalcodec.representations.batch import CrystalBatch


@dataclass(frozen=True, slots=True)
class RefineConfig:
    """When and how far a latent is refined."""

    tolerance: float = 0.02
    """Å: a crystal whose atoms are all this near their places is left as it is."""
    steps: int = 60
    """Gradient steps at most."""
    check: int = 10
    """Steps between looks at the atoms."""
    learning_rate: float = 0.03
    origins: int = 8
    """Origins that are tried until the atoms come back: atoms fall on other places of the grid on each."""


def deviation(crystal: Crystal, sites: Sites) -> float:
    """Distance in Å of the worst site from its place; infinite where sites and crystal are not the same atoms."""
    if len(sites.numbers) != len(crystal):
        return float("inf")
    apart = crystal.frac_coords[:, None] - sites.frac_coords
    distance = np.linalg.norm((apart - apart.round()) @ crystal.lattice, axis=-1)
    distance[crystal.numbers[:, None] != sites.numbers] = np.inf
    one_to_one = len(set(distance.argmin(1).tolist())) == len(crystal)
    return float(distance.min(1).max()) if one_to_one else float("inf")


def refine(
    network: PatchNetwork,
    space: Voxels,
    crystals: Sequence[Crystal],
    patches: Patches,
    z: Tensor,
    read: Callable[[Tensor, Tensor], list[Sites]],
    config: RefineConfig,
) -> tuple[Tensor, list[float]]:
    """Return latents that decode to their crystals as nearly as can be had, and their `deviation`.

    (1) Crystals that come back within the tolerance keep their latent. (2) The others' descends;
    (3) every few steps the atoms are read, and each crystal keeps the best latent so far.

    Parameters
    ----------
    crystals: Niggli-reduced, of one grid.
    z: first guesses, one row a crystal.
    read: (latent, lattice) → sites.
    """
    lattice = torch.from_numpy(np.stack([c.lattice for c in crystals])).float().to(z.device)
    errors = [deviation(c, s) for c, s in zip(crystals, read(z, lattice), strict=True)]
    chosen = [k for k, error in enumerate(errors) if error > config.tolerance]
    best = z.clone()
    if not chosen:
        return best, errors
    batch = space.collate([crystals[k] for k in chosen], z.device)
    latent = z[chosen].clone().requires_grad_()
    optimiser = torch.optim.Adam([latent], lr=config.learning_rate)
    loss = _Loss(network, space, batch, patches)
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


class _Loss:
    """The decoder's own loss of latents against their crystals."""

    def __init__(self, network: PatchNetwork, space: Voxels, batch: CrystalBatch, patches: Patches) -> None:
        self.network, self.batch, self.patches = network, batch, patches
        self.targets, self.grid = space.targets(batch, patches), space.grid(patches)
        self.which, self.position = space.positions(batch, patches)
        self.numbers = batch.numbers[batch.mask]

    def __call__(self, z: Tensor) -> Tensor:
        decoded = self.network.decode(z, self.batch.lattice, self.patches)
        species = self.network.species(interpolate(decoded.features, self.which, self.position, self.grid))
        terms = self.network.loss(decoded, self.targets, species, self.numbers)
        return torch.stack([*terms.values()]).sum()
