"""`patch`: voxels in patches, a transformer on the torus of patches, a few latent numbers a patch.

Nothing knows an absolute position: attention sees only the displacement of two patches around
the torus, so moving a crystal by whole patches moves its latent with it.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xtalcodec.config import Count, NotNegative, settings
from xtalcodec.networks.abreast import Abreast
from xtalcodec.networks.base import Network, NetworkConfig
from xtalcodec.networks.decoded_field import DecodedField, SpeciesLogits
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.torus_transformer import (
    Block,
    Mixing,
    Modulation,
    TorusBias,
    lattice_features,
)
from xtalcodec.representations.base import Patches

FIELD_SCALE = 10.0
"""A normalised Gaussian 0.9 voxels wide peaks at 0.09; the network's input should be about 1."""

EXACT = -14.0
"""Logarithm of a variance that is none."""
MEMORY = 0.01
"""How fast the running mean and deviation of the latent follow those of a batch."""


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
    mixtures: bool = False
    """Whether sites can be shared by elements, or partly empty."""
    noise: NotNegative = 0.0
    """Largest noise of the latent, in its standard deviations, that the decoder learns to live with and is told of. 0:
    none, and the latent has a scale and a variance of its own; otherwise each of its numbers has unit variance."""

    def __post_init__(self) -> None:
        """Refuse heads that do not share out the width."""
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of {self.heads} heads")


class NoiseLevel(nn.Module):
    """What the decoder is told of the noise: added to its input, and scaling and moving what its layers normalise."""

    def __init__(self, width: int, layers: int) -> None:
        """Make a small network that says nothing yet."""
        super().__init__()
        self.width, self.layers = width, layers
        last = nn.Linear(64, (1 + 4 * layers) * width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.mlp = nn.Sequential(nn.Linear(2, 64), nn.GELU(), last)

    def forward(self, noise: Float[Tensor, " b"]) -> Float[Tensor, "b numbers"]:
        """Level → all that is said of it."""
        return self.mlp(torch.stack([noise, (noise + 0.01).log()], -1))

    def parts(self, said: Float[Tensor, "b t numbers"]) -> tuple[Float[Tensor, "b t width"], list[Modulation]]:
        """What is said → what is added, and the modulation of every layer."""
        added, *rest = said.unflatten(-1, (1 + 4 * self.layers, self.width)).unbind(2)
        return added, [Modulation(*rest[4 * k : 4 * k + 4]) for k in range(self.layers)]


class PatchNetwork(Network):
    """Compresses a periodic field of voxels to `latent` numbers per patch and back."""

    hidden = ("encoder.", "decoder.", "embed.", "appearance.")
    latent_mean: Tensor
    latent_deviation: Tensor

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
        self.to_latent = nn.Linear(c.width, c.latent if c.noise else 2 * c.latent)
        self.from_latent = nn.Linear(c.latent, c.width)
        if c.noise:
            self.register_buffer("latent_mean", torch.zeros(c.latent))
            self.register_buffer("latent_deviation", torch.ones(c.latent))
            self.level = NoiseLevel(c.width, c.decoder_layers)
        self.geometry = nn.Linear(c.width, voxels * 4)
        self.appearance = nn.Linear(c.width, voxels * c.features)
        self.species_head = nn.Sequential(nn.Linear(c.features, 128), nn.GELU(), nn.Linear(128, c.species + 1))
        if c.mixtures:
            self.sharing_head = nn.Sequential(nn.Linear(c.features, 64), nn.GELU(), nn.Linear(64, 2))

    def encode(
        self, field: Float[Tensor, "b nx ny nz channels"], lattice: Float[Tensor, "b 3 3"], patches: Patches
    ) -> DiagonalGaussian:
        """Field → distribution of the latent, of crystals on one grid, see `encode_each`.

        Parameters
        ----------
        field
            Painted density channels.
        lattice
            Cell vectors of the grid, rows in Å.
        patches
            Patches of the grid along its axes.
        """
        return self.encode_each([field], lattice, [patches])[0]

    def encode_each(
        self,
        fields: Sequence[Float[Tensor, "_ _ _ _ channels"]],
        lattice: Float[Tensor, "crystals 3 3"],
        grids: Sequence[Patches],
    ) -> list[DiagonalGaussian]:
        """Fields of several grids → distributions of latents: (1) cut into patches, (2) embed, (3) mix, (4) project.

        Grids do not know of each other: together they are faster.

        Parameters
        ----------
        fields
            Painted density channels of each batch.
        lattice
            Cell vectors of the grid of every crystal of all batches, rows in Å.
        grids
            Patches along the axes of the grid of each batch.
        """
        abreast = Abreast.of(fields, grids)
        x = self.embed(FIELD_SCALE * abreast.join([self._cut(*batch) for batch in zip(fields, grids, strict=True)]))
        each = [patches for field, patches in zip(fields, grids, strict=True) for _ in field]
        x = x + abreast.spread(self.lattice_in(lattice_features(lattice, each)))
        biases = abreast.biases(self.bias, grids)
        for k, block in enumerate(self.encoder):
            x = block(x, biases[k])
        latent = self.to_latent(self.norm_in(x)).float()
        return [self._distribution(own) for own in abreast.split(latent)]

    def _cut(self, field: Float[Tensor, "b nx ny nz channels"], patches: Patches) -> Float[Tensor, "b t values"]:
        """Voxels → patches, in C order of the grid."""
        p = self.config.patch
        x = field.unflatten(1, (-1, p)).unflatten(3, (-1, p)).unflatten(5, (-1, p))  # b X p Y p Z p c
        return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(len(field), math.prod(patches), -1)

    def _distribution(self, latent: Float[Tensor, "b t numbers"]) -> DiagonalGaussian:
        """Distribution of what the encoder says."""
        if self.config.noise:
            if self.training and self.to_latent.weight.requires_grad:
                self._follow(latent.detach())
            mean = (latent - self.latent_mean) / self.latent_deviation
            return DiagonalGaussian(mean, torch.full_like(mean, EXACT))
        mean, log_var = latent.chunk(2, -1)
        return DiagonalGaussian(mean, log_var.clamp(EXACT, 4))

    @torch.no_grad()
    def _follow(self, latent: Float[Tensor, "b patches latent"]) -> None:
        """Let the running mean and deviation follow a batch's."""
        mean = self.latent_mean.lerp(latent.mean((0, 1)), MEMORY)
        square = (latent - self.latent_mean).square().mean((0, 1))
        self.latent_deviation.copy_(self.latent_deviation.square().lerp(square, MEMORY).sqrt())
        self.latent_mean.copy_(mean)

    def decode(
        self,
        z: Float[Tensor, "b patches latent"],
        lattice: Float[Tensor, "b 3 3"],
        patches: Patches,
        noise: Float[Tensor, " b"] | None = None,
    ) -> DecodedField:
        """Latent → field, of crystals on one grid, see `decode_each`.

        Parameters
        ----------
        z
            Latents, one row a patch.
        lattice
            Cell vectors of the grid, rows in Å.
        patches
            Patches of the grid along its axes.
        noise
            Standard deviation of what has been added to each crystal's latent; None for nothing.
        """
        return self.decode_each([z], lattice, [patches], noise)[0]

    def decode_each(
        self,
        z: Sequence[Float[Tensor, "_ _ latent"]],
        lattice: Float[Tensor, "crystals 3 3"],
        grids: Sequence[Patches],
        noise: Float[Tensor, " crystals"] | None = None,
    ) -> list[DecodedField]:
        """Latents of several grids → fields: (1) embed, (2) mix, (3) spread every patch to its voxels.

        Grids do not know of each other: together they are faster.

        Parameters
        ----------
        z
            Latents of each batch, one row a patch.
        lattice
            Cell vectors of the grid of every crystal of all batches, rows in Å.
        grids
            Patches along the axes of the grid of each batch.
        noise
            Standard deviation of what has been added to each crystal's latent; None for nothing.

        Raises
        ------
        ValueError
            Noise, and a network that does not know of it.
        """
        abreast = Abreast.of(z, grids)
        each = [patches for own, patches in zip(z, grids, strict=True) for _ in own]
        x = self.from_latent(abreast.join(z)) + abreast.spread(self.lattice_out(lattice_features(lattice, each)))
        said = self._said(noise, lattice)
        if said is not None:
            said = said[None] if len(said) == 1 else abreast.spread(said)
        x = self._decoded(x, abreast.biases(self.bias, grids), said)
        fields = abreast.split(self.geometry(x).float()), abreast.split(self.appearance(x).float())
        return [self._field(*own) for own in zip(*fields, grids, strict=True)]

    def _said(self, noise: Float[Tensor, " b"] | None, like: Tensor) -> Float[Tensor, "#b numbers"] | None:
        """What the layers are told of the noise, once where there is none; None from a network that knows of none."""
        if self.config.noise:
            return self.level(like.new_zeros(1) if noise is None else noise)
        if noise is not None and bool(noise.any()):
            raise ValueError("this network has not learnt to decode latents with noise")
        return None

    def _decoded(
        self,
        x: Float[Tensor, "b t width"],
        biases: Sequence[Mixing],
        said: Float[Tensor, "#b #t numbers"] | None,
    ) -> Float[Tensor, "b t width"]:
        """Mix patches, told of the noise."""
        modulation: Sequence[Modulation | None] = [None] * len(self.decoder)
        if said is not None:
            added, modulation = self.level.parts(said)
            x = x + added
        for k, block in enumerate(self.decoder):
            x = block(x, biases[len(self.encoder) + k], modulation[k])
        return self.norm_out(x)

    def _field(
        self, geometry: Float[Tensor, "b t values"], appearance: Float[Tensor, "b t more"], patches: Patches
    ) -> DecodedField:
        """Spread every patch to its voxels."""
        voxels = self.spread(geometry, patches)
        return DecodedField(voxels[..., 0], voxels[..., 1:], self.spread(appearance, patches))

    def freeze_encoder(self) -> None:
        """Let the decoder alone learn: latents stay what they are. The attention bias, which both share, stays too."""
        encoder = (self.weights, self.embed, self.lattice_in, self.bias, self.encoder, self.norm_in, self.to_latent)
        for part in encoder:
            part.requires_grad_(False)

    @torch.no_grad()
    def calibrate(self, latent: Float[Tensor, "n latent"]) -> None:
        """Give the latent unit variance by a sample of what the encoder says now; the decoder says what it said."""
        mean, deviation = latent.mean(0), latent.std(0)
        raw = latent * self.latent_deviation + self.latent_mean
        self.latent_mean.copy_(raw.mean(0))
        self.latent_deviation.copy_(raw.std(0))
        self.from_latent.bias.add_(self.from_latent.weight @ mean)
        self.from_latent.weight.mul_(deviation)

    def spread(self, x: Float[Tensor, "b t values"], patches: Patches) -> Float[Tensor, "b voxels c"]:
        """Patches → voxels in C order of the grid."""
        p = self.config.patch
        x = x.view(len(x), *patches, p, p, p, -1).permute(0, 1, 4, 2, 5, 3, 6, 7)
        return x.reshape(len(x), math.prod(patches) * p**3, -1)

    def species(self, features: Float[Tensor, "*sites features"]) -> SpeciesLogits:
        """Species of sites from the features read at their positions."""
        element = self.species_head(features).float()
        if not self.config.mixtures:
            return SpeciesLogits(element)
        return SpeciesLogits(element, *self.sharing_head(features).float().unbind(-1))
