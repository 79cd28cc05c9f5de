"""What a source of crystals is, and the lines that ask for one: `NAME:QUERY`, looked up because the user typed it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable, built
from xtalcodec.io.records.read import crystal_of

Progress = Callable[[int, int | None], None]
"""Called with how much has been read, and of how much; None where the source does not say."""


class SourceError(ValueError):
    """A source that cannot be asked, or that failed midway: the message says which, why, and what to do."""


def silent(done: int, total: int | None) -> None:
    """Tell no progress."""


class Source(ABC):
    """Crystals of one place. A module of `datasets/sources` is a source by naming its class `SOURCE`."""

    name: ClassVar[str]
    """What a line that asks for it begins with."""
    description: ClassVar[str]
    """What it is, in one line."""
    example: ClassVar[str]
    """A line that asks for some of its crystals."""
    licence: ClassVar[str]
    """Under which its crystals may be used."""
    size: ClassVar[str]
    """How many crystals it has, about, and when that was."""
    citation: ClassVar[str]
    """What to cite."""

    @classmethod
    @abstractmethod
    def parse(cls, query: str) -> "Source":
        """Understand what follows the name and its colon; ask nobody.

        Raises
        ------
        SourceError
            What is no query of this source.
        """

    @abstractmethod
    def stream(self, max_sites: int = MAX_SITES, progress: Progress = silent) -> Iterator[Crystal | Unusable]:
        """Yield every crystal, or why it cannot be used, one at a time and always in the same order.

        Parameters
        ----------
        max_sites
            Crystals of more sites are unusable.
        progress
            Called as crystals come.

        Raises
        ------
        SourceError
            Who was asked refuses, or fails midway; the same line goes on where it stopped.
        """

    def item(
        self, name: str, record: Any, max_sites: int, build: Callable[[Any, int], Crystal] = crystal_of
    ) -> Crystal | Unusable:
        """Make the crystal of a record, or say why it cannot be used.

        Parameters
        ----------
        name
            What the source calls it.
        record
            Plain data that describe it.
        max_sites
            A crystal of more sites is unusable.
        build
            Makes the crystal of the record.
        """
        return built(partial(build, record, max_sites), name, f"{self.name}:{name}", max_sites)


def options_of(name: str, text: str, known: Sequence[str]) -> dict[str, str]:
    """Read the options of a query, `key=value&key=value`; %20 and the like are understood, as browsers write them.

    Parameters
    ----------
    name
        Of the source, for the message.
    text
        What follows the question mark.
    known
        Options that there are.

    Raises
    ------
    SourceError
        An option that is not known, has no value or comes twice.
    """
    from urllib.parse import unquote

    found: dict[str, str] = {}
    for part in filter(None, text.split("&")):
        key, _, value = part.partition("=")
        if key not in known:
            raise SourceError(f"{name}: {unknown('option', key, known)}")
        if not value or key in found:
            raise SourceError(f"{name}: option {key!r} {'comes twice' if key in found else 'has no value'}")
        found[key] = unquote(value)
    return found
