"""The linear code of a window: modes of the density, and the atoms that made them. It has no weights."""

import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.density import DensityConfig, read_modes
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.contract import NOTHING, Known, Terms
from xtalcodec.codecs.density_codec import DensityCodec
from xtalcodec.codecs.settings import LossConfig
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.modes import Linear, LinearConfig
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.unit_cell import UnitCellConfig

EXACT = DensityConfig(noise=1e-4)
"""For modes of true densities, e/Å³: far more than single precision rounds their latents by."""


class LinearCodec(DensityCodec):
    """Least squares read the modes of windows that hold all of their atoms."""

    networks = LinearConfig
    representations = (UnitCellConfig,)
    trainable = False
    network: Linear

    def _open_network(self) -> Linear:
        """Choose the modes."""
        return Linear(self.config.network, self.config.representation.window)  # type: ignore[arg-type,attr-defined]

    def encode_density(
        self,
        density: Float[Tensor, "b n n n"],
        lattice: Float[Tensor, "b 3 3"] | None = None,  # noqa: ARG002
    ) -> DiagonalGaussian:
        """Project onto the modes; the distribution has no spread."""
        z = self.network.encode(density)[:, None]
        return DiagonalGaussian(z, torch.full_like(z, -torch.inf))

    def decode_density(
        self,
        z: Float[Tensor, "b 1 latent"],
        lattice: Float[Tensor, "b 3 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "b n n n"]:
        """Sum the modes."""
        return self.network.decode(z[:, 0])

    def find_atoms(
        self,
        z: Float[Tensor, "b 1 latent"],
        lattice: Float[Tensor, "b 3 3"],  # noqa: ARG002
        patches: Patches,  # noqa: ARG002
        known: Known = NOTHING,  # noqa: ARG002
    ) -> list[FoundAtoms]:
        """Fit atoms to the modes."""
        cubes = self.network.coefficients(z[:, 0])
        return [self._on_torus(read_modes(cube, self.network.modes, EXACT)) for cube in cubes]

    def loss(self, batch: CrystalBatch, patches: Patches, config: LossConfig) -> tuple[Terms, Terms]:  # noqa: ARG002
        """Nothing is learnt."""
        raise TypeError(f"the codec {self.config.name!r} has nothing to learn")
