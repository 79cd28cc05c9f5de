"""The paper's networks on its windows: density to one latent vector, decoded density to a segmentation to atoms."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.density import DensityConfig, read_density
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.segmentation import SegmentationConfig, read_segmentation
from xtalcodec.codecs.contract import NOTHING, Known, Terms
from xtalcodec.codecs.density_codec import DensityCodec
from xtalcodec.codecs.settings import LossConfig
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.hoffmann import Hoffmann, HoffmannConfig
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window_field import PaintedBatch, species_map

DECODED = DensityConfig(noise=0.1, shares=(0.2,))
"""For densities that a network decodes: a good one is off by 0.1 e/Å³."""

AT_ONCE = 16
"""Windows that go through the networks together: their activations are large."""


class HoffmannCodec(DensityCodec):
    """Atoms are read off the segmentation, or, where that is asked for, off the decoded density itself."""

    networks = HoffmannConfig
    representations = (UnitCellConfig, RepeatingConfig)
    retries = False
    learns_painted = True
    finders = ("segmentation", "density")
    network: Hoffmann
    finder = "segmentation"

    def find_by(self, name: str) -> None:
        """Have atoms found by the segmentation or by the density."""
        if name not in self.finders:
            super().find_by(name)
        self.finder = name

    def _open_network(self) -> Hoffmann:
        """Make the networks, channels last: a quarter faster."""
        network = Hoffmann(self.config.network)  # type: ignore[arg-type] # as `networks` says
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def encode_density(self, density: Float[Tensor, "b n n n"]) -> DiagonalGaussian:
        """Encode densities."""
        parts = [self.network.vae.encode(n) for n in density.split(AT_ONCE)]
        mean, log_var = (torch.cat([getattr(p, name) for p in parts])[:, None] for name in ("mean", "log_var"))
        return DiagonalGaussian(mean, log_var)

    def decode_density(self, z: Float[Tensor, "b 1 latent"]) -> Float[Tensor, "b n n n"]:
        """Decode the density."""
        return torch.cat([self.network.vae.decode(part) for part in z[:, 0].split(AT_ONCE)])

    def find_atoms(
        self,
        z: Float[Tensor, "b 1 latent"],
        lattice: Float[Tensor, "b 3 3"],  # noqa: ARG002
        patches: Patches,  # noqa: ARG002
        known: Known = NOTHING,  # noqa: ARG002
    ) -> list[FoundAtoms]:
        """Decode the density and read it, or its segmentation."""
        return [self._on_torus(atoms) for atoms in self._in_window(self.decode_density(z))]

    def _in_window(self, densities: Float[Tensor, "b n n n"]) -> Iterator[FoundAtoms]:
        """Atoms of decoded densities, in Å from the window's corner."""
        for density in densities.split(AT_ONCE):
            if self.finder == "density":
                yield from read_density(density, self.view.field, DECODED)
            else:
                yield from read_segmentation(self.network.segment(density), self.view.field, SegmentationConfig())

    def loss(self, batch: CrystalBatch, patches: Patches, config: LossConfig) -> tuple[Terms, Terms]:  # noqa: ARG002
        """(1) Paint, (2) decode, (3) compare."""
        painted = PaintedBatch(self.view.density(batch), species_map(self.view.atoms(batch), self.view.field))
        return self.loss_of_painted(painted)

    def loss_of_painted(self, batch: PaintedBatch) -> tuple[Terms, Terms]:
        """(1) Decode, (2) compare."""
        return self.network.loss(self.network(batch.density), batch.density, batch.species_map), {}
