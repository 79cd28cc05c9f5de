"""`hoffmann`: the networks of Hoffmann et al. 2019 (arXiv 1909.00949).

A variational autoencoder takes a density to `latent` numbers and back; an attention U-Net tells the species of every
voxel of the decoded density; a discriminator (the paper's supplementary information) tells true densities from
decoded ones. On 30³ points as published (`published.py`), or on 16³ (`compact.py`).
"""

from xtalcodec.networks.hoffmann.config import CompactConfig, HoffmannConfig
from xtalcodec.networks.hoffmann.discriminator import Discriminator
from xtalcodec.networks.hoffmann.joint import DecodedDensity, Hoffmann

__all__ = ["CompactConfig", "DecodedDensity", "Discriminator", "Hoffmann", "HoffmannConfig"]
