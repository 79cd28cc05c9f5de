"""Where crystals come from, named sources and files of the user's; their splits, and stores of painted views.

A word is a source or a path by one rule: `NAME:QUERY` with the name of a source is always that source, and a path
with a folder before it, `./NAME:QUERY`, always a file. A bare `NAME` is the source, unless a file is called the same:
then it is refused, for either may be meant, and `NAME:` or `./NAME` says which. Everything else is a path. Only what
the user typed is looked up so; nothing that a file holds is.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal
from xtalcodec.datasets.source import Progress, Source, SourceError, silent
from xtalcodec.datasets.sources import sources
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import AnyPath, Unusable

_PREFIX = re.compile(r"[A-Za-z][\w-]+:")
"""How a line that asks a source begins; a drive of Windows is one letter."""


def available() -> dict[str, str]:
    """Return the names of the sources, each with what it is in one line."""
    return {name: source.description for name, source in sorted(sources().items())}


def stream(
    inputs: AnyPath | Iterable[AnyPath], max_sites: int = MAX_SITES, progress: Progress = silent
) -> Iterator[Crystal | Unusable]:
    """Yield the crystals of sources and files, or why one cannot be used, one at a time and always in the same order.

    Parameters
    ----------
    inputs
        One or several of: a line that asks a source (`jarvis:dft_3d`), a file, a folder.
    max_sites
        Crystals of more sites are unusable.
    progress
        Called with how much of one input has been read, and of how much, if its source knows.

    Raises
    ------
    SourceError
        A word that is neither a source nor a path (the message has the choices), a query that is none; both before
        anything is read. A source that fails midway; the same inputs go on where it stopped.

    Examples
    --------
    >>> next(stream("aflow-prototypes")).name
    'AB_hP6_154_a_b'
    """
    opened = [source_of(word) for word in ([inputs] if isinstance(inputs, str | os.PathLike) else inputs)]
    return (item for source in opened for item in source.stream(max_sites, progress))


def load(
    inputs: AnyPath | Iterable[AnyPath], max_sites: int = MAX_SITES, progress: Progress = silent
) -> tuple[list[Crystal], list[Unusable]]:
    """Return the crystals of sources and of files, and what could not be used.

    Parameters
    ----------
    inputs, max_sites, progress
        As of `stream`.

    Examples
    --------
    >>> crystals, unusable = load("aflow-prototypes")
    >>> len(crystals), unusable
    (288, [])
    """
    crystals: list[Crystal] = []
    unusable: list[Unusable] = []
    for item in stream(inputs, max_sites, progress):
        if isinstance(item, Crystal):
            crystals.append(item)
        else:
            unusable.append(item)
    return crystals, unusable


def named(word: AnyPath) -> bool:
    """Tell whether a word asks a source by its name, and is no path."""
    text = os.fspath(word)
    return isinstance(word, str) and text.partition(":")[0] in sources()


def asks(word: AnyPath) -> bool:
    """Tell whether a word as a whole asks a source, with a query that it understands."""
    try:
        source_of(word)
    except SourceError:
        return False
    return named(word)


def source_of(word: AnyPath) -> Source:
    """Understand one input by the rule above; ask nobody.

    Raises
    ------
    SourceError
        A bare word that no source and no file is called, a name that both have, a query that is none.
    """
    text, known = os.fspath(word), sources()
    if named(word):
        name, colon, query = text.partition(":")
        if not colon and Path(text).exists():
            raise SourceError(
                f"{text!r} is a source and a file here: write {text}: for the one, ./{text} for the other"
            )
        return known[name].parse(query)
    bare = Path(text).name == text and not Path(text).suffix
    if (bare or _PREFIX.match(text)) and not Path(text).exists():
        raise SourceError(
            f"there is no file {text!r}, and {unknown('data source', text.partition(':')[0], list(known))}"
        )
    return known["folder"].parse(text)
