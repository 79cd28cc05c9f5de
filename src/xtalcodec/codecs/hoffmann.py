"""The paper's networks on its windows: density to one latent vector, decoded density to a segmentation to atoms."""

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.density import CLOSED, OPEN, DensityConfig, read_density
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.segmentation import SegmentationConfig, read_segmentation
from xtalcodec.atom_finders.segmented_density import read_both, segmented_species
from xtalcodec.atom_finders.waves import read_waves
from xtalcodec.codecs.contract import NOTHING, Known, Terms
from xtalcodec.codecs.density_codec import DensityCodec
from xtalcodec.codecs.settings import CodecConfig, LossConfig
from xtalcodec.config import SettingsError
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.hoffmann import Hoffmann, HoffmannConfig
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.interpolation import DECODED, exact, resampled
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.waves import Waves
from xtalcodec.representations.window import Window
from xtalcodec.representations.window_field import PaintedBatch, species_map

AT_ONCE = 16
"""Windows that go through the networks together: their activations are large."""


class HoffmannCodec(DensityCodec):
    """Atoms are read off the segmentation, the decoded density or both, see `HoffmannConfig.reader`.

    The networks see the window on their own points; what goes in and comes out as a density is on the window's.
    """

    networks = HoffmannConfig
    representations = (UnitCellConfig, RepeatingConfig)
    retries = False
    learns_painted = True
    finders = get_args(HoffmannConfig.__annotations__["reader"])
    network: Hoffmann

    def __init__(self, config: CodecConfig, device: str | torch.device = "cpu") -> None:
        """Make an untrained codec."""
        super().__init__(config, device)
        self.finder = config.network.reader  # type: ignore[attr-defined] # as `networks` says

    @property
    def canvas(self) -> Window:
        """The window on the networks' own points, as training sees it."""
        return replace(self.view.config, window=self.network.window).open()

    @property
    def told_lattice(self) -> bool:
        """Whether the networks are told the crystal's lattice."""
        return self.config.network.compact.shortcut == "lattice"  # type: ignore[attr-defined] # as `networks` says

    def find_by(self, name: str) -> None:
        """Have atoms found by the segmentation, by the density or by both."""
        if name not in self.finders:
            super().find_by(name)
        self.finder = name

    def _open_network(self) -> Hoffmann:
        """Make the networks, channels last: a quarter faster."""
        if self.told_lattice and self.window is not None and self.window.closed:
            raise SettingsError(
                "codec.network.compact.shortcut=lattice is for windows that repeat: codec.representation.kind=repeating"
            )
        network = Hoffmann(self.config.network, self.config.representation.window)  # type: ignore[arg-type,attr-defined]
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def encode_density(
        self, density: Float[Tensor, "b n n n"], lattice: Float[Tensor, "b 3 3"] | None = None
    ) -> DiagonalGaussian:
        """Encode densities on the window's points."""
        density = resampled(density, self.view.field, self.network.window.points)
        parts = [self.network.vae.encode(*part) for part in _in_parts(density, lattice)]
        mean, log_var = (torch.cat([getattr(p, name) for p in parts])[:, None] for name in ("mean", "log_var"))
        return DiagonalGaussian(mean, log_var)

    def decode_density(
        self, z: Float[Tensor, "b 1 latent"], lattice: Float[Tensor, "b 3 3"] | None = None
    ) -> Float[Tensor, "b n n n"]:
        """Decode the density, on the window's points."""
        own = torch.cat([self.network.vae.decode(*part) for part in _in_parts(z[:, 0], lattice)])
        return resampled(own, self.network.window, self.view.field.points, DECODED).clamp_min(0)

    def find_atoms(
        self,
        z: Float[Tensor, "b 1 latent"],
        lattice: Float[Tensor, "b 3 3"],
        patches: Patches,  # noqa: ARG002
        known: Known = NOTHING,  # noqa: ARG002
    ) -> list[FoundAtoms]:
        """Decode the density and read it, its segmentation, or both."""
        found = (
            atoms
            for part, cell in _in_parts(z[:, 0], lattice)
            for atoms in self._in_window(self.network.vae.decode(part, cell), cell)
        )
        return [self._on_torus(atoms) for atoms in found]

    def _in_window(
        self, density: Float[Tensor, "b n n n"], lattice: Float[Tensor, "b 3 3"] | None
    ) -> Iterator[FoundAtoms]:
        """Atoms of decoded densities, in Å from the window's corner."""
        window, network = self.network.window, self.network
        if self.told_lattice and self.finder != "segmentation":
            waves = Waves.of(lattice, window, network.config.latent)  # type: ignore[arg-type] # which decoding has seen
            z = waves.project(density, network.config.latent)
            seen = None if self.finder == "density" else segmented_species(network.logits(density), window)
            yield from read_waves(waves, z, window, network.config.noise, seen)
            return
        fit = self._fit(network.config)
        if self.finder == "density":
            yield from read_density(density, window, fit)
        elif self.finder == "both":
            yield from read_both(density, network.logits(density), window, fit, SegmentationConfig())
        else:
            yield from read_segmentation(network.logits(density), window, SegmentationConfig())

    def _fit(self, config: HoffmannConfig) -> DensityConfig:
        """How atoms are searched in a decoded density."""
        base = CLOSED if self.view.closed else OPEN
        spread = config.compact.spread
        return replace(base, noise=config.noise, shares=(0.2,), modes=config.read_modes, spread=spread)

    def loss(self, batch: CrystalBatch, patches: Patches, config: LossConfig) -> tuple[Terms, Terms]:  # noqa: ARG002
        """(1) Paint, in full precision, (2) decode, (3) compare."""
        canvas = self.canvas
        with exact(batch.lattice):
            assert batch.seen is not None  # noqa: S101 - windows say what they show
            painted = PaintedBatch(canvas.density(batch), species_map(canvas.atoms(batch), canvas.field), batch.seen)
        return self.loss_of_painted(painted)

    def loss_of_painted(self, batch: PaintedBatch) -> tuple[Terms, Terms]:
        """(1) Decode, (2) compare."""
        decoded = self.network(batch.density, batch.cell)
        return self.network.loss(decoded, batch.density, batch.species_map), {}


def _in_parts(some: Tensor, lattice: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Densities or latents with their lattices, a few at a time."""
    parts = some.split(AT_ONCE)
    lattices = [None] * len(parts) if lattice is None else lattice.split(AT_ONCE)
    yield from zip(parts, lattices, strict=True)
