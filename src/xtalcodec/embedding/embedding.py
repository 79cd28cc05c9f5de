"""What turns crystals into vectors: two trained networks, with the codec whose density channels they look at."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.config import settings
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.embedding.network import EmbeddingConfig, EmbeddingNetwork
from xtalcodec.embedding.surroundings import SurroundingsConfig, features, with_elements, without_elements

Of = Literal["crystal", "structure"]
"""What a vector is of: the crystal, or its structure alone, whatever the elements and the volume."""

KINDS: tuple[Of, ...] = ("crystal", "structure")

TOGETHER = 256
"""Crystals that go through a network at once."""


class EmbeddingError(ValueError):
    """An embedding that is not there, cannot be read, or belongs to another codec: the message says which."""


@settings
class Looks:
    """What is looked at, and by which network."""

    crystal: SurroundingsConfig = field(default_factory=SurroundingsConfig)
    structure: SurroundingsConfig = field(default_factory=lambda: SurroundingsConfig(0.4, 3.2, 16))
    network: EmbeddingConfig = field(default_factory=EmbeddingConfig)


@dataclass(frozen=True, slots=True)
class About:
    """What an embedding belongs to."""

    codec: str
    """Identity of the codec whose channels it looks at."""
    elements: tuple[int, ...]
    """Atomic numbers that it saw in training; a crystal with another has no vector, its structure has."""
    looks: Looks


@dataclass(frozen=True, eq=False)
class Embedding:
    """Networks that turn crystals into vectors of length 1, and what they look at."""

    about: About
    channels: Float[np.ndarray, "z channels"]
    """The codec's density channels of each element, by its Z."""
    networks: Mapping[Of, EmbeddingNetwork]

    @classmethod
    def untrained(cls, about: About, channels: Float[np.ndarray, "z channels"]) -> "Embedding":
        """Make one that has learnt nothing yet.

        Parameters
        ----------
        about
            What it belongs to.
        channels
            The codec's, by Z.
        """
        widths = features(channels.shape[1], about.looks.crystal, about.looks.structure)
        made: dict[Of, EmbeddingNetwork] = {
            of: EmbeddingNetwork(width, about.looks.network).eval() for of, width in zip(KINDS, widths, strict=True)
        }
        return cls(about, channels, made)

    @property
    def size(self) -> int:
        """Length of a vector."""
        return self.about.looks.network.size

    @cached_property
    def identity(self) -> str:
        """The codec's identity, and a hash of everything that shapes a vector: an index carries it."""
        digest = hashlib.sha256(json.dumps(asdict(self.about), sort_keys=True).encode())
        digest.update(self.channels.astype(np.float16).tobytes())
        for of in KINDS:
            for key, value in sorted(self.networks[of].state_dict().items()):
                digest.update(f"{of}.{key}".encode() + value.half().contiguous().numpy().tobytes())
        return f"{self.about.codec}/{digest.hexdigest()[:12]}"

    def check(self, crystal: Crystal, of: Of = "crystal") -> None:
        """Refuse a crystal that has no vector.

        Raises
        ------
        CrystalError
            An element that was never seen, where elements count.
        """
        strange = sorted({*crystal.elements} - {*self.about.elements})
        if strange and of == "crystal":
            from ase.data import chemical_symbols

            names = ", ".join(chemical_symbols[z] for z in strange)
            codec = self.about.codec.rpartition("-")[0]  # the rest is a hash that no list of codecs shows
            raise CrystalError(f"the embedding of the codec {codec!r} never saw {names} in training")

    def sites(self, crystal: Crystal, of: Of) -> Float[np.ndarray, "sites features"]:
        """What is looked at: one row a site.

        Raises
        ------
        CrystalError
            An element that was never seen, where elements count.
        """
        if of == "structure":
            return without_elements(crystal, self.about.looks.structure)
        self.check(crystal)
        return with_elements(crystal, self.channels, self.about.looks.crystal)

    @torch.no_grad()
    def vectors(
        self, crystals: Sequence[Crystal], of: Of = "crystal", progress: Callable[[int], None] = lambda _: None
    ) -> Float[np.ndarray, "n size"]:
        """One vector of length 1 for each crystal, float32.

        Parameters
        ----------
        crystals
            Any number of them.
        of
            "crystal", or "structure": without elements and volume.
        progress
            Called with the number of crystals done since the last call.

        Raises
        ------
        CrystalError
            The first crystal that has none, by name.
        """
        found = [np.zeros((0, self.size), dtype=np.float32)]
        for start in range(0, len(crystals), TOGETHER):
            sites = []
            for crystal in crystals[start : start + TOGETHER]:
                try:
                    sites.append(torch.from_numpy(self.sites(crystal, of)))
                except CrystalError as error:
                    raise CrystalError(f"{crystal.name}: {error}" if crystal.name else str(error)) from error
            found.append(self.networks[of](*packed(sites)).numpy())
            progress(len(sites))
        return np.concatenate(found)


def packed(sites: Sequence[Float[Tensor, "_ features"]]) -> tuple[Tensor, Tensor, int]:
    """Return the sites of all crystals as one table, the crystal of each, and how many crystals there are."""
    counts = torch.tensor([len(one) for one in sites])
    return torch.cat(list(sites)), torch.repeat_interleave(torch.arange(len(sites)), counts), len(sites)


def looks_of(values: Any) -> Looks:
    """Make the settings from a dictionary, as a file has them.

    Raises
    ------
    SettingsError
        What they cannot be.
    """
    from xtalcodec.config import build

    return build(Looks, values, "looks.")
