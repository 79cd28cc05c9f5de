"""`patch`: voxels in patches, a transformer on the torus of patches, a few latent numbers a patch.

Nothing knows an absolute position: attention sees only the displacement of two patches around
the torus, so moving a crystal by whole patches moves its latent with it.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from xtalcodec.networks.diagonal_gaussian import Latent
from xtalcodec.representations.base import Patches, Targets

FIELD_SCALE = 10.0
"""A normalised Gaussian 0.9 voxels wide peaks at 0.09; the network's input should be about 1."""


@dataclass(frozen=True, slots=True)
class PatchConfig:
    """Sizes of the network."""

    KINDS: ClassVar[tuple[str, ...]] = ("patch",)
    kind: str = "patch"
    patch: int = 4
    """Voxels along a patch; the representation's."""
    channels: int = 16
    """Learned density channels of the painted field."""
    width: int = 192
    heads: int = 6
    encoder_layers: int = 2
    decoder_layers: int = 4
    latent: int = 8
    """Latent numbers per patch."""
    features: int = 16
    """Species features per decoded voxel."""
    species: int = 100
    """Atomic numbers 1…species are told apart."""


@dataclass(frozen=True, slots=True)
class DecodedField:
    """What the decoder says of each voxel, voxels in C order of the grid."""

    heat: Float[Tensor, "b voxels"]
    """Logits of the heat that marks atoms."""
    offset: Float[Tensor, "b voxels 3"]
    """From the voxel to its nearest atom, in voxels."""
    features: Float[Tensor, "b voxels features"]
    """What `PatchNetwork.species` reads an atom's species from."""


class Attention(nn.Module):
    """Multi-head attention with a given bias per head and pair of patches."""

    def __init__(self, width: int, heads: int) -> None:
        """Make the projections."""
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b t width"], bias: Float[Tensor, "heads t t"]) -> Float[Tensor, "b t width"]:
        """Mix the patches."""
        b, t, width = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        # Plain products: on the CPU in bfloat16 they run 2 to 3 times faster than the fused kernel.
        score = (q * (width // self.heads) ** -0.5) @ k.transpose(-1, -2) + bias
        return self.out((score.softmax(-1) @ v).transpose(1, 2).reshape(b, t, width))


class Block(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, width: int, heads: int) -> None:
        """Make the layer."""
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Float[Tensor, "b t width"], bias: Float[Tensor, "heads t t"]) -> Float[Tensor, "b t width"]:
        """Attention, then the MLP, each added to what comes in."""
        x = x + self.attention(self.norm1(x), bias)
        return x + self.mlp(self.norm2(x))


@lru_cache(maxsize=512)
@torch.inference_mode(False)  # what is kept must serve training too
def displacements(patches: Patches) -> tuple[Float[Tensor, "d f"], Int[Tensor, "t t"]]:
    """Features of every displacement around the torus, and which one each pair of patches has.

    The features: three harmonics of the displacement as a fraction of each axis, its length in
    patches through a radial basis, and a flag for each of the 27 nearest (several at once where
    the torus is so short that they coincide).
    """
    n = torch.tensor(patches)
    cells = torch.cartesian_prod(*(torch.arange(k) for k in patches)).view(-1, 3)  # d 3
    phase = (cells / n)[..., None] * torch.arange(1, 4) * 2 * math.pi
    harmonics = torch.cat([phase.sin(), phase.cos()], -1).flatten(1)  # d 18
    length = torch.minimum(cells, n - cells).float().norm(dim=-1)
    radial = torch.exp(-0.5 * ((length[:, None] - torch.arange(8) * 0.75) / 0.6) ** 2)  # d 8
    near = torch.cartesian_prod(*[torch.arange(-1, 2)] * 3)  # 27 3
    flags = ((cells[:, None] - near) % n == 0).all(-1).float()  # d 27
    difference = (cells[:, None] - cells[None]) % n  # t t 3
    index = (difference[..., 0] * n[1] + difference[..., 1]) * n[2] + difference[..., 2]
    return torch.cat([harmonics, radial, flags], -1), index


class TorusBias(nn.Module):
    """The attention bias of every layer and head from the displacement of two patches."""

    def __init__(self, layers: int, heads: int) -> None:
        """Make the small network that turns displacements into biases."""
        super().__init__()
        self.layers, self.heads = layers, heads
        self.mlp = nn.Sequential(nn.Linear(53, 96), nn.GELU(), nn.Linear(96, layers * heads))

    def forward(self, patches: Patches) -> Float[Tensor, "layers heads t t"]:
        """Compute the biases once for a batch: its crystals share their grid."""
        features, index = (x.to(next(self.parameters()).device) for x in displacements(patches))
        return self.mlp(features).T[:, index].view(self.layers, self.heads, *index.shape)


def lattice_features(lattice: Float[Tensor, "b 3 3"], patches: Patches) -> Float[Tensor, "b 9"]:
    """Log lengths, cosines of the angles α, β, γ, and the lengths of a patch; each about 0 to 1."""
    length = lattice.norm(dim=-1)
    unit = lattice / length[..., None]
    cosines = torch.stack([(unit[:, i] * unit[:, j]).sum(-1) for i, j in ((1, 2), (0, 2), (0, 1))], -1)
    return torch.cat([length.log() - 1.5, cosines, length / length.new_tensor(patches) - 2], -1)


class PatchNetwork(nn.Module):
    """Compresses a periodic field of voxels to `latent` numbers per patch and back."""

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
    ) -> Latent:
        """Field → distribution of the latent: (1) cut into patches, (2) embed, (3) mix, (4) project."""
        p = self.config.patch
        x = field.unflatten(1, (-1, p)).unflatten(3, (-1, p)).unflatten(5, (-1, p))  # b X p Y p Z p c
        x = x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(len(field), math.prod(patches), -1)
        x = self.embed(FIELD_SCALE * x) + self.lattice_in(lattice_features(lattice, patches))[:, None]
        bias = self.bias(patches)
        for k, block in enumerate(self.encoder):
            x = block(x, bias[k])
        mean, log_var = self.to_latent(self.norm_in(x)).float().chunk(2, -1)
        return Latent(mean, log_var.clamp(-14, 4))

    def decode(
        self, z: Float[Tensor, "b patches latent"], lattice: Float[Tensor, "b 3 3"], patches: Patches
    ) -> DecodedField:
        """Latent → field: (1) embed, (2) mix, (3) spread every patch to its voxels."""
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
        """
        heat = F.binary_cross_entropy_with_logits(decoded.heat, targets.heat, weight=1 + 20 * targets.heat)
        offset = F.smooth_l1_loss(decoded.offset.flatten(0, 1)[targets.near], targets.offset, beta=0.02)
        return {"heat": 10 * heat, "offset": 2 * offset, "species": F.cross_entropy(species, numbers)}
