"""Settings of codecs and of their loss."""

from dataclasses import field
from typing import ClassVar

from xtalcodec.atom_finders.heat_field import HeatFinderConfig
from xtalcodec.codecs.refine import RefineConfig
from xtalcodec.config import NotNegative, Share, settings
from xtalcodec.networks.base import NetworkConfig
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.base import RepresentationConfig
from xtalcodec.representations.periodic import PeriodicConfig


@settings
class CodecConfig:
    """Everything needed to rebuild a codec except its weights."""

    RENAMED: ClassVar[dict[str, str]] = {"space": "representation", "sites": "atom_finder"}
    name: str = "unnamed"
    representation: RepresentationConfig = field(default_factory=PeriodicConfig)
    network: NetworkConfig = field(default_factory=PatchConfig)
    atom_finder: HeatFinderConfig = field(default_factory=HeatFinderConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    elements: tuple[int, ...] = tuple(range(1, 101))
    """Atomic numbers seen in training; a crystal with another is refused."""


@settings
class LossConfig:
    """Settings of the training loss that are not the network's own."""

    kl: NotNegative = 5e-5
    """Weight of the KL divergence per patch: enough to keep the latent near a unit normal's scale."""
    blur: NotNegative = 0.1
    """Voxels: species are read this far off the true positions, as decoding will read them."""
    noisy: Share = 0.5
    """Share of the crystals whose latents get noise, where the network knows of it."""
