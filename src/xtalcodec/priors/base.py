"""The contract of priors: a distribution of codes that is fitted, sampled and kept."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.crystal import Crystal
from xtalcodec.priors.conditions import Conditions, PriorError
from xtalcodec.priors.plan import Composition, Plan, SamplerConfig
from xtalcodec.representations.base import Patches


class Prior(ABC):
    """A distribution over the codes of one codec."""

    format: ClassVar[str]
    """Of its files, as they say it."""
    plans: ClassVar[bool] = False
    """Whether what cells hold is decided before their latents, by `plan` and `filled`."""

    @property
    @abstractmethod
    def codec(self) -> str:
        """Identity of the codec whose codes these are: only it can decode samples."""

    @property
    @abstractmethod
    def crystals(self) -> int:
        """How many crystals it was fitted to."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What was fitted, in one line."""

    @classmethod
    @abstractmethod
    def fit(cls, codec: Codec, crystals: Sequence[Crystal], **settings: Any) -> "Prior":
        """Fit the codes of crystals.

        Parameters
        ----------
        codec
            That encodes them.
        crystals
            To fit.
        settings
            The distribution's own.

        Raises
        ------
        LatentsError, PriorError
            Codes that this distribution cannot be of.
        """

    def condition(self, conditions: Conditions) -> "Prior":  # noqa: ARG002
        """Return the distribution of crystals that are as asked.

        Raises
        ------
        PriorError
            Conditions that contradict each other, or that this distribution cannot obey.
        """
        raise PriorError(f"this prior knows no conditions; {self.description}")

    def sampled_by(self, sampler: SamplerConfig) -> "Prior":  # noqa: ARG002
        """Return the same distribution, sampled in another way.

        Raises
        ------
        PriorError
            There is one way to sample it.
        """
        raise PriorError(f"steps, guidance and churn are for flows; this is a {self.description}")

    def plan(self, n: int, seed: int = 0, temperature: float = 1.0, first: int = 0) -> list[Plan]:  # noqa: ARG002
        """Draw what cells hold and their shapes, where the prior `plans`.

        Parameters
        ----------
        n, seed, temperature
            As of `sample`.
        first
            Number of the first one: a plan follows from the seed and its number alone.
        """
        raise PriorError(f"nothing is planned by a {self.description}")

    def plan_in(
        self,
        lattice: Float[np.ndarray, "3 3"],  # noqa: ARG002
        patches: Patches,  # noqa: ARG002
        n: int,  # noqa: ARG002
        seed: int = 0,  # noqa: ARG002
        first: int = 0,  # noqa: ARG002
    ) -> list[Plan]:
        """Draw what a cell holds that is there already, where the prior `plans`.

        Parameters
        ----------
        lattice
            Cell vectors, rows in Å.
        patches
            Of its grid.
        n, seed, first
            As of `plan`.
        """
        raise PriorError(f"nothing is planned by a {self.description}")

    def filled(
        self,
        plans: Sequence[Plan],  # noqa: ARG002
        seed: int = 0,  # noqa: ARG002
        temperature: float = 1.0,  # noqa: ARG002
        part: CrystalCode | None = None,  # noqa: ARG002
    ) -> LatentSet:
        """Draw the latents of planned cells, where the prior `plans`.

        Parameters
        ----------
        plans
            Cells.
        seed, temperature
            As of `sample`.
        part
            Code of what is there already, on the grid of all plans; None for nothing.
        """
        raise PriorError(f"nothing is planned by a {self.description}")

    def noised(
        self,
        z: Float[np.ndarray, "patches latent"],  # noqa: ARG002
        noise: float,  # noqa: ARG002
        n: int,  # noqa: ARG002
        seed: int = 0,  # noqa: ARG002
    ) -> Float[np.ndarray, "n patches latent"]:
        """Bring a latent part of the way to noise, n times: where a flow is at the time 1 − noise.

        Parameters
        ----------
        z
            A latent.
        noise
            0 leaves it as it is, 1 leaves nothing of it.
        n
            How many.
        seed
            Of the noise.
        """
        raise PriorError(f"nothing flows in a {self.description}")

    def carried(
        self,
        z: Float[np.ndarray, "n patches latent"],  # noqa: ARG002
        lattices: Float[np.ndarray, "n 3 3"],  # noqa: ARG002
        patches: Patches,  # noqa: ARG002
        since: float,  # noqa: ARG002
        until: float,  # noqa: ARG002
        holding: Sequence[Composition] | None = None,  # noqa: ARG002
    ) -> Float[np.ndarray, "n patches latent"]:
        """Carry latents along a flow from one time to another: to noise (1 to 0) and back (0 to 1).

        Parameters
        ----------
        z
            Latents of one grid; at time 0 noise.
        lattices
            Cell of each, rows in Å.
        patches
            Of the grid.
        since, until
            Times.
        holding
            What each cell holds; None where that is not said.
        """
        raise PriorError(f"nothing flows in a {self.description}")

    @abstractmethod
    def sample(self, n: int, seed: int = 0, temperature: float = 1.0) -> LatentSet:
        """Draw codes; the first ones stay the same when more are drawn.

        Parameters
        ----------
        n
            How many.
        seed
            Another gives other samples.
        temperature
            What standard deviations are multiplied by.
        """

    @abstractmethod
    def save(self, folder: str | Path) -> None:
        """Write the prior to a folder."""

    @classmethod
    @abstractmethod
    def load(cls, folder: str | Path) -> "Prior":
        """Read what `save` wrote.

        Raises
        ------
        LatentsError
            A folder without such a prior, or with one that is broken.
        """
