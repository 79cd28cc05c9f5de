"""The paper's discriminator (its supplementary information): true densities from decoded ones."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from xtalcodec.networks.hoffmann.config import HoffmannConfig
from xtalcodec.networks.hoffmann.published import convolution


class Discriminator(nn.Module):
    """Tells true densities from decoded ones; no convolution is padded."""

    def __init__(self, config: HoffmannConfig) -> None:
        super().__init__()
        a, b, c, d, e, f = (config.width(full) for full in (16, 32, 64, 128, 256, 512))
        wide, narrow = config.width(1000), config.width(100)
        leaky = nn.LeakyReLU(inplace=True)
        self.layers = nn.Sequential(
            convolution(1, a, 7, leaky),  # 30³ → 24³
            convolution(a, b, 5, leaky),  # 20³
            convolution(b, c, 5, leaky),  # 16³
            convolution(c, d, 3, leaky),  # 14³
            convolution(d, e, 3, leaky, stride=2),  # 6³
            convolution(e, f, 3, leaky),  # 4³
            nn.Flatten(),
            nn.Sequential(nn.Linear(f * 4**3, wide), leaky),
            nn.Sequential(nn.Linear(wide, narrow), leaky),
            nn.Linear(narrow, 2),
        )

    def forward(self, density: Float[Tensor, "b 30 30 30"]) -> Float[Tensor, "b 2"]:
        """Density → logits of being (0) decoded, (1) true."""
        return self.layers(density[:, None]).float()

    def loss(self, density: Float[Tensor, "b 30 30 30"], true: Bool[Tensor, " b"]) -> Float[Tensor, ""]:
        """Cross-entropy of telling the true densities, mean over the batch."""
        return F.cross_entropy(self(density), true.long())
