"""What a bulk run works on: named sources and files, cut into numbered parts whoever works on them."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from xtalcodec.crystal import Crystal
from xtalcodec.datasets import source_of
from xtalcodec.datasets.source import Source
from xtalcodec.datasets.sources.folders import Folder
from xtalcodec.io.files import find
from xtalcodec.io.limits import evenly
from xtalcodec.io.pieces import Cutter
from xtalcodec.io.read import Unusable

Item = Crystal | Unusable


@runtime_checkable
class Part(Protocol):
    """Something that a worker reads."""

    @property
    def units(self) -> int:
        """How many crystals there are, or files of one crystal as a rule."""
        ...

    @property
    def origin(self) -> tuple:
        """What the file is that it is cut from: its path, size and time of the last change."""
        ...

    def read(self) -> Iterator[Any]:
        """Yield what is in it, in order."""
        ...


AnyPart = TypeVar("AnyPart", bound=Part)


@dataclass(frozen=True, slots=True)
class Given:
    """Crystals that go to the worker themselves, for only one process can read where they are from."""

    crystals: tuple[Item, ...]
    max_sites: int
    """Refuse crystals of more sites than this."""

    @property
    def units(self) -> int:
        """How many there are."""
        return len(self.crystals)

    @property
    def origin(self) -> tuple:
        """No file."""
        return ()

    def read(self) -> Iterator[Item]:
        """Yield them, and why they cannot be used."""
        for item in self.crystals:
            if isinstance(item, Crystal) and len(item) > self.max_sites:
                yield Unusable(item.name, f"it has {len(item)} sites; the limit is {self.max_sites}")
            else:
                yield item


class Inputs:
    """Sources and files of a run. They can be gone through any number of times, always in the same order."""

    def __init__(self, words: Sequence[str], max_sites: int, length: int) -> None:
        """Take what the user named; nothing is read.

        Parameters
        ----------
        words
            Names of sources, files and folders.
        max_sites
            Crystals of more sites are unusable.
        length
            Crystals of one part at most; files of one crystal as a rule count as one.

        Raises
        ------
        ValueError
            A word that is neither a source nor a path.
        """
        self.words = list(words)
        self.max_sites = max_sites
        self.length = length
        self._cutter = Cutter(length, max_sites)
        self._sources: dict[str, Source] = {}
        self._paths: dict[str, str] = {}
        for word in self.words:
            source = source_of(word)
            if source.name == Folder.name:  # files are cut, and each worker reads its own
                self._paths[word] = cast("Folder", source).path
            else:
                self._sources[word] = source

    def parts(self) -> Iterator[Part]:
        """Yield the parts, in order; those of files are told apart by their folders within one word."""
        for word in self.words:
            if word in self._sources:
                crystals = self._sources[word].stream(self.max_sites)
                while some := tuple(islice(crystals, self.length)):
                    yield Given(some, self.max_sites)
            else:
                yield from self._cutter.pieces(partial(find, [self._paths[word]]))

    def settings(self) -> dict[str, Any]:
        """Return what the crystals depend on beside the files: the order in which they were named, and the limit."""
        return {"inputs": self.words, "max_sites": self.max_sites}

    def chunks(self) -> Iterator[tuple[Part, ...]]:
        """Yield the parts of one task at a time: they close where `length` units are reached."""
        return gathered(self.parts(), self.length)

    def __iter__(self) -> Iterator[Item]:
        """Read everything here, one crystal at a time."""
        return chain.from_iterable(part.read() for part in self.parts())

    def survey(self) -> tuple[dict[str, str], int | None]:
        """Look at all files, building no crystal.

        Returns
        -------
        digests
            For each word, a hash of names, sizes and times of its files; of a source, its name.
        units
            How many there are in all; None where a source does not tell before it is read.
        """
        digests, known = {}, True
        units = 0
        for word in self.words:
            if word in self._sources:
                digests[word], known = "source", False
                continue
            digests[word], size = digest_of(self._cutter.pieces(partial(find, [self._paths[word]])))
            units += size
        return digests, units if known else None


class Usable:
    """The crystals of inputs, read anew whenever they are gone through."""

    def __init__(self, inputs: Inputs) -> None:
        """Take inputs."""
        self.inputs = inputs
        self.unusable: list[Unusable] = []
        """What could not be used, once everything has been gone through to the end."""

    def __iter__(self) -> Iterator[Crystal]:
        """Go through the crystals."""
        unusable: list[Unusable] = []
        for item in self.inputs:
            if isinstance(item, Crystal):
                yield item
            else:
                unusable.append(item)
        self.unusable[:] = unusable


class Evenly:
    """So many crystals of inputs, evenly spread over all; all of them where there are no more."""

    def __init__(self, inputs: Inputs, limit: int) -> None:
        """Take inputs, which are read through once to count the crystals, and once more to take some."""
        self.inputs = inputs
        self.limit = limit
        self.length = inputs.length

    def settings(self) -> dict[str, Any]:
        """Return what the crystals depend on beside the files."""
        return {**self.inputs.settings(), "limit": self.limit}

    def survey(self) -> tuple[dict[str, str], int | None]:
        """Return the digests of the inputs, and how many crystals are wanted."""
        return self.inputs.survey()[0], self.limit

    def chunks(self) -> Iterator[tuple[Part, ...]]:
        """Yield the crystals, some at a time; behind them what could not be used of all inputs."""
        count, unusable = 0, list[Unusable]()
        for item in self.inputs:
            if isinstance(item, Crystal):
                count += 1
            else:
                unusable.append(item)
        if count <= self.limit:
            yield from self.inputs.chunks()
            return
        chosen = {*evenly(range(count), self.limit)}
        crystals = (item for item in self.inputs if isinstance(item, Crystal))
        some = (crystal for k, crystal in enumerate(crystals) if k in chosen)
        while part := tuple(islice(some, self.length)):
            yield (Given(part, self.inputs.max_sites),)
        if unusable:
            yield (Given(tuple(unusable), self.inputs.max_sites),)


def digest_of(parts: Iterable[Part]) -> tuple[str, int]:
    """Return the first 16 digits of the SHA-256 of the files that parts are of, and how many units the parts have."""
    result, units = hashlib.sha256(), 0
    last: tuple = ()
    for part in parts:
        if part.origin != last:
            result.update(repr(part.origin).encode(errors="surrogateescape") + b"\n")
        last = part.origin
        units += part.units
    return result.hexdigest()[:16], units


def gathered(parts: Iterable[AnyPart], length: int) -> Iterator[tuple[AnyPart, ...]]:
    """Gather parts until they have `length` units."""
    chunk: list[AnyPart] = []
    units = 0
    for part in parts:
        chunk.append(part)
        units += part.units
        if units >= length:
            yield tuple(chunk)
            chunk, units = [], 0
    if chunk:
        yield tuple(chunk)
