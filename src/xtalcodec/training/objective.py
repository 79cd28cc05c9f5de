"""What training lowers: paint, encode, sample, decode, compare."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xtalcodec.fields.batch import CrystalBatch
from xtalcodec.fields.voxels import Patches, Voxels
from xtalcodec.models.patch import PatchNetwork
from xtalcodec.sites.heat import interpolate


@dataclass(frozen=True, slots=True)
class ObjectiveConfig:
    """What the loss weighs beside the network's own terms."""

    kl: float = 5e-5
    """Weight of the KL divergence per patch: enough to keep the latent near a unit normal's scale."""
    blur: float = 0.1
    """Voxels: species are read this far off the true positions, as decoding will read them."""


class Objective(nn.Module):
    """A network and its representation as one module that returns its loss: what DDP can wrap."""

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
