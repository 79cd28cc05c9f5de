"""What codecs of densities share: a density goes in, as the paper paints it, and a density comes out."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.config import SettingsError
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch


class DensityCodec(Codec):
    """Densities of windows are encoded as they are, to one latent vector, and decoded to densities."""

    encodes_density = True
    decodes_density = True

    def __init__(self, config: CodecConfig, device: str | torch.device = "cpu") -> None:
        """Make an untrained codec."""
        super().__init__(config, device)
        if self.window is None:
            raise TypeError(f"the network {config.network.kind!r} works on windows")
        self.view = window = self.window
        if window.config.patches != 1:
            raise SettingsError(
                f"codec.representation.patches is {window.config.patches}; the network {config.network.kind!r} has one "
                "latent vector for the whole window: 1"
            )
        if not window.closed and window.config.reach < window.field.reach:
            raise SettingsError(
                f"codec.representation.reach is {window.config.reach:g} Å; atoms up to {window.field.reach:g} Å "
                "outside of the window show in its density"
            )

    def encode_batch(
        self,
        batch: CrystalBatch,
        patches: Patches,  # noqa: ARG002
        scale: Float[Tensor, " b"] | None = None,
    ) -> DiagonalGaussian:
        """Paint the paper's density and encode it."""
        density = self.view.density(batch)
        return self.encode_density(density if scale is None else density * scale.view(-1, 1, 1, 1), batch.seen)

    def _on_torus(self, atoms: FoundAtoms) -> FoundAtoms:
        """Atoms in Å as fractions of the torus, those outside of the window left out."""
        inside = atoms.within(self.view.field.edge)
        sure = float(inside.confidence.mean()) if len(inside) else 0.0
        return replace(inside, positions=self.view.fractions(inside.positions), explained=sure)
