"""Transformer layers on a torus of patches: attention sees only the displacement of two patches around the torus."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from xtalcodec.representations.base import Patches

AT_ONCE = 2**21
"""Pairs of patches whose attention is computed together: beyond about 1,400 patches, queries are taken in parts.

Where no gradient is wanted, the pairs of all heads and crystals count: what fits the processor's caches is done in half
of the time (8 crystals of 384 patches, one thread, bfloat16: 32 instead of 81 ms)."""


@runtime_checkable
class Bias(Protocol):
    """What attention adds to the scores of its pairs, a few rows at a time."""

    def rows(self, start: int, stop: int) -> Float[Tensor, "*b heads queries t"]:
        """Bias between some of the rows and all."""

    @property
    def unseen(self) -> Bool[Tensor, "b m"] | None:
        """Which of the first m rows are not looked at, of each crystal; None where all are."""


Mix = Callable[[Tensor, Bias], Tensor]
"""Queries, keys and values of crystals of one grid, and their bias → mixed patches."""


@runtime_checkable
class Mixing(Protocol):
    """Biases of one layer, which know how the patches of their crystals stand."""

    def mix(self, qkv: Float[Tensor, "b t c"], mixed: Mix) -> Float[Tensor, "b t width"]:
        """Mix the patches of each crystal."""


@dataclass(frozen=True, slots=True)
class LayerBias:
    """Attention bias of one layer, by displacement."""

    values: Float[Tensor, "heads d"]
    """Of every displacement around the torus, in C order of the patches."""
    patches: Patches

    def mix(self, qkv: Tensor, mixed: Mix) -> Tensor:
        """Mix the patches of crystals of one grid."""
        return mixed(qkv, self)

    @property
    def unseen(self) -> None:
        """All patches are looked at."""

    def rows(self, start: int, stop: int) -> Float[Tensor, "heads queries t"]:
        """Bias between some of the patches and all."""
        index = differences(self.patches, self.values.device, start, stop)
        # its gradient adds up in place; that of plain indexing sorts first, and that of int32 takes 7 times as long
        return self.values.index_select(1, index.flatten().long()).view(-1, *index.shape)


class Attention(nn.Module):
    """Multi-head attention with a bias per head and displacement."""

    def __init__(self, width: int, heads: int) -> None:
        """Make the projections."""
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b t width"], bias: Mixing) -> Float[Tensor, "b t width"]:
        """Mix the patches of each crystal."""
        return self.out(bias.mix(self.qkv(x), self._mixed))

    def _mixed(self, qkv: Float[Tensor, "b t three_widths"], bias: Bias) -> Float[Tensor, "b t width"]:
        """Mix the patches: all pairs together, or, of a large cell, those of some queries after others."""
        b, t, _ = qkv.shape
        q, k, v = qkv.view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        beside = b * self.heads if qkv.device.type == "cpu" and not torch.is_grad_enabled() else 1
        queries = max(1, AT_ONCE // (t * beside))
        ends = [(start, min(t, start + queries)) for start in range(0, t, queries)]
        if len(ends) > 1 and torch.is_grad_enabled():  # what a part needs for its gradient is computed again then
            parts = [checkpoint(self._part, q, k, v, bias, *end, use_reentrant=False) for end in ends]
        else:
            parts = [self._part(q, k, v, bias, *end) for end in ends]
        mixed = torch.cat(parts, 2) if len(parts) > 1 else parts[0]
        return mixed.transpose(1, 2).reshape(b, t, -1)

    def _part(
        self,
        q: Float[Tensor, "b heads t c"],
        k: Float[Tensor, "b heads t c"],
        v: Float[Tensor, "b heads t c"],
        bias: Bias,
        start: int,
        stop: int,
    ) -> Float[Tensor, "b heads queries c"]:
        """Attention of some rows to all.

        Parameters
        ----------
        q, k, v
            Of all rows.
        bias
            Of all rows.
        start, stop
            Which rows.
        """
        return self._attend(q[:, :, start:stop], k, v, bias.rows(start, stop), bias.unseen)

    def _attend(
        self,
        q: Float[Tensor, "b heads queries c"],
        k: Float[Tensor, "b heads t c"],
        v: Float[Tensor, "b heads t c"],
        bias: Float[Tensor, "*same heads queries t"],
        unseen: Bool[Tensor, "b m"] | None,
    ) -> Float[Tensor, "b heads queries c"]:
        """Attention of some queries to all rows but those that are not looked at."""
        if q.device.type != "cpu":
            if unseen is not None:
                bias = bias.masked_fill(F.pad(unseen, (0, k.shape[2] - unseen.shape[1]))[:, None, None], -torch.inf)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        # in bfloat16 plain products run 2 to 3 times faster here than the fused kernel
        score = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias
        if unseen is not None:
            score[..., : unseen.shape[1]].masked_fill_(unseen[:, None, None], -torch.inf)
        return score.softmax(-1) @ v


@dataclass(frozen=True, slots=True)
class Modulation:
    """How a layer's two normalised inputs are scaled and moved, for each crystal of a batch or for each patch."""

    scale1: Float[Tensor, "#b #t width"]
    shift1: Float[Tensor, "#b #t width"]
    scale2: Float[Tensor, "#b #t width"]
    shift2: Float[Tensor, "#b #t width"]


class Block(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        """Make the layer.

        Parameters
        ----------
        width, heads
            Numbers of a patch, and heads that they are shared among.
        dropout
            Share of what attention and MLP add that training leaves out.
        """
        super().__init__()
        self.left_out = nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(
        self, x: Float[Tensor, "b t width"], bias: Mixing, modulation: Modulation | None = None
    ) -> Float[Tensor, "b t width"]:
        """Attention, then the MLP, each added to what comes in.

        Parameters
        ----------
        x
            One row a patch.
        bias
            What attention adds to its scores; of several batches abreast, of each.
        modulation
            Of what goes into both; None for none.
        """
        mixed, changed = self.norm1(x), modulation
        if changed is not None:
            mixed = torch.addcmul(changed.shift1, mixed, 1 + changed.scale1)
        x = x + self.left_out(self.attention(mixed, bias))
        each = self.norm2(x)
        if changed is not None:
            each = torch.addcmul(changed.shift2, each, 1 + changed.scale2)
        return x + self.left_out(self.mlp(each))


@lru_cache(maxsize=512)
@torch.inference_mode(False)  # what is kept must serve training too
def displacements(patches: Patches, device: torch.device) -> Float[Tensor, "d f"]:
    """Features of every displacement around the torus; kept on the device.

    Three harmonics of the displacement as a fraction of each axis, its length in patches through a radial
    basis, and a flag for each of the 27 nearest (several at once where the torus is so short that they coincide).
    """
    n = torch.tensor(patches, device=device)
    cells = torch.cartesian_prod(*(torch.arange(k, device=device) for k in patches)).view(-1, 3)  # d 3
    phase = (cells / n)[..., None] * torch.arange(1, 4, device=device) * 2 * math.pi
    harmonics = torch.cat([phase.sin(), phase.cos()], -1).flatten(1)  # d 18
    length = torch.minimum(cells, n - cells).float().norm(dim=-1)
    radial = torch.exp(-0.5 * ((length[:, None] - torch.arange(8, device=device) * 0.75) / 0.6) ** 2)  # d 8
    near = torch.cartesian_prod(*[torch.arange(-1, 2, device=device)] * 3)  # 27 3
    flags = ((cells[:, None] - near) % n == 0).all(-1).float()  # d 27
    return torch.cat([harmonics, radial, flags], -1)


def differences(patches: Patches, device: torch.device, start: int, stop: int) -> Int[Tensor, "queries t"]:
    """Which displacement leads to each of the patches `start` to `stop` from every patch; kept where it is small.

    Parameters
    ----------
    patches
        Patches along the axes.
    device
        Where the answer lives.
    start, stop
        Some of the patches, in C order.
    """
    if math.prod(patches) ** 2 > AT_ONCE:
        return _differences(patches, device, start, stop)
    return _all_differences(patches, device)[start:stop]


@lru_cache(maxsize=32)  # of 8 MiB at most; made anew in 1 % of the time of a training step
def _all_differences(patches: Patches, device: torch.device) -> Int[Tensor, "t t"]:
    return _differences(patches, device, 0, math.prod(patches))


@torch.inference_mode(False)
def _differences(patches: Patches, device: torch.device, start: int, stop: int) -> Int[Tensor, "queries t"]:
    index = torch.zeros(1, 1, dtype=torch.int32, device=device)
    part = torch.arange(start, stop, dtype=torch.int32, device=device)
    every = torch.arange(math.prod(patches), dtype=torch.int32, device=device)
    strides = patches[1] * patches[2], patches[2], 1
    for n, stride in zip(patches, strides, strict=True):
        index = index * n + ((part // stride)[:, None] - every // stride) % n
    return index


class TorusBias(nn.Module):
    """The attention bias of every layer and head from the displacement of two patches."""

    def __init__(self, layers: int, heads: int) -> None:
        """Make the small network that turns displacements into biases."""
        super().__init__()
        self.layers, self.heads = layers, heads
        self.mlp = nn.Sequential(nn.Linear(53, 96), nn.GELU(), nn.Linear(96, layers * heads))

    def forward(self, patches: Patches) -> list[LayerBias]:
        """Compute the biases once for a batch: its crystals share their grid."""
        values = self.mlp(displacements(patches, next(self.parameters()).device)).float().T
        return [LayerBias(one, patches) for one in values.view(self.layers, self.heads, -1)]


def lattice_features(lattice: Float[Tensor, "b 3 3"], patches: Patches | Sequence[Patches]) -> Float[Tensor, "b 9"]:
    """Log lengths, cosines of the angles α, β, γ, and the lengths of a patch; each about 0 to 1.

    Parameters
    ----------
    lattice
        Cell vectors, rows in Å.
    patches
        Of the grid of all, or of the grid of each.
    """
    length = lattice.norm(dim=-1)
    unit = lattice / length[..., None]
    cosines = torch.stack([(unit[:, i] * unit[:, j]).sum(-1) for i, j in ((1, 2), (0, 2), (0, 1))], -1)
    return torch.cat([length.log() - 1.5, cosines, length / length.new_tensor(patches) - 2], -1)
