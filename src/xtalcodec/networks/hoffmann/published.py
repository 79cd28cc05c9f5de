"""The autoencoder and the U-Net as published, on 30³ points, with sizes that fit together."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.hoffmann.config import HoffmannConfig

POINTS = 30
"""Voxels along each edge of the cube: kernels and strides below fit no other number."""

PADDING = 10
"""Voxels mirrored onto every side before encoding: 30³ → 50³, which the strides take to 4³."""

DECODER_EPS = 1e-3
"""Added to the variance by the decoder's BatchNorms; the other networks have PyTorch's 1e-5."""


def convolution(
    inputs: int, outputs: int, kernel: int, activation: nn.Module, stride: int = 1, padding: int = 0, eps: float = 1e-5
) -> nn.Sequential:
    """Convolution, BatchNorm with `eps` under the root, activation.

    Parameters
    ----------
    inputs, outputs
        Channels.
    kernel, stride, padding
        Of the convolution, in voxels.
    activation
        The last layer.
    eps
        Under the root of the BatchNorm.
    """
    layer = nn.Conv3d(inputs, outputs, kernel, stride, padding)
    return nn.Sequential(layer, nn.BatchNorm3d(outputs, eps), activation)


def mirrored(density: Float[Tensor, "b 30 30 30"]) -> Float[Tensor, "b 50 50 50"]:
    """Continue a density beyond each face by its mirror image, the outermost voxel repeated."""
    inside = torch.arange(POINTS, device=density.device)
    index = torch.cat([inside[:PADDING].flip(0), inside, inside[-PADDING:].flip(0)])
    return density[:, index[:, None, None], index[:, None], index]


class VAE(nn.Module):
    """Compresses a density to a few hundred numbers and back.

    No activation stands between the linear layers, as in the paper: each pair is one linear map
    through a bottleneck.
    """

    def __init__(self, config: HoffmannConfig) -> None:
        super().__init__()
        a, b, c, d, e = (config.width(full) for full in (16, 32, 64, 128, 256))
        bottleneck, spread = config.width(3000), config.width(3200)
        leaky = nn.LeakyReLU(inplace=True)
        self.encoder = nn.Sequential(
            convolution(1, a, 5, leaky, stride=2),  # 50³ → 23³
            convolution(a, b, 3, leaky),  # 21³
            convolution(b, c, 3, leaky),  # 19³
            convolution(c, d, 3, leaky, stride=2),  # 9³
            convolution(d, e, 3, leaky, stride=2),  # 4³
            nn.Flatten(),
            nn.Linear(e * 4**3, bottleneck),
        )
        self.mean, self.log_var = nn.Linear(bottleneck, config.latent), nn.Linear(bottleneck, config.latent)
        double = nn.Upsample(scale_factor=2, mode="trilinear")
        self.decoder = nn.Sequential(
            nn.Linear(config.latent, spread),
            nn.Linear(spread, e * 4**3),
            nn.Unflatten(1, (e, 4, 4, 4)),
            double,
            convolution(e, d, 4, leaky, eps=DECODER_EPS),  # 8³ → 5³
            double,
            nn.ReplicationPad3d(2),
            convolution(d, c, 5, leaky, eps=DECODER_EPS),  # 14³ → 10³
            double,
            nn.ReplicationPad3d(1),
            convolution(c, b, 5, leaky, eps=DECODER_EPS),  # 22³ → 18³
            double,
            convolution(b, a, 4, leaky, eps=DECODER_EPS),  # 36³ → 33³
            convolution(a, 1, 4, nn.ReLU(inplace=True), eps=DECODER_EPS),  # 30³
        )

    def encode(
        self,
        density: Float[Tensor, "b x y z"],
        cell: Float[Tensor, "b 3 3"] | None = None,  # noqa: ARG002
    ) -> DiagonalGaussian:
        """Density → distribution of the latent: (1) mirror at the faces, (2) convolve, (3) project.

        Parameters
        ----------
        density
            e/Å³.
        cell
            Not looked at: these networks are not told the lattice.

        Raises
        ------
        ValueError
            A density of another size than 30³.
        """
        if density.shape[1:] != (POINTS,) * 3:
            sizes = " × ".join(map(str, density.shape[1:]))
            raise ValueError(f"hoffmann encodes densities of {POINTS} × {POINTS} × {POINTS} voxels, not {sizes}")
        x = mirrored(density)[:, None]  # b 1 50 50 50
        x = self.encoder(x)  # b 3000
        return DiagonalGaussian(self.mean(x).float(), self.log_var(x).float())

    def decode(
        self,
        z: Float[Tensor, "b latent"],
        cell: Float[Tensor, "b 3 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "b 30 30 30"]:
        """Latent → density: (1) spread to 4³ voxels, (2) four times double the grid and convolve.

        Parameters
        ----------
        z
            Latents.
        cell
            Not looked at.
        """
        return self.decoder(z)[:, 0].float()


class AttentionGate(nn.Module):
    """Weighs the voxels of a skip by what the coarser levels know (additive attention; Oktay et al. 2018, eq. 1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.skip = nn.Sequential(nn.Conv3d(width, width // 2, 1), nn.BatchNorm3d(width // 2))
        self.coarse = nn.Sequential(nn.Conv3d(width, width // 2, 1), nn.BatchNorm3d(width // 2))
        self.score = convolution(width // 2, 1, 1, nn.Sigmoid())

    def forward(
        self, skip: Float[Tensor, "b width n n n"], coarse: Float[Tensor, "b width n n n"]
    ) -> Float[Tensor, "b width n n n"]:
        """Multiply every voxel of the skip by a number from 0 to 1."""
        return skip * self.score(F.relu(self.skip(skip) + self.coarse(coarse)))


def pair(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Two convolutions; with 3³ kernels the grid stays, with 4³ each takes a voxel off every edge.

    Parameters
    ----------
    inputs, outputs
        Channels.
    kernel
        Voxels along an edge of both kernels.
    """
    relu = nn.ReLU(inplace=True)
    first, second = (convolution(width, outputs, kernel, relu, padding=1) for width in (inputs, outputs))
    return nn.Sequential(first, second)


class Ascent(nn.Module):
    """A level of the U-Net on its way up."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, attention: bool) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2), convolution(inputs, outputs, 3, nn.ReLU(inplace=True), padding=1)
        )
        self.gate = AttentionGate(outputs) if attention else None
        self.merge = pair(2 * outputs, outputs, kernel)

    def forward(
        self, coarse: Float[Tensor, "b inputs h h h"], skip: Float[Tensor, "b outputs n n n"]
    ) -> Float[Tensor, "b outputs m m m"]:
        """(1) Double the coarse grid, (2) weigh the skip, (3) convolve both together."""
        coarse = self.up(coarse)
        if self.gate is not None:
            skip = self.gate(skip, coarse)
        return self.merge(torch.cat([skip, coarse], 1))


class AttentionUNet(nn.Module):
    """Tells for every voxel of a density which species' atom it belongs to, if any."""

    def __init__(self, config: HoffmannConfig) -> None:
        super().__init__()
        widths = [config.width(full) for full in (64, 128, 256, 512, 1024)]
        self.descent = nn.ModuleList(pair(*ends) for ends in zip([1, *widths[:-1]], widths, strict=True))
        # The last level's 4³ kernels bring 32³ to 30³, undoing the padding.
        self.ascent = nn.ModuleList(
            Ascent(widths[k + 1], widths[k], 4 if k == 0 else 3, attention=config.attention) for k in (3, 2, 1, 0)
        )
        self.classify = nn.Conv3d(widths[0], config.species, 1)
        if config.start_logit and self.classify.bias is not None:
            nn.init.constant_(self.classify.bias, config.start_logit)

    def forward(self, density: Float[Tensor, "b 30 30 30"]) -> Float[Tensor, "b species 30 30 30"]:
        """Density → logits, independent of each other, of a voxel belonging to an atom of Z = channel + 1."""
        return self.classify(self.features(density)).float()

    def features(self, density: Float[Tensor, "b 30 30 30"]) -> Float[Tensor, "b width 30 30 30"]:
        """Density → what tells the species of each voxel.

        (1) Repeat the outermost voxels once, to have 2⁵ along each edge; (2) convolve and halve the
        grid four times; (3) climb back, joining what was on the way down.
        """
        x = F.pad(density[:, None], (1,) * 6, mode="replicate")  # b 1 32 32 32
        skips = []
        for level in self.descent[:-1]:
            x = level(x)
            skips.append(x)  # b 64 32 32 32; b 128 16 16 16; b 256 8 8 8; b 512 4 4 4
            x = F.max_pool3d(x, 2)
        x = self.descent[-1](x)  # b 1024 2 2 2
        for level, skip in zip(self.ascent, reversed(skips), strict=True):
            x = level(x, skip)  # b 512 4 4 4; b 256 8 8 8; b 128 16 16 16; b 64 30 30 30
        return x

    def classify_some(self, features: Float[Tensor, "voxels width"]) -> Float[Tensor, "voxels species"]:
        """Features of some voxels → their logits, as `forward` has them."""
        return F.linear(features, self.classify.weight.flatten(1), self.classify.bias).float()
