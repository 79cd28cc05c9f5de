"""The patch network on any torus of voxels: the crystal's own cell, or a window."""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.heat import find_by_heat, interpolate
from xtalcodec.codecs.base import Codec, CodecConfig, LossConfig, Terms
from xtalcodec.codecs.refine import refine
from xtalcodec.config import SettingsError
from xtalcodec.crystal import Crystal
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.patch import PatchConfig, PatchNetwork
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig


class PatchCodec(Codec):
    """Heat, offsets and species of every voxel; latents can be refined."""

    networks = PatchConfig
    representations = (PeriodicConfig, UnitCellConfig, RepeatingConfig)
    can_refine = True
    network: PatchNetwork

    def __init__(self, config: CodecConfig, device: str | torch.device = "cpu") -> None:
        """Make an untrained codec."""
        super().__init__(config, device)
        self.allowed = torch.tensor(config.elements, device=self.device)

    def _open_network(self) -> PatchNetwork:
        """Make the network, for patches of as many voxels as the representation's."""
        network: PatchConfig = self.config.network  # type: ignore[assignment] # as `networks` says
        if network.patch != self.representation.patch:
            raise SettingsError(
                f"codec.network.patch is {network.patch} and codec.representation.patch {self.representation.patch}: "
                "a patch has one number of voxels"
            )
        return PatchNetwork(network)

    def encode_batch(self, batch: CrystalBatch, patches: Patches, scale: Tensor | None = None) -> DiagonalGaussian:
        """Paint with the learned weights and encode."""
        field = self.representation.paint(batch, self.network.weights(batch.numbers), patches)
        if scale is not None:
            field = field * scale.view(-1, 1, 1, 1, 1)
        return self.network.encode(field, batch.lattice, patches)

    def find_atoms(
        self, z: Float[Tensor, "b patches latent"], lattice: Float[Tensor, "b 3 3"], patches: Patches
    ) -> list[FoundAtoms]:
        """Decode and read the heat."""
        frame = self.representation.frame(lattice)
        decoded = self.network.decode(z, frame, patches)
        finder = self.config.atom_finder
        return find_by_heat(decoded, self.network, self.representation, frame, patches, self.allowed, finder)

    def improve(
        self, crystals: Sequence[Crystal], patches: Patches, z: Float[Tensor, "b patches latent"]
    ) -> tuple[Float[Tensor, "b patches latent"], list[float]]:
        """Descend through the decoder where atoms are off."""

        def loss_of(crystals: Sequence[Crystal]) -> Callable[[Tensor], Tensor]:
            return _Reconstruction(self, self.representation.collate(crystals, z.device), patches).loss

        def read(z: Tensor, lattice: Tensor) -> list[FoundAtoms]:
            return self._sites(z, lattice, patches)

        return refine(loss_of, crystals, z, read, self.config.refine)

    def loss(self, batch: CrystalBatch, patches: Patches, config: LossConfig) -> tuple[Terms, Terms]:
        """(1) Paint and encode the crystals, (2) sample a latent, (3) compare what it decodes to, (4) weigh the KL."""
        latent = self.encode_batch(batch, patches)
        losses, species = _Reconstruction(self, batch, patches).terms(latent.sample(), config.blur)
        losses["kl"] = config.kl * latent.kl().mean() / math.prod(patches)
        right = (species.argmax(-1) == batch.numbers[batch.mask]).float().mean()
        return losses, {"right_species": right.detach()}


class _Reconstruction:
    """The decoder's own loss of latents against the crystals that they should decode to."""

    def __init__(self, codec: PatchCodec, batch: CrystalBatch, patches: Patches) -> None:
        representation = codec.representation
        self.network, self.lattice, self.patches = codec.network, batch.lattice, patches
        self.targets, self.grid = representation.targets(batch, patches), representation.grid(patches)
        self.which, self.position = representation.positions(batch, patches)
        self.numbers = batch.numbers[batch.mask]

    def terms(self, z: Float[Tensor, "b patches latent"], blur: float = 0.0) -> tuple[Terms, Float[Tensor, "sites z"]]:
        """Named losses, and logits of the species, read `blur` voxels off the true positions."""
        decoded = self.network.decode(z, self.lattice, self.patches)
        position = self.position + blur * torch.randn_like(self.position) if blur else self.position
        species = self.network.species(interpolate(decoded.features, self.which, position, self.grid))
        return self.network.loss(decoded, self.targets, species, self.numbers), species

    def loss(self, z: Float[Tensor, "b patches latent"]) -> Float[Tensor, ""]:
        """Sum of the named losses."""
        terms, _ = self.terms(z)
        return torch.stack([*terms.values()]).sum()
