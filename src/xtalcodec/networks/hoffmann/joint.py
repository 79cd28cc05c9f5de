"""Autoencoder and U-Net, trained together: the U-Net sees what the autoencoder decodes."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from xtalcodec.networks.base import Network
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.hoffmann.compact import CompactUNet, CompactVAE
from xtalcodec.networks.hoffmann.config import HoffmannConfig
from xtalcodec.networks.hoffmann.losses import excluding, segmentation_loss
from xtalcodec.networks.hoffmann.published import POINTS as PUBLISHED
from xtalcodec.networks.hoffmann.published import VAE, AttentionUNet
from xtalcodec.representations.interpolation import along_axes, sharpening
from xtalcodec.representations.window_field import WindowConfig


@dataclass(frozen=True, slots=True)
class DecodedDensity:
    """Output of the autoencoder and the U-Net for a batch of densities."""

    density: Float[Tensor, "b n n n"]
    """Decoded density, in the units of what was encoded; never negative."""
    features: Float[Tensor, "b width n n n"] | None
    """What the U-Net makes of every voxel, to be classified; None where the autoencoder learns alone."""
    latent: DiagonalGaussian
    """Distribution of the latent that the density was decoded from."""


class Hoffmann(Network):
    """Autoencoder and U-Net, on as many points as the settings say."""

    hidden = ("vae.", "segment.descent.", "segment.ascent.")
    head = "segment.classify."

    def __init__(self, config: HoffmannConfig, window: WindowConfig | None = None) -> None:
        """Make both networks for densities of a window."""
        super().__init__()
        window = replace(window or WindowConfig(), points=config.points)
        self.config, self.window = config, window
        self.vae: VAE | CompactVAE
        self.segment: AttentionUNet | CompactUNet
        if config.points == PUBLISHED:
            self.vae, self.segment = VAE(config), AttentionUNet(config)
        else:
            self.vae, self.segment = CompactVAE(config, window), CompactUNet(config, window)
        if config.segmentation_weight == 0:
            self.segment.requires_grad_(False)  # what no loss sees is not waited for by other processes

    def forward(self, density: Float[Tensor, "b n n n"], cell: Float[Tensor, "b 3 3"] | None = None) -> DecodedDensity:
        """(1) Encode, (2) sample a latent (in evaluation, take its mean), (3) decode, (4) look at every voxel.

        Parameters
        ----------
        density
            e/Å³.
        cell
            Cell vectors of the crystals, rows in Å, for networks that are told them.
        """
        latent = self.vae.encode(density, cell)
        decoded = self.vae.decode(latent.sample() if self.training else latent.mean, cell)
        alone = self.training and self.config.segmentation_weight == 0
        return DecodedDensity(decoded, None if alone else self.segment.features(decoded), latent)

    def logits(self, density: Float[Tensor, "b n n n"]) -> Float[Tensor, "b species n n n"]:
        """Decoded density → logits whose sigmoid is the probability that a voxel is of an atom of Z = channel + 1."""
        logits = self.segment(density)
        return excluding(logits) if self.config.exclusive else logits

    def loss(
        self, decoded: DecodedDensity, density: Float[Tensor, "b n n n"], species_map: UInt8[Tensor, "b n n n"]
    ) -> dict[str, Tensor]:
        """Named terms of the loss, weighted; their sum is what training lowers.

        The mean square error over crystals and voxels; the KL divergence as the paper takes it,
        ½ mean(μ² + σ² − 1 − log σ²) over crystals and latent numbers, which is the divergence per
        crystal divided by `latent`; and the segmentation's cross-entropy, whose gradient reaches
        the autoencoder through the decoded density.

        Parameters
        ----------
        decoded
            What `forward` returned.
        density
            As it was painted, e/Å³.
        species_map
            Atomic number of each voxel, 0 where there is no atom.
        """
        config, error = self.config, decoded.density - density
        floor = config.density_floor
        terms = {
            "density": (error.square() * (floor / (density + floor)) if floor else error.square()).mean(),
            "kl": config.kl_weight * self._divergence(decoded.latent),
        }
        if config.sharp_weight:
            matrix = torch.from_numpy(sharpening(self.window, config.sharp_sigma)).to(error)
            terms["sharp"] = config.sharp_weight * along_axes(matrix, error).square().mean()
        if decoded.features is not None:
            share = config.empty_share
            near = species_map > 0
            taken = near | (torch.rand(near.shape, device=near.device) < share)
            logits = self.segment.classify_some(decoded.features.movedim(1, -1)[taken])
            weight = torch.where(near[taken], 1.0, 1 / share)
            loss = segmentation_loss(logits, species_map[taken], weight, exclusive=config.exclusive)
            terms["segmentation"] = config.segmentation_weight * loss
        return terms

    def _divergence(self, latent: DiagonalGaussian) -> Float[Tensor, ""]:
        """KL divergence over the number of latent numbers, mean over crystals; each number's free nats left out."""
        if not self.config.free_nats:
            return latent.kl().mean() / self.config.latent
        each = 0.5 * (latent.mean.square() + latent.log_var.exp() - 1 - latent.log_var).mean(0)
        return F.relu(each - self.config.free_nats).mean()
