"""The patch network on any torus of voxels: the crystal's own cell, or a window."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.heat import find_by_heat
from xtalcodec.atom_finders.heat_field import HeatField, interpolate
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.contract import NOTHING, Known, Terms
from xtalcodec.codecs.guesses import Latents
from xtalcodec.codecs.inversion import inverted
from xtalcodec.codecs.misfit import Misfit
from xtalcodec.codecs.refine import refine
from xtalcodec.codecs.settings import LossConfig
from xtalcodec.config import SettingsError
from xtalcodec.crystal import Crystal
from xtalcodec.networks.decoded_field import SpeciesLogits, errors
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.patch import PatchConfig, PatchNetwork
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.representations.portions import grouped, in_order
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig

SHARED_WEIGHT = 5.0
"""Of the species of disordered crystals in the loss that refinement descends on: their shares are what is wrong."""


class PatchCodec(Codec):
    """Heat, offsets and species of every voxel; latents can be refined."""

    networks = PatchConfig
    representations = (PeriodicConfig, UnitCellConfig, RepeatingConfig)
    can_refine = True
    can_restrict = True
    network: PatchNetwork

    def _open_network(self) -> PatchNetwork:
        """Make the network, for patches of as many voxels as the representation's."""
        network: PatchConfig = self.config.network  # type: ignore[assignment] # as `networks` says
        if network.patch != self.representation.patch:
            raise SettingsError(
                f"codec.network.patch is {network.patch} and codec.representation.patch {self.representation.patch}: "
                "a patch has one number of voxels"
            )
        if network.mixtures and self.window is not None:
            raise SettingsError("codec.network.mixtures: shared sites are for codec.representation.kind=periodic")
        return PatchNetwork(network)

    @property
    def knows_disorder(self) -> bool:
        """Whether the network has learnt mixtures."""
        return self.network.config.mixtures

    @property
    def can_check(self) -> bool:
        """On the crystal's own cell."""
        return self.window is None

    @property
    def bears_bf16(self) -> bool:
        """On the crystal's own cell; windows are held to smaller errors."""
        return self.window is None

    def encode_batch(self, batch: CrystalBatch, patches: Patches, scale: Tensor | None = None) -> DiagonalGaussian:
        """Paint with the learned weights and encode."""
        weights = self._weights(batch)
        return self._painted(batch, weights if scale is None else weights * scale.view(-1, 1, 1), patches)

    def _painted(
        self, batch: CrystalBatch, weights: Float[Tensor, "b sites channels"], patches: Patches
    ) -> DiagonalGaussian:
        """Paint sites with what they weigh, and encode."""
        return self.network.encode(self.representation.paint(batch, weights, patches), batch.lattice, patches)

    def encode_each(self, batches: Sequence[CrystalBatch], grids: Sequence[Patches]) -> list[DiagonalGaussian]:
        """Paint the batches one after the other, and encode them together."""
        pairs = zip(batches, grids, strict=True)
        fields = [self.representation.paint(batch, self._weights(batch), patches) for batch, patches in pairs]
        return self.network.encode_each(fields, torch.cat([batch.lattice for batch in batches]), grids)

    @torch.no_grad()
    def weighed(
        self,
        lattice: Float[Tensor, "3 3"],
        frac_coords: Float[Tensor, "n sites 3"],
        weights: Float[Tensor, "n sites channels"],
        patches: Patches,
    ) -> Float[Tensor, "n patches latent"]:
        """Latents of sites that weigh anything, in one cell, see `_weights`.

        Parameters
        ----------
        lattice
            Cell vectors, rows in Å.
        frac_coords
            Of the sites, as often as they are encoded.
        weights
            What each is painted with.
        patches
            Patches of the grid along its axes.
        """
        found = []
        for _, rows in grouped([patches] * len(weights)):
            there = torch.ones(len(rows), weights.shape[1], dtype=torch.long, device=weights.device)
            batch = CrystalBatch(lattice.expand(len(rows), 3, 3), frac_coords[rows], there, there.bool())
            found.append(self._painted(batch, weights[rows], patches).mean)
        return torch.cat(found)

    def _weights(self, batch: CrystalBatch) -> Float[Tensor, "b sites channels"]:
        """Σ occupancy · w(element) of every site; what is empty weighs nothing."""
        table = self.network.weights.weight
        if batch.occupancies is None:
            return self.network.weights(batch.numbers)
        return batch.shares(len(table))[..., 1:] @ table[1:]

    @property
    def channels(self) -> Float[np.ndarray, "z channels"]:
        """Weights of the field that the encoder sees."""
        return self.network.weights.weight.detach().float().cpu().numpy()

    @property
    def most_noise(self) -> float:
        """What the network has learnt to live with."""
        return self.network.config.noise

    def find_atoms(
        self,
        z: Float[Tensor, "b patches latent"],
        lattice: Float[Tensor, "b 3 3"],
        patches: Patches,
        known: Known = NOTHING,
    ) -> list[FoundAtoms]:
        """Decode, and read the heat."""
        return self.find_each([*z], lattice, [patches] * len(z), known)

    def find_each(
        self,
        z: Sequence[Float[Tensor, "_ latent"]],
        lattice: Float[Tensor, "b 3 3"],
        grids: Sequence[Patches],
        known: Known = NOTHING,
    ) -> list[FoundAtoms]:
        """Decode together what is on several grids, and read the heat."""
        order = [k for _, rows in grouped(grids) for k in rows]
        latents, cells, shapes, own = [z[k] for k in order], lattice[order], [grids[k] for k in order], known.of(order)
        field = self.field(latents, cells, shapes, own.noise)
        allowed = self.allowed(len(z), own.elements)
        config = self.config.atom_finder
        found = find_by_heat(
            field, self.network, self.representation.frame(cells), allowed, config, holding=own.holding
        )
        if own.checked:
            rows = [k for k, checked in enumerate(own.checked) if checked]
            found = inverted(Latents(self, latents, cells, shapes, own), field, found, rows)
        return in_order([order], [found])

    def field(
        self,
        z: Sequence[Float[Tensor, "_ latent"]],
        lattice: Float[Tensor, "b 3 3"],
        grids: Sequence[Patches],
        noise: Float[Tensor, " b"] | None = None,
    ) -> HeatField:
        """What the decoder says of the voxels of latents, those of one grid together.

        Parameters
        ----------
        z
            Latent of each crystal, one row a patch.
        lattice
            Niggli-reduced cells of the crystals, rows in Å.
        grids
            Patches of the grid of each.
        noise
            Of each latent; None for none.
        """
        groups = list(grouped(grids))
        assert [k for _, rows in groups for k in rows] == [*range(len(grids))]  # noqa: S101 - as is said
        batches = [torch.stack([z[k] for k in rows]) for _, rows in groups]
        frame = self.representation.frame(lattice)
        decoded = self.network.decode_each(batches, frame, [patches for patches, _ in groups], noise)
        return HeatField.of(decoded, self.representation, self.representation.tori(grids, self.device))

    def allowed(self, crystals: int, elements: Sequence[Sequence[int]] | None) -> Bool[Tensor, "b z"]:
        """Which elements the atoms of each crystal may be, by Z."""
        table = torch.zeros(crystals, self.network.config.species + 1, dtype=torch.bool)
        for row, own in zip(table, elements or [self.config.elements] * crystals, strict=True):
            row[list(own)] = True
        return table.to(self.device)

    def descend(
        self, crystals: Sequence[Crystal], patches: Patches, z: Float[Tensor, "b patches latent"]
    ) -> tuple[Float[Tensor, "b patches latent"], list[Misfit]]:
        """Follow the gradient through the decoder where atoms are off."""

        def loss_of(crystals: Sequence[Crystal]) -> Callable[[Tensor], Tensor]:
            truth = _Reconstruction(self, self.representation.collate(crystals, z.device), patches)

            def loss(z: Tensor) -> Tensor:
                with self.roughly():
                    return truth.loss(z)

            return loss

        def read(z: Tensor, lattice: Tensor) -> list[FoundAtoms]:
            return self._sites([*z], lattice, [patches] * len(z))

        return refine(loss_of, crystals, z, read, self.config.refine)

    def loss(self, batch: CrystalBatch, patches: Patches, config: LossConfig) -> tuple[Terms, Terms]:
        """(1) Paint and encode the crystals, (2) sample a latent, (3) compare what it decodes to, (4) weigh the KL.

        A network that knows of noise gets some, in half of the crystals of any strength up to the largest.
        """
        latent = self.encode_batch(batch, patches)
        z, noise, most = latent.sample(), None, self.network.config.noise
        if most:
            noise = torch.rand(len(z), device=z.device) * most * (torch.rand(len(z), device=z.device) < config.noisy)
            z = latent.mean + noise[:, None, None] * torch.randn_like(latent.mean)
        truth = _Reconstruction(self, batch, patches)
        errors, species = truth.errors(z, noise, config.blur)
        losses = {name: error.mean() for name, error in errors.items()}
        if config.kl:
            losses["kl"] = config.kl * latent.kl().mean() / math.prod(patches)
        right = (species.element[:, 1:].argmax(-1) + 1 == batch.numbers[batch.mask]).float()
        metrics = {"right_species": right.mean().detach()}
        if noise is not None:
            metrics["right_without_noise"] = right[(noise == 0)[truth.which]].mean().detach().nan_to_num(1.0)
        return losses, metrics


class _Reconstruction:
    """The decoder's own loss of latents against the crystals that they should decode to."""

    def __init__(self, codec: PatchCodec, batch: CrystalBatch, patches: Patches) -> None:
        representation = codec.representation
        self.network, self.lattice, self.patches = codec.network, batch.lattice, patches
        self.targets = representation.targets(batch, patches)
        self.tori = representation.tori([patches] * len(batch), batch.device)
        self.which, self.position = representation.positions(batch, patches)
        self.shares = batch.shares(codec.network.config.species + 1)[batch.mask]
        shared = self.shares.amax(-1) < 1
        self.weight = torch.ones(len(batch), device=batch.device).index_fill(0, self.which[shared], SHARED_WEIGHT)

    def errors(
        self, z: Float[Tensor, "b patches latent"], noise: Float[Tensor, " b"] | None = None, blur: float = 0.0
    ) -> tuple[Terms, SpeciesLogits]:
        """Named errors, and the species, read `blur` voxels off the true positions.

        Parameters
        ----------
        z
            Latents.
        noise
            Of each latent; None for none.
        blur
            Voxels.
        """
        decoded = self.network.decode(z, self.lattice, self.patches, noise)
        position = self.position + blur * torch.randn_like(self.position) if blur else self.position
        species = self.network.species(interpolate(decoded.features.flatten(0, 1), self.which, position, self.tori))
        return errors(decoded, self.targets, species, self.shares), species

    def loss(self, z: Float[Tensor, "b patches latent"]) -> Float[Tensor, ""]:
        """Sum of the losses of the crystals, so that no crystal's gradient depends on the others."""
        errors, _ = self.errors(z)
        heat, offset, species = (errors.pop(name) for name in ("heat", "offset", "species"))
        by_site = torch.stack([self.weight[self.which] * species, *errors.values()]).sum(0)
        near = self.targets.near // heat.shape[1]
        return heat.mean(1).sum() + _sum_of_means(offset, near) + _sum_of_means(by_site, self.which)


def _sum_of_means(values: Float[Tensor, " n"], which: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean of the values of each crystal, added up."""
    return (values / which.bincount()[which]).sum()
