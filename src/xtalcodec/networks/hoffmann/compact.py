"""The paper's networks on 16³ points: strided convolutions to a bottleneck and back, and an attention U-Net.

What differs from the published ones, beside sizes: nothing is padded to 50³; convolutions of the autoencoder have no
BatchNorm, which makes a density depend on the batch it is in, and stand beside a fixed linear map (`shortcuts.py`),
which they correct; encoder and U-Net also see the density deconvolved to narrower Gaussians. What is exact (modes,
latent, deconvolution) is in float32; the convolutions may be in bfloat16.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.hoffmann.config import HoffmannConfig
from xtalcodec.networks.hoffmann.periodic_table import SpeciesLogits
from xtalcodec.networks.hoffmann.published import AttentionGate, pair
from xtalcodec.networks.hoffmann.shortcuts import open_shortcut
from xtalcodec.representations.interpolation import along_axes, exact, sharpening
from xtalcodec.representations.window_field import WindowConfig

POINTS = 16
"""Points along each edge of the cube."""

BRIGHT = 4.0
"""e/Å³: densities are divided by this for the convolutions."""

CORRECTION = 0.1
"""What convolutions beside the modes make is multiplied by this, so that a step of training changes little."""

START_LOG_VAR = -8.0
"""Logarithm of the latents' variance at the start of training."""


def folded(x: Float[Tensor, "b c n n n"]) -> Float[Tensor, "b c8 h h h"]:
    """Eight neighbouring points become channels of one; channels lie last in memory, as convolutions want them."""
    b, c, n = x.shape[:3]
    x = x.reshape(b, c, n // 2, 2, n // 2, 2, n // 2, 2).permute(0, 2, 4, 6, 1, 3, 5, 7)
    return x.reshape(b, n // 2, n // 2, n // 2, 8 * c).movedim(-1, 1)


def unfolded(x: Float[Tensor, "b c8 h h h"]) -> Float[Tensor, "b c n n n"]:
    """Undo `folded`."""
    b, c, h = x.shape[:3]
    x = x.movedim(1, -1).reshape(b, h, h, h, c // 8, 2, 2, 2).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(b, 2 * h, 2 * h, 2 * h, c // 8).movedim(-1, 1)


class Views(nn.Module):
    """What convolutions see of a density: itself, its deconvolutions, and its logarithm, which shows light atoms."""

    matrices: Tensor

    def __init__(self, config: HoffmannConfig, window: WindowConfig) -> None:
        super().__init__()
        matrices = np.stack([np.eye(POINTS), *(sharpening(window, s) for s in config.compact.sharpened)])
        self.register_buffer("matrices", torch.from_numpy(matrices).float(), persistent=False)
        self.channels = len(matrices) + 1

    def forward(self, density: Float[Tensor, "b 16 16 16"]) -> Float[Tensor, "b channels 16 16 16"]:
        """Stack the channels, each of about 1 at an atom."""
        fields = [density, *(along_axes(matrix, density) for matrix in self.matrices[1:])]
        return torch.stack([*(f / BRIGHT for f in fields), torch.log1p(fields[-1].clamp_min(0))], 1)


class Residual(nn.Module):
    """Two convolutions beside what they change."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv3d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "b width n n n"]) -> Float[Tensor, "b width n n n"]:
        """Add what two convolutions make of it."""
        return x + self.second(F.leaky_relu(self.first(F.leaky_relu(x))))


class CompactVAE(nn.Module):
    """Compresses a density on 16³ points to a few hundred numbers and back."""

    def __init__(self, config: HoffmannConfig, window: WindowConfig) -> None:
        super().__init__()
        self.points = POINTS
        a, b, c = (config.width(full) for full in config.compact.autoencoder)
        window = replace(window, points=POINTS)
        self.views = Views(config, window)
        self.shortcut = open_shortcut(config, window)
        self.encoder = nn.Sequential(
            nn.Conv3d(8 * self.views.channels, a, 3, padding=1),  # 8³
            Residual(a),
            nn.Conv3d(a, b, 3, stride=2, padding=1),  # 4³
            Residual(b),
            nn.Conv3d(b, c, 3, stride=2, padding=1),  # 2³
            nn.LeakyReLU(),
            nn.Flatten(),
        )
        self.mean, self.log_var = nn.Linear(c * 2**3, config.latent), nn.Linear(c, config.latent)
        self.spread = nn.Linear(config.latent, c * 2**3)
        double = nn.Upsample(scale_factor=2, mode="trilinear")
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (c, 2, 2, 2)),
            nn.LeakyReLU(),
            double,
            nn.Conv3d(c, b, 3, padding=1),  # 4³
            Residual(b),
            double,
            nn.Conv3d(b, a, 3, padding=1),  # 8³
        )
        self.modal_in = nn.Conv3d(8 * self.views.channels, a, 3, padding=1) if self.shortcut else None
        last = nn.Conv3d(a, 8, 3, padding=1)
        self.refine = nn.Sequential(Residual(a), nn.LeakyReLU(), last)
        nn.init.zeros_(self.log_var.weight)
        nn.init.constant_(self.log_var.bias, START_LOG_VAR)
        if self.shortcut:  # begin at the linear code
            nn.init.zeros_(self.mean.weight)
            nn.init.zeros_(self.mean.bias)
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def encode(
        self, density: Float[Tensor, "b 16 16 16"], cell: Float[Tensor, "b 3 3"] | None = None
    ) -> DiagonalGaussian:
        """Density → distribution of the latent: (1) look at it sharpened, (2) convolve, (3) project, (4) add modes.

        Parameters
        ----------
        density
            e/Å³.
        cell
            Cell vectors of the crystals in the window, rows in Å, for a shortcut that is told them.
        """
        x = self.encoder(folded(self.views(density)))  # b c·2³
        with exact(density):
            x = x.float()
            mean, log_var = self.mean(x), self.log_var(x.unflatten(1, (-1, 8)).mean(2))
            mean = self.shortcut.encode(density, cell) + CORRECTION * mean if self.shortcut else mean
            return DiagonalGaussian(mean, log_var)

    def decode(
        self, z: Float[Tensor, "b latent"], cell: Float[Tensor, "b 3 3"] | None = None
    ) -> Float[Tensor, "b 16 16 16"]:
        """Latent → density: (1) spread to 2³ points, (2) double the grid and convolve, (3) correct the sum of modes.

        Parameters
        ----------
        z
            Latents.
        cell
            As of `encode`.
        """
        with exact(z):
            spread = self.spread(z)
            linear = self.shortcut.decode(z, cell) if self.shortcut else None
        x = self.decoder(spread)  # b a 8 8 8
        if linear is not None and self.modal_in is not None:
            x = x + self.modal_in(folded(self.views(linear)))
        change = BRIGHT * unfolded(self.refine(x).float())[:, 0]
        return F.relu(change if linear is None else linear + CORRECTION * change)


class CompactAscent(nn.Module):
    """A level of the U-Net on its way up."""

    def __init__(self, inputs: int, outputs: int, *, attention: bool) -> None:
        super().__init__()
        # Channels are mixed before the grid is doubled: an eighth of the work.
        self.up = nn.Sequential(
            nn.Conv3d(inputs, outputs, 1), nn.BatchNorm3d(outputs), nn.ReLU(inplace=True), nn.Upsample(scale_factor=2)
        )
        self.gate = AttentionGate(outputs) if attention else None
        self.merge = pair(2 * outputs, outputs)

    def forward(
        self, coarse: Float[Tensor, "b inputs h h h"], skip: Float[Tensor, "b outputs n n n"]
    ) -> Float[Tensor, "b outputs n n n"]:
        """(1) Double the coarse grid, (2) weigh the skip, (3) convolve both together."""
        coarse = self.up(coarse)
        if self.gate is not None:
            skip = self.gate(skip, coarse)
        return self.merge(torch.cat([skip, coarse], 1))


class CompactUNet(nn.Module):
    """Tells for every point of a density which species' atom it belongs to, if any.

    Convolutions never see all 16³ points: eight neighbours are channels of one point on 8³, and become points again at
    the end (sub-pixel convolution; Shi et al. 2016).
    """

    def __init__(self, config: HoffmannConfig, window: WindowConfig) -> None:
        super().__init__()
        widths, fine = [config.width(full) for full in config.compact.unet], config.width(config.compact.fine)
        self.views = Views(config, replace(window, points=POINTS))
        self.descent = nn.ModuleList(
            pair(*ends) for ends in zip([8 * self.views.channels, *widths[:-1]], widths, strict=True)
        )
        self.ascent = nn.ModuleList(CompactAscent(widths[k + 1], widths[k], attention=config.attention) for k in (1, 0))
        self.ascent.append(nn.Conv3d(widths[0], 8 * fine, 1))
        self.classify = SpeciesLogits(fine, config)

    def forward(self, density: Float[Tensor, "b 16 16 16"]) -> Float[Tensor, "b species 16 16 16"]:
        """Density → logits of a point belonging to an atom of Z = channel + 1, before `exclusive` is seen to."""
        features = self.features(density).movedim(1, -1)
        return self.classify_some(features).movedim(-1, 1)

    def features(self, density: Float[Tensor, "b 16 16 16"]) -> Float[Tensor, "b fine 16 16 16"]:
        """Density → what tells the species of each point: down to 2³ points and up, joining what was on the way."""
        x = folded(self.views(density))
        skips = []
        for level in self.descent[:-1]:
            x = level(x)
            skips.append(x)  # b 64 8 8 8; b 128 4 4 4
            x = F.max_pool3d(x, 2)
        x = self.descent[-1](x)  # b 128 2 2 2
        *ascent, fine = self.ascent
        for level, skip in zip(ascent, reversed(skips), strict=True):
            x = level(x, skip)  # b 128 4 4 4; b 64 8 8 8
        return unfolded(fine(x))

    def classify_some(self, features: Float[Tensor, "*points fine"]) -> Float[Tensor, "*points species"]:
        """Features of some points → their logits."""
        return self.classify(features).float()
