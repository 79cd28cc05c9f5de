"""What all networks have."""

from typing import ClassVar

from torch import nn

from xtalcodec.config import Kinds


class NetworkConfig(Kinds):
    """Settings of a network; `kind` is its name."""

    latent: int
    """Latent numbers per patch."""
    species: int
    """Atomic numbers 1…species are told apart."""


class Network(nn.Module):
    """A network, and which of its weights optimisers should treat alike."""

    hidden: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the names of modules whose matrices and kernels stand between hidden layers: Muon's."""
    head: ClassVar[str] = ""
    """Beginning of the names of the layer that may have a learning rate of its own."""
