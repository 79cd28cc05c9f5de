"""Settings of the paper's networks."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from xtalcodec.config import Count, NotNegative, Positive, settings
from xtalcodec.networks.base import NetworkConfig


@settings
class CompactConfig:
    """Settings of the networks on 16³ points."""

    autoencoder: tuple[Count, Count, Count] = (32, 64, 64)
    """Widths at scale 1 of the autoencoder's convolutions on 8³, 4³ and 2³ points."""
    unet: tuple[Count, Count, Count] = (48, 80, 80)
    """Widths at scale 1 of the U-Net on 8³, 4³ and 2³ points."""
    fine: Count = 16
    """Width at scale 1 of what the U-Net says of each of the 16³ points."""
    shortcut: Literal["modes", "lattice", "none"] = "modes"
    """What stands beside the convolutions on both sides of the latent, and is fixed, so that what is learnt begins at a
    linear code: the window's `latent` largest modes; in windows that repeat the structure factors of the lattice, which
    is part of the code, the longest waves first; or nothing, as in the paper."""
    spread: NotNegative = 2.5
    """Å: standard deviation along each axis of the atoms about the window's middle, which the modes are for; 0 for
    atoms everywhere."""
    sharpened: tuple[Positive, ...] = (0.7,)
    """Å: widths of the narrower Gaussians that the density is deconvolved to, each one more channel of what encoder
    and U-Net see."""
    periodic_table: bool = True
    """Whether a species' logit is the sum of three, of its row and of its column of the periodic table and its own,
    so that rare elements learn from their neighbours."""


@settings
class HoffmannConfig(NetworkConfig):
    """Sizes of the networks and weights of their loss; the defaults are the paper's."""

    kind: Literal["hoffmann"] = "hoffmann"
    points: Literal[16, 30] = 30
    """Points along an edge of the cube that the networks see: in the paper 30, mirrored to 50 at the faces; 16 tell the
    same field in an eighth of the work and less. Densities go in and come out on the window's points."""
    scale: Positive = 1.0
    """Multiplies every width but `latent` and `species`, each rounded to a multiple of 4, at least 4."""
    latent: Count = 300
    """Latent numbers per crystal."""
    species: Count = 95
    """Atomic numbers 1…species are told apart, one output channel each."""
    attention: bool = True
    """Whether the U-Net weighs its skips by additive attention; without, it is a plain U-Net."""
    kl_weight: NotNegative = 5.0
    """Of the KL divergence, averaged over latent numbers and crystals; beside the mean square error."""
    free_nats: NotNegative = 0.0
    """Nats of divergence that each latent number has for free, in the mean over a batch (Kingma et al. 2016)."""
    density_floor: NotNegative = 0.0
    """e/Å³: where given, square errors of the density are taken over (density + floor) / floor, so that light atoms
    count beside heavy ones; at 0 the plain mean square error, as in the paper."""
    sharp_weight: NotNegative = 0.0
    """Of the mean square error of the density after both are deconvolved to Gaussians of `sharp_sigma`: short
    wavelengths, which tell neighbours apart, count for more."""
    sharp_sigma: Positive = 0.7
    """Å: width of the Gaussians that densities are deconvolved to for `sharp_weight`."""
    segmentation_weight: NotNegative = 0.1
    """Of the cross-entropy of the segmentation, averaged over crystals, channels and voxels; at 0 the autoencoder
    learns alone, several times as fast."""
    exclusive: bool = False
    """Whether a voxel is of one species at most, so that probabilities of all and of none sum to one (softmax); in the
    paper every species has a probability of its own."""
    start_logit: float = 0.0
    """Where all logits of the segmentation start; far below 0, a network need not first learn that voxels are empty."""
    empty_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of the voxels that no atom is near, the share, drawn anew at every step, that the segmentation's loss is taken
    over in training; they count for the others too. At 1/16 a narrow network learns twice as fast."""
    reader: Literal["segmentation", "density", "both"] = "segmentation"
    """What atoms are read off: the segmentation, as in the paper; the decoded density, by least squares; or both, least
    squares on the density that begin with the atoms and the species of the segmentation."""
    noise: Positive = 0.1
    """e/Å³: standard deviation of the decoded density's error, which least squares on it reckon with."""
    read_modes: Annotated[int, Field(ge=0)] = 0
    """Least squares compare so many of the window's largest modes, which the latent holds best; 0 for all that show
    above the noise."""
    compact: CompactConfig = field(default_factory=CompactConfig)

    def width(self, full: int) -> int:
        """Return the width at this scale of a layer that is `full` wide at scale 1."""
        return max(4, 4 * round(full * self.scale / 4))
