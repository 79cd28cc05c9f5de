"""The linear code of a window that repeats: structure factors, and the sites that made them. It has no weights."""

import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.waves import read_waves
from xtalcodec.codecs.contract import NOTHING, Known, Terms
from xtalcodec.codecs.density_codec import DensityCodec
from xtalcodec.codecs.settings import LossConfig
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.modes import LinearConfig
from xtalcodec.networks.waves import Periodic
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.repeating import RepeatingConfig

NOISE = 1e-3
"""e/Å³: what the waves left out and the rounding of latents make of a density's error; chosen on held-out crystals."""


class LinearRepeatingCodec(DensityCodec):
    """Least squares find the sites whose structure factors the code holds."""

    networks = LinearConfig
    representations = (RepeatingConfig,)
    trainable = False
    network: Periodic

    def _open_network(self) -> Periodic:
        """Take as many waves as there are numbers."""
        return Periodic(self.config.network.latent, self.config.representation.window)  # type: ignore[attr-defined]

    def encode_density(
        self, density: Float[Tensor, "b n n n"], lattice: Float[Tensor, "b 3 3"] | None = None
    ) -> DiagonalGaussian:
        """Project onto the waves; the distribution has no spread."""
        z = self.network.encode(density, lattice)[:, None]
        return DiagonalGaussian(z, torch.full_like(z, -torch.inf))

    def decode_density(
        self, z: Float[Tensor, "b 1 latent"], lattice: Float[Tensor, "b 3 3"] | None = None
    ) -> Float[Tensor, "b n n n"]:
        """Sum the waves."""
        return self.network.decode(z[:, 0], lattice)

    def find_atoms(
        self,
        z: Float[Tensor, "b 1 latent"],
        lattice: Float[Tensor, "b 3 3"],
        patches: Patches,  # noqa: ARG002
        known: Known = NOTHING,  # noqa: ARG002
    ) -> list[FoundAtoms]:
        """Fit sites to the structure factors."""
        found = read_waves(self.network.waves(lattice), z[:, 0], self.view.field, NOISE)
        return [self._on_torus(atoms) for atoms in found]

    def loss(self, batch: CrystalBatch, patches: Patches, config: LossConfig) -> tuple[Terms, Terms]:  # noqa: ARG002
        """Nothing is learnt."""
        raise TypeError(f"the codec {self.config.name!r} has nothing to learn")
