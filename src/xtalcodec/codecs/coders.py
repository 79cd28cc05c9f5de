"""What joins a network with a representation: batches to latents, latents to atoms."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from xtalcodec.atom_finders.density import DensityAtoms, DensityConfig, read_density, read_modes
from xtalcodec.atom_finders.found import Sites
from xtalcodec.atom_finders.heat import SitesConfig, read_sites
from xtalcodec.atom_finders.segmentation import SegmentationConfig, SegmentedAtoms, read_segmentation
from xtalcodec.networks.diagonal_gaussian import Latent
from xtalcodec.networks.hoffmann import Hoffmann, HoffmannConfig
from xtalcodec.networks.modes import Linear, LinearConfig
from xtalcodec.networks.patch import PatchConfig, PatchNetwork
from xtalcodec.representations.base import Patches, Voxels
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.window import Cube, UnitCellCube

DECODED = DensityConfig(noise=0.1, shares=(0.2,))
"""For densities that a network decodes: a good one is off by 0.1 e/Å³."""

EXACT = DensityConfig(noise=1e-4)
"""For modes of true densities, e/Å³: far more than single precision rounds their latents by."""

AT_ONCE = 16
"""Windows that go through the paper's networks together: their activations are large."""


@runtime_checkable
class Coder(Protocol):
    """A network at work on a representation."""

    def encode(self, batch: CrystalBatch, patches: Patches) -> Latent:
        """Distribution of the latents (crystals, patches, latent) of crystals on their grid."""

    def find(
        self, z: Float[Tensor, "b patches latent"], lattice: Float[Tensor, "b 3 3"], patches: Patches
    ) -> list[Sites]:
        """Atoms on the grid."""

    def density(self, z: Float[Tensor, "b patches latent"]) -> Float[Tensor, "b n n n"] | None:
        """Density that the network decodes, in e/Å³; None where it decodes atoms only."""

    def compress(self, density: Float[Tensor, "b n n n"]) -> Latent | None:
        """Distribution of the latents of densities in e/Å³; None where the network encodes atoms only."""


class PatchCoder:
    """Heat, offsets and species of every voxel."""

    def __init__(self, network: PatchNetwork, space: Voxels, sites: SitesConfig, allowed: Int[Tensor, " z"]) -> None:
        self.network, self.space, self.sites, self.allowed = network, space, sites, allowed

    def encode(self, batch: CrystalBatch, patches: Patches) -> Latent:
        """Paint with the learned weights and encode."""
        field = self.space.paint(batch, self.network.weights(batch.numbers), patches)
        return self.network.encode(field, batch.lattice, patches)

    def find(
        self, z: Float[Tensor, "b patches latent"], lattice: Float[Tensor, "b 3 3"], patches: Patches
    ) -> list[Sites]:
        """Decode and read the heat."""
        frame = self.space.frame(lattice)
        decoded = self.network.decode(z, frame, patches)
        return read_sites(decoded, self.network, self.space, frame, patches, self.allowed, self.sites)

    def density(self, z: Float[Tensor, "b patches latent"]) -> None:  # noqa: ARG002
        """Only atoms are decoded."""
        return

    def compress(self, density: Float[Tensor, "b n n n"]) -> None:  # noqa: ARG002
        """Only atoms are encoded."""
        return


class HoffmannCoder:
    """The paper's: density to one latent vector, decoded density to a segmentation to atoms."""

    reader: str = "segmentation"
    """What atoms are read off: the segmentation, or the decoded "density" itself."""

    def __init__(self, network: Hoffmann, space: Cube) -> None:
        self.network, self.space = network, space

    def encode(self, batch: CrystalBatch, patches: Patches) -> Latent:  # noqa: ARG002
        """Paint the paper's density and encode it."""
        return self.compress(self.space.density(batch))

    def compress(self, density: Float[Tensor, "b n n n"]) -> Latent:
        """Encode densities."""
        parts = [self.network.vae.encode(n) for n in density.split(AT_ONCE)]
        mean, log_var = (torch.cat([getattr(p, name) for p in parts])[:, None] for name in ("mean", "log_var"))
        return Latent(mean, log_var)

    def find(self, z: Float[Tensor, "b 1 latent"], lattice: Float[Tensor, "b 3 3"], patches: Patches) -> list[Sites]:  # noqa: ARG002
        """Decode the density, segment it, read the segmentation."""
        window = self.space.window
        found: list[Sites] = []
        for density in self.density(z).split(AT_ONCE):
            if self.reader == "density":
                found += [_sites(a.within(window.edge), self.space) for a in read_density(density, window, DECODED)]
                continue
            maps = read_segmentation(self.network.segment(density), window, SegmentationConfig())
            found += [_sites(seen.within(window.edge), self.space) for seen in maps]
        return found

    def density(self, z: Float[Tensor, "b 1 latent"]) -> Float[Tensor, "b n n n"]:
        """Decode the density."""
        return torch.cat([self.network.vae.decode(part) for part in z[:, 0].split(AT_ONCE)])


class LinearCoder:
    """Modes of the density, and the atoms that made them."""

    def __init__(self, network: Linear, space: Cube) -> None:
        self.network, self.space = network, space

    def encode(self, batch: CrystalBatch, patches: Patches) -> Latent:  # noqa: ARG002
        """Paint the paper's density and take its modes."""
        return self.compress(self.space.density(batch))

    def compress(self, density: Float[Tensor, "b n n n"]) -> Latent:
        """Take the modes; they are certain."""
        z = self.network.encode(density)[:, None]
        return Latent(z, torch.full_like(z, -torch.inf))

    def find(self, z: Float[Tensor, "b 1 latent"], lattice: Float[Tensor, "b 3 3"], patches: Patches) -> list[Sites]:  # noqa: ARG002
        """Fit atoms to the modes."""
        cubes = self.network.coefficients(z[:, 0])
        found = [read_modes(cube, self.network.modes, EXACT) for cube in cubes]
        return [_sites(atoms.within(self.space.window.edge), self.space) for atoms in found]

    def density(self, z: Float[Tensor, "b 1 latent"]) -> Float[Tensor, "b n n n"]:
        """Sum the modes."""
        return self.network.decode(z[:, 0])


def _sites(atoms: SegmentedAtoms | DensityAtoms, space: Cube) -> Sites:
    """Atoms of the window on the torus."""
    sure = float(atoms.confidence.mean()) if len(atoms) else 0.0
    return Sites(space.fractions(atoms.positions), atoms.numbers, atoms.confidence, sure)


def open_network(
    config: PatchConfig | HoffmannConfig | LinearConfig, space: Voxels
) -> PatchNetwork | Hoffmann | Linear:
    """Make the network of these settings.

    Raises
    ------
    TypeError
        A network that cannot work on the representation.
    """
    if isinstance(config, PatchConfig):
        return PatchNetwork(config)
    if not isinstance(space, Cube):
        raise TypeError(
            f"the network {config.kind!r} works on windows: codec.space.kind must be unit_cell or repeating"
        )
    if isinstance(config, LinearConfig):
        if not isinstance(space, UnitCellCube):
            raise TypeError(
                "the network 'linear' reads windows that hold all atoms: codec.space.kind must be unit_cell"
            )
        return Linear(config, space.window)
    network = Hoffmann(config)
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload] # a quarter faster


def open_coder(
    network: PatchNetwork | Hoffmann | Linear,
    space: Voxels,
    sites: SitesConfig,
    elements: tuple[int, ...],
    device: torch.device,
) -> Coder:
    """Join a network with the representation that it was opened for."""
    if isinstance(network, PatchNetwork):
        return PatchCoder(network, space, sites, torch.tensor(elements, device=device))
    if not isinstance(space, Cube):
        raise TypeError("networks of densities work on windows")
    return LinearCoder(network, space) if isinstance(network, Linear) else HoffmannCoder(network, space)
