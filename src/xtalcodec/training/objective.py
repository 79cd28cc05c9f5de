"""What training lowers: paint, encode, sample, decode, compare."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xtalcodec.atom_finders.heat import interpolate
from xtalcodec.networks.hoffmann import Hoffmann
from xtalcodec.networks.patch import PatchNetwork
from xtalcodec.representations.base import Patches, Voxels
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.density import species_map
from xtalcodec.representations.window import Cube
from xtalcodec.training.painted import Painted


@dataclass(frozen=True, slots=True)
class ObjectiveConfig:
    """What the loss weighs beside the network's own terms."""

    kl: float = 5e-5
    """Weight of the KL divergence per patch: enough to keep the latent near a unit normal's scale."""
    blur: float = 0.1
    """Voxels: species are read this far off the true positions, as decoding will read them."""


class PatchObjective(nn.Module):
    """A patch network and its representation as one module that returns its loss: what DDP can wrap."""

    def __init__(self, network: PatchNetwork, space: Voxels, config: ObjectiveConfig) -> None:
        super().__init__()
        self.network, self.space, self.config = network, space, config

    def forward(self, batch: CrystalBatch, patches: Patches) -> dict[str, Tensor]:
        """Return the terms of the loss, and the share of right species.

        (1) Paint the crystals, (2) encode and sample a latent, (3) decode it, (4) read the species
        near the true positions, (5) compare with the targets.
        """
        field = self.space.paint(batch, self.network.weights(batch.numbers), patches)
        latent = self.network.encode(field, batch.lattice, patches)
        decoded = self.network.decode(latent.sample(), batch.lattice, patches)
        which, position = self.space.positions(batch, patches)
        position = position + self.config.blur * torch.randn_like(position)
        species = self.network.species(interpolate(decoded.features, which, position, self.space.grid(patches)))
        numbers = batch.numbers[batch.mask]
        terms = self.network.loss(decoded, self.space.targets(batch, patches), species, numbers)
        terms["kl"] = self.config.kl * latent.kl().mean() / math.prod(patches)
        return terms | {"right_species": (species.argmax(-1) == numbers).float().mean().detach()}


class HoffmannObjective(nn.Module):
    """The paper's networks on its windows, trained together."""

    def __init__(self, network: Hoffmann, space: Cube) -> None:
        super().__init__()
        self.network, self.space = network, space

    def forward(self, batch: CrystalBatch | Painted, patches: Patches) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the terms of the loss: (1) paint, where the batch is not painted yet, (2) decode, (3) compare."""
        if isinstance(batch, CrystalBatch):
            batch = Painted(self.space.density(batch), species_map(self.space.atoms(batch), self.space.window))
        return self.network.loss(self.network(batch.density), batch.density, batch.species_map)


def open_objective(network: PatchNetwork | Hoffmann, space: Voxels, config: ObjectiveConfig) -> nn.Module:
    """Make the objective of a network."""
    if isinstance(network, PatchNetwork):
        return PatchObjective(network, space, config)
    if not isinstance(space, Cube):
        raise TypeError("the network 'hoffmann' works on windows")
    return HoffmannObjective(network, space)
