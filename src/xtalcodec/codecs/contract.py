"""The contract of codecs: what each can do, and what each adds to encoding and decoding."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.planned import Holding
from xtalcodec.codecs.misfit import Misfit
from xtalcodec.codecs.settings import CodecConfig, LossConfig
from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.elements import symbol
from xtalcodec.geometry.neighbours import neighbours
from xtalcodec.networks.base import Network, NetworkConfig
from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.precision import multiplies_bf16
from xtalcodec.representations.base import Patches, RepresentationConfig
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.portions import grouped, in_order
from xtalcodec.representations.window import Window
from xtalcodec.representations.window_field import PaintedBatch

Terms = dict[str, Tensor]
"""Named numbers of a batch."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of latents, and of the crystals that they decode to."""

    noise: Float[Tensor, " b"] | None = None
    """Standard deviation of the errors of each latent, at most the codec's `most_noise`; None for none."""
    elements: Sequence[Sequence[int]] | None = None
    """Atomic numbers that the atoms of each crystal are among; None for all that the codec knows."""
    holding: Sequence[Holding] | None = None
    """Atoms that each crystal holds, which then are all that is read; None where that is not known."""

    checked: Sequence[bool] | None = None
    """Which latents are an encoder's own, but for their noise: what they are read as is checked by encoding it; None
    for none of them."""

    def of(self, rows: Sequence[int]) -> "Known":
        """What is known of some of the crystals, in this order."""
        elements = None if self.elements is None else [self.elements[k] for k in rows]
        holding = None if self.holding is None else [self.holding[k] for k in rows]
        checked = None if self.checked is None else [self.checked[k] for k in rows]
        return Known(None if self.noise is None else self.noise[list(rows)], elements, holding, checked)


NOTHING = Known()


class Contract(ABC):
    """What every class of codecs says of itself, and what each adds. What a codec can do is a property."""

    networks: ClassVar[type[NetworkConfig]]
    """Settings of the networks that this class works with."""
    representations: ClassVar[tuple[type[RepresentationConfig], ...]]
    """Settings of the representations that it works on."""

    can_refine: ClassVar[bool] = False
    """Whether a latent can be improved by gradient descent through the decoder."""
    retries: ClassVar[bool] = True
    """Whether a crystal that does not come back is corrected, and tried on further origins."""
    decodes_density: ClassVar[bool] = False
    """Whether latents decode to densities, not to atoms only."""
    encodes_density: ClassVar[bool] = False
    """Whether densities can be encoded as they are."""
    trainable: ClassVar[bool] = True
    """Whether there is anything to learn."""
    learns_painted: ClassVar[bool] = False
    """Whether it can learn from views that are painted already."""
    can_restrict: ClassVar[bool] = False
    """Whether the elements that atoms are read as can be restricted."""
    finders: ClassVar[tuple[str, ...]] = ()
    """Names of the ways in which atoms can be found, where there are several."""
    network: Network

    def __init__(self, config: CodecConfig, device: str | torch.device = "cpu") -> None:
        """Make an untrained codec; `from_pretrained` gives a trained one."""
        self.config = config
        self.representation = config.representation.open()
        self.device = torch.device(device)
        self.network = self._open_network().to(self.device).eval()

    @property
    def can_check(self) -> bool:
        """Whether what a latent is read as can be checked, and mended, by encoding it."""
        return False

    @property
    def bears_bf16(self) -> bool:
        """Whether correction, descent and checks may multiply in bfloat16, which errs by some thousandths of an Å."""
        return False

    @property
    def rough(self) -> bool:
        """Whether correction, descent and checks multiply in bfloat16: where the processor does too."""
        return self.bears_bf16 and multiplies_bf16(self.device)

    @contextmanager
    def roughly(self, wanted: bool = True) -> Iterator[None]:
        """Multiply in bfloat16 where that is wanted and known to do, see `rough`."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=wanted and self.rough):
            yield

    @property
    def most_noise(self) -> float:
        """Largest noise of a latent, in standard deviations, that decoding can be told of; 0 for none."""
        return 0.0

    @property
    def knows_disorder(self) -> bool:
        """Whether crystals may have sites that are shared by elements, or partly empty."""
        return False

    @property
    def channels(self) -> Float[np.ndarray, "z channels"] | None:
        """Learnt density channels of each element, by its Z; None where what is painted is not learnt."""
        return None

    def check_elements(self, crystal: Crystal) -> None:
        """Refuse a crystal with an element that the codec does not know.

        Raises
        ------
        CrystalError
            The elements, by name.
        """
        if strange := sorted({*crystal.elements} - {*self.config.elements}):
            names = ", ".join(map(symbol, strange))
            raise CrystalError(f"the codec {self.config.name!r} never saw {names} in training")

    def check_apart(self, crystal: Crystal) -> None:
        """Refuse a crystal with atoms that are nearer to each other than any two of real ones.

        Raises
        ------
        CrystalError
            How near the nearest are.
        """
        least = self.config.atom_finder.nearest
        if len(near := neighbours(crystal, least).distance):
            raise CrystalError(f"two of its atoms are {near.min():.2f} Å apart; nearer than {least:g} Å they are one")

    @property
    def window(self) -> Window | None:
        """The representation where it is a window; None where the grid is the crystal's own cell."""
        return self.representation.window

    @property
    def canvas(self) -> Window | None:
        """The window as painted views for training show it, see `learns_painted`; its points may be the network's."""
        return self.window

    # What each class adds

    @abstractmethod
    def _open_network(self) -> Network:
        """Make the network of the settings."""

    @abstractmethod
    def encode_batch(self, batch: CrystalBatch, patches: Patches, scale: Tensor | None = None) -> DiagonalGaussian:
        """Distribution of the latents (crystals, patches, latent) of crystals on their grid.

        Parameters
        ----------
        batch
            Crystals of one grid, placed and moved to their origins.
        patches
            Patches of the grid along its axes.
        scale
            One number a crystal, that its field is multiplied by; None for 1.
        """

    def encode_each(self, batches: Sequence[CrystalBatch], grids: Sequence[Patches]) -> list[DiagonalGaussian]:
        """Distributions of the latents of batches on several grids, see `encode_batch`.

        Parameters
        ----------
        batches
            Of one grid each.
        grids
            Patches of the grid of each.
        """
        return [self.encode_batch(*batch) for batch in zip(batches, grids, strict=True)]

    @abstractmethod
    def find_atoms(
        self,
        z: Float[Tensor, "b patches latent"],
        lattice: Float[Tensor, "b 3 3"],
        patches: Patches,
        known: Known = NOTHING,
    ) -> list[FoundAtoms]:
        """Atoms on the grid, in fractions of its axes.

        Parameters
        ----------
        z
            Latents, one row a patch.
        lattice
            Niggli-reduced cells of the crystals, rows in Å.
        patches
            Patches of the grid along its axes.
        known
            Of the latents and the crystals; a codec that knows of no noise is given none, and one that cannot restrict
            elements reads what it finds.
        """

    def find_each(
        self,
        z: Sequence[Float[Tensor, "_ latent"]],
        lattice: Float[Tensor, "b 3 3"],
        grids: Sequence[Patches],
        known: Known = NOTHING,
    ) -> list[FoundAtoms]:
        """Atoms of crystals on grids of their own, see `find_atoms`.

        Parameters
        ----------
        z
            Latent of each crystal, one row a patch.
        lattice
            Niggli-reduced cells of the crystals, rows in Å.
        grids
            Patches of the grid of each.
        known
            Of the latents and the crystals.
        """
        groups = list(grouped(grids))
        found = (
            self.find_atoms(torch.stack([z[k] for k in rows]), lattice[rows], patches, known.of(rows))
            for patches, rows in groups
        )
        return in_order([rows for _, rows in groups], found)

    def descend(
        self,
        crystals: Sequence[Crystal],  # noqa: ARG002
        patches: Patches,  # noqa: ARG002
        z: Float[Tensor, "b patches latent"],  # noqa: ARG002
    ) -> tuple[Float[Tensor, "b patches latent"], list[Misfit]]:
        """Improve latents by gradient descent through the decoder, where codecs `can_refine`.

        Parameters
        ----------
        crystals
            Placed and moved to their origins, of one grid.
        patches
            Patches of the grid along its axes.
        z
            Latents to begin with, one row a crystal.

        Returns
        -------
        latents
            One row a crystal.
        misfits
            Between each crystal and what its latent decodes to.
        """
        raise TypeError(f"the codec {self.config.name!r} refines no latents by descent")

    @abstractmethod
    def loss(self, batch: CrystalBatch, patches: Patches, config: LossConfig) -> tuple[Terms, Terms]:
        """Paint, encode, sample, decode and compare a batch of crystals.

        Parameters
        ----------
        batch
            Crystals of one grid, as `Representation.random_views` puts them on it.
        patches
            Patches of the grid along its axes.
        config
            What is weighed beside the network's own terms.

        Returns
        -------
        losses
            Weighted terms; their sum is what training lowers.
        metrics
            Further numbers for the log.
        """

    def loss_of_painted(self, batch: PaintedBatch) -> tuple[Terms, Terms]:  # noqa: ARG002
        """Return losses and metrics of views that are painted already, see `loss`."""
        raise TypeError(f"the codec {self.config.name!r} learns from crystals, not from painted views")

    def decode_density(
        self,
        z: Float[Tensor, "b patches latent"],  # noqa: ARG002
        lattice: Float[Tensor, "b 3 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "b n n n"]:
        """Density that the network decodes, in e/Å³.

        Parameters
        ----------
        z
            Latents.
        lattice
            Cell vectors of the crystals in the window, rows in Å, for networks that are told them.
        """
        raise TypeError(f"the codec {self.config.name!r} decodes atoms only")

    def encode_density(
        self,
        density: Float[Tensor, "b n n n"],  # noqa: ARG002
        lattice: Float[Tensor, "b 3 3"] | None = None,  # noqa: ARG002
    ) -> DiagonalGaussian:
        """Distribution of the latents of densities.

        Parameters
        ----------
        density
            e/Å³.
        lattice
            As of `decode_density`.
        """
        raise TypeError(f"the codec {self.config.name!r} encodes atoms only")

    def find_by(self, name: str) -> None:
        """Have atoms found in another way, one of `finders`.

        Raises
        ------
        ValueError
            No such way.
        """
        if not self.finders:
            raise ValueError(f"{self.config.name} has one way to decode atoms")
        raise ValueError(unknown("finder", name, self.finders))
