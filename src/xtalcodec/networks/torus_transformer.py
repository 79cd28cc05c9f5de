"""Transformer layers on a torus of patches: attention sees only the displacement of two patches around the torus."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from xtalcodec.representations.base import Patches


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
        if x.device.type == "cpu":  # in bfloat16 plain products run 2 to 3 times faster there than the fused kernel
            score = (q * (width // self.heads) ** -0.5) @ k.transpose(-1, -2) + bias
            mixed = score.softmax(-1) @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        return self.out(mixed.transpose(1, 2).reshape(b, t, width))


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
def displacements(patches: Patches, device: torch.device) -> tuple[Float[Tensor, "d f"], Int[Tensor, "t t"]]:
    """Features of every displacement around the torus, and which one each pair of patches has; kept on the device.

    The features: three harmonics of the displacement as a fraction of each axis, its length in
    patches through a radial basis, and a flag for each of the 27 nearest (several at once where
    the torus is so short that they coincide).
    """
    n = torch.tensor(patches, device=device)
    cells = torch.cartesian_prod(*(torch.arange(k, device=device) for k in patches)).view(-1, 3)  # d 3
    phase = (cells / n)[..., None] * torch.arange(1, 4, device=device) * 2 * math.pi
    harmonics = torch.cat([phase.sin(), phase.cos()], -1).flatten(1)  # d 18
    length = torch.minimum(cells, n - cells).float().norm(dim=-1)
    radial = torch.exp(-0.5 * ((length[:, None] - torch.arange(8, device=device) * 0.75) / 0.6) ** 2)  # d 8
    near = torch.cartesian_prod(*[torch.arange(-1, 2, device=device)] * 3)  # 27 3
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
        features, index = displacements(patches, next(self.parameters()).device)
        return self.mlp(features).T[:, index].view(self.layers, self.heads, *index.shape)


def lattice_features(lattice: Float[Tensor, "b 3 3"], patches: Patches) -> Float[Tensor, "b 9"]:
    """Log lengths, cosines of the angles α, β, γ, and the lengths of a patch; each about 0 to 1."""
    length = lattice.norm(dim=-1)
    unit = lattice / length[..., None]
    cosines = torch.stack([(unit[:, i] * unit[:, j]).sum(-1) for i, j in ((1, 2), (0, 2), (0, 1))], -1)
    return torch.cat([length.log() - 1.5, cosines, length / length.new_tensor(patches) - 2], -1)
