"""The network that turns the surroundings of a crystal's sites into one vector."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from xtalcodec.config import Count, settings


@settings
class EmbeddingConfig:
    """Sizes of the network."""

    hidden: Count = 256
    """Numbers of a site between the layers."""
    pooled: Count = 128
    """Numbers of a site whose mean and deviation over the sites go on."""
    size: Count = 64
    """Length of the vector."""


class EmbeddingNetwork(nn.Module):
    """Sites → one vector of length 1: the order of the sites, and how often each comes, change nothing."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int, config: EmbeddingConfig) -> None:
        """Make the layers.

        Parameters
        ----------
        features
            Numbers of a site.
        config
            Sizes.
        """
        super().__init__()
        self.config = c = config
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.site = nn.Sequential(nn.Linear(features, c.hidden), nn.GELU(), nn.Linear(c.hidden, c.pooled))
        self.crystal = nn.Sequential(nn.Linear(2 * c.pooled, c.hidden), nn.GELU(), nn.Linear(c.hidden, c.size))

    def calibrate(self, sites: Float[Tensor, "sites features"]) -> None:
        """Take the scale of the features from a sample."""
        self.mean.copy_(sites.mean(0))
        self.deviation.copy_(sites.std(0).clamp_min(1e-3))

    def forward(
        self, sites: Float[Tensor, "sites features"], which: Int[Tensor, " sites"], crystals: int
    ) -> Float[Tensor, "crystals size"]:
        """(1) Look at each site, (2) take mean and deviation over the sites of a crystal, (3) make the vector.

        Parameters
        ----------
        sites
            Of all crystals.
        which
            The crystal that each is of.
        crystals
            How many there are.
        """
        x = self.site((sites - self.mean) / self.deviation)
        count = torch.bincount(which, minlength=crystals)[:, None]
        mean = x.new_zeros(crystals, x.shape[1]).index_add(0, which, x) / count
        square = x.new_zeros(mean.shape).index_add(0, which, (x - mean[which]).square()) / count
        return F.normalize(self.crystal(torch.cat([mean, (square + 1e-6).sqrt()], 1)), dim=-1)
