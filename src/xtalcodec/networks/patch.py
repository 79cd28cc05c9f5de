"""`patch`: voxels in patches, a transformer on the torus of patches, a few latent numbers a patch.

Nothing knows an absolute position: attention sees only the displacement of two patches around
the torus, so moving a crystal by whole patches moves its latent with it.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from xtalcodec.config import Count, settings
from xtalcodec.networks.base import Network, NetworkConfig
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.torus_transformer import Block, TorusBias, lattice_features
from xtalcodec.representations.base import Patches, Targets

FIELD_SCALE = 10.0
"""A normalised Gaussian 0.9 voxels wide peaks at 0.09; the network's input should be about 1."""


@settings
class PatchConfig(NetworkConfig):
    """Sizes of the network."""

    kind: Literal["patch"] = "patch"
    patch: Count = 4
    """Voxels along a patch; the representation's."""
    channels: Count = 16
    """Learned density channels of the painted field."""
    width: Count = 192
    heads: Count = 6
    encoder_layers: Count = 2
    decoder_layers: Count = 4
    latent: Count = 8
    """Latent numbers per patch."""
    features: Count = 16
    """Species features per decoded voxel."""
    species: Count = 100
    """Atomic numbers 1…species are told apart."""

    def __post_init__(self) -> None:
        """Refuse heads that do not share out the width."""
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of {self.heads} heads")


@dataclass(frozen=True, slots=True)
class DecodedField:
    """Output of the decoder at each voxel, voxels in C order of the grid."""

    heat: Float[Tensor, "b voxels"]
    """Logits of the heat that marks atoms."""
    offset: Float[Tensor, "b voxels 3"]
    """From the voxel to its nearest atom, in voxels."""
    features: Float[Tensor, "b voxels features"]
    """What `PatchNetwork.species` reads an atom's species from."""


class PatchNetwork(Network):
    """Compresses a periodic field of voxels to `latent` numbers per patch and back."""

    hidden = ("encoder.", "decoder.", "embed.", "appearance.")

    def __init__(self, config: PatchConfig) -> None:
        """Make the layers; nothing depends on the size of a crystal."""
        super().__init__()
        self.config = c = config
        voxels = c.patch**3
        self.weights = nn.Embedding(c.species + 1, c.channels)
        self.embed = nn.Linear(voxels * c.channels, c.width)
        self.lattice_in, self.lattice_out = nn.Linear(9, c.width), nn.Linear(9, c.width)
        self.bias = TorusBias(c.encoder_layers + c.decoder_layers, c.heads)
        self.encoder = nn.ModuleList(Block(c.width, c.heads) for _ in range(c.encoder_layers))
        self.decoder = nn.ModuleList(Block(c.width, c.heads) for _ in range(c.decoder_layers))
        self.norm_in, self.norm_out = nn.LayerNorm(c.width), nn.LayerNorm(c.width)
        self.to_latent, self.from_latent = nn.Linear(c.width, 2 * c.latent), nn.Linear(c.latent, c.width)
        self.geometry = nn.Linear(c.width, voxels * 4)
        self.appearance = nn.Linear(c.width, voxels * c.features)
        self.species_head = nn.Sequential(nn.Linear(c.features, 128), nn.GELU(), nn.Linear(128, c.species + 1))

    def encode(
        self, field: Float[Tensor, "b nx ny nz channels"], lattice: Float[Tensor, "b 3 3"], patches: Patches
    ) -> DiagonalGaussian:
        """Field → distribution of the latent: (1) cut into patches, (2) embed, (3) mix, (4) project.

        Parameters
        ----------
        field
            Painted density channels.
        lattice
            Cell vectors of the grid, rows in Å.
        patches
            Patches of the grid along its axes.
        """
        p = self.config.patch
        x = field.unflatten(1, (-1, p)).unflatten(3, (-1, p)).unflatten(5, (-1, p))  # b X p Y p Z p c
        x = x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(len(field), math.prod(patches), -1)
        x = self.embed(FIELD_SCALE * x) + self.lattice_in(lattice_features(lattice, patches))[:, None]
        bias = self.bias(patches)
        for k, block in enumerate(self.encoder):
            x = block(x, bias[k])
        mean, log_var = self.to_latent(self.norm_in(x)).float().chunk(2, -1)
        return DiagonalGaussian(mean, log_var.clamp(-14, 4))

    def decode(
        self, z: Float[Tensor, "b patches latent"], lattice: Float[Tensor, "b 3 3"], patches: Patches
    ) -> DecodedField:
        """Latent → field: (1) embed, (2) mix, (3) spread every patch to its voxels.

        Parameters
        ----------
        z
            Latents, one row a patch.
        lattice
            Cell vectors of the grid, rows in Å.
        patches
            Patches of the grid along its axes.
        """
        x = self.from_latent(z) + self.lattice_out(lattice_features(lattice, patches))[:, None]
        bias = self.bias(patches)
        for k, block in enumerate(self.decoder):
            x = block(x, bias[len(self.encoder) + k])
        x = self.norm_out(x)
        geometry = self.spread(self.geometry(x).float(), patches)
        return DecodedField(geometry[..., 0], geometry[..., 1:], self.spread(self.appearance(x).float(), patches))

    def spread(self, x: Float[Tensor, "b t values"], patches: Patches) -> Float[Tensor, "b voxels c"]:
        """Patches → voxels in C order of the grid."""
        p = self.config.patch
        x = x.view(len(x), *patches, p, p, p, -1).permute(0, 1, 4, 2, 5, 3, 6, 7)
        return x.reshape(len(x), math.prod(patches) * p**3, -1)

    def species(self, features: Float[Tensor, "*sites features"]) -> Float[Tensor, "*sites z"]:
        """Logits of the atomic number of sites from the features read at their positions."""
        return self.species_head(features).float()

    def loss(
        self, decoded: DecodedField, targets: Targets, species: Float[Tensor, "sites z"], numbers: Int[Tensor, " sites"]
    ) -> dict[str, Tensor]:
        """Named terms of the loss, weighted; their sum is what training lowers.

        Heat is a cross-entropy over all voxels, weighted towards the few that are warm; offsets
        count near atoms; species count once an atom.

        Parameters
        ----------
        decoded
            What the decoder says of each voxel.
        targets
            What it should say.
        species
            Logits of the sites' species.
        numbers
            Atomic numbers of the sites.
        """
        heat = F.binary_cross_entropy_with_logits(decoded.heat, targets.heat, weight=1 + 20 * targets.heat)
        offset = F.smooth_l1_loss(decoded.offset.flatten(0, 1)[targets.near], targets.offset, beta=0.02)
        return {"heat": 10 * heat, "offset": 2 * offset, "species": F.cross_entropy(species, numbers)}
