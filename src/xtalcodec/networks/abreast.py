"""Batches of crystals, each on a torus of its own, that go through a transformer together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.networks.torus_transformer import LayerBias, Mix, Mixing, TorusBias
from xtalcodec.representations.base import Patches


@dataclass(frozen=True, slots=True)
class Abreast:
    """Batches of crystals, each batch on a torus of its own, whose patches stand in one row after the other.

    What does not mix patches is then computed of all of them at once. One batch alone stays as it is, a row for each
    crystal, which training gains a tenth of its time by.
    """

    sizes: tuple[tuple[int, int], ...]
    """Crystals of each batch, and patches of each of those."""

    @classmethod
    def of(cls, batches: Sequence[Tensor], grids: Sequence[Patches]) -> "Abreast":
        """Batches of crystals, each on a grid of so many patches."""
        return cls(tuple(zip(map(len, batches), map(math.prod, grids), strict=True)))

    @property
    def alone(self) -> bool:
        """Whether there is one batch."""
        return len(self.sizes) == 1

    def biases(self, bias: TorusBias, grids: Sequence[Patches]) -> "Sequence[Mixing]":
        """Attention biases of every layer."""
        if self.alone:
            return bias(grids[0])
        return [BiasesAbreast(self, own) for own in zip(*map(bias, grids), strict=True)]

    def join(self, batches: Sequence[Float[Tensor, "_ _ c"]]) -> Float[Tensor, "rows patches c"]:
        """Put the patches of all batches in one row."""
        return batches[0] if self.alone else torch.cat([own.flatten(0, 1) for own in batches])[None]

    def split(self, x: Float[Tensor, "rows patches c"]) -> list[Float[Tensor, "_ _ c"]]:
        """Give each batch its patches."""
        if self.alone:
            return [x]
        rows = x[0].split([crystals * patches for crystals, patches in self.sizes])
        return [own.view(*size, -1) for own, size in zip(rows, self.sizes, strict=True)]

    def spread(self, x: Float[Tensor, "crystals c"]) -> Float[Tensor, "rows #patches c"]:
        """Give each patch what is known of its crystal."""
        if self.alone:
            return x[:, None]
        counts = [patches for crystals, patches in self.sizes for _ in range(crystals)]
        return x.repeat_interleave(torch.tensor(counts, device=x.device), 0)[None]


@dataclass(frozen=True, slots=True)
class BiasesAbreast:
    """Attention biases of one layer, of batches that stand in one row."""

    abreast: Abreast
    biases: tuple[LayerBias, ...]
    """Of each batch."""

    def mix(self, qkv: Float[Tensor, "1 rows c"], mixed: Mix) -> Tensor:
        """Mix the patches of one batch after the other."""
        batches = zip(self.abreast.split(qkv), self.biases, strict=True)
        return self.abreast.join([mixed(*batch) for batch in batches])
