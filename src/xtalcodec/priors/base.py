"""The contract of priors: a distribution of codes that is fitted, sampled and kept."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.crystal import Crystal
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.conditions import Conditions, Limits

if TYPE_CHECKING:
    from xtalcodec.priors.flow.prior import FlowPrior


class Prior(ABC):
    """A distribution over the codes of one codec."""

    format: ClassVar[str]
    """Of its files, as they say it."""
    plans: ClassVar[bool] = False
    """Whether it is a `flow`, which decides what cells hold before their latents."""

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

    @property
    def limits(self) -> Limits | None:
        """What it can be asked for; None where it knows no conditions."""
        return None

    def condition(self, conditions: Conditions) -> "Prior":  # noqa: ARG002
        """Return the distribution of crystals that are as asked.

        Raises
        ------
        PriorError
            Conditions that contradict each other, or that this distribution cannot obey.
        """
        raise PriorError(f"this prior knows no conditions; {self.description}")

    @property
    def flow(self) -> "FlowPrior":
        """The prior as a flow: what plans cells, fills them, and carries latents to noise and back.

        Raises
        ------
        PriorError
            It is none.
        """
        raise PriorError(f"this takes a flow (`xtalcodec train-prior`), not a {self.description}")

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
        PriorError
            A folder without such a prior, or with one that is broken.
        """
