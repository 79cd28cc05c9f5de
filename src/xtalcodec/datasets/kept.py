"""Answers of databases, kept on disk page by page, so that a stream that was cut short goes on where it stopped.

A folder of the cache belongs to one question. Each page is a file that is whole or not there, and says how to ask
for the next; the page that has no next is the last, and then nobody is asked again.
"""

import gzip
import hashlib
import json
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xtalcodec import __version__
from xtalcodec.datasets.source import SourceError
from xtalcodec.io.atomic import atomic
from xtalcodec.io.cache import cache

ABOUT = "about.json"
"""The question, and when it was first asked."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of an answer."""

    records: list[dict[str, Any]]
    """Plain data, one mapping a crystal."""
    next: str | None
    """How to ask for the next page; None if this is the last."""
    total: int | None = None
    """Crystals of the whole answer, where the database says so."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the cache holds of one source."""

    source: str
    """The line that a user would type."""
    asked: str
    """Day on which it was first asked."""
    bytes: int
    """Size on disk."""
    folder: Path
    """Where it is."""


def folder_of(line: str, question: dict[str, Any]) -> Path:
    """Return the cache's folder of one question, made if need be.

    Parameters
    ----------
    line
        What the user typed.
    question
        Everything that decides the answer; its hash names the folder.
    """
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache() / "sources" / f"{line.partition(':')[0]}-{digest}"
    if not (folder / ABOUT).exists():
        about = {"source": line, "question": question, "asked": datetime.now(UTC).date().isoformat()}
        with atomic(folder / ABOUT) as temporary:
            temporary.write_text(json.dumps(about | {"xtalcodec": __version__}, indent=1))
    return folder


def pages(folder: Path, fetch: Callable[[str | None], Page]) -> Iterator[Page]:
    """Yield the pages of an answer: those that are kept, then those that are fetched, each kept first.

    Parameters
    ----------
    folder
        Of the question, see `folder_of`. Processes that ask at once fetch each page once.
    fetch
        Called with the `next` of the page before, None for the first.

    Raises
    ------
    SourceError
        Pages that go round in a circle; what `fetch` raises.
    """
    from filelock import FileLock

    asked: set[str | None] = set()
    cursor: str | None = None
    while cursor is not None or not asked:
        if cursor in asked:
            raise SourceError(f"its pages go round in a circle: page {len(asked) + 1} is one that came before")
        path = folder / f"{len(asked):06d}.json.gz"
        asked.add(cursor)
        page = _read(path)
        if page is None:
            with FileLock(folder / ".lock"):
                page = _read(path) or _write(path, fetch(cursor))
        yield page
        cursor = page.next


def _read(path: Path) -> Page | None:
    """Return a page that is kept; None where there is none, or a damaged one, which is fetched again."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return Page(**json.load(file))
    except (OSError, EOFError, zlib.error, ValueError, TypeError):
        return None


def _write(path: Path, page: Page) -> Page:
    content = json.dumps({"records": page.records, "next": page.next, "total": page.total})
    with atomic(path) as temporary:
        temporary.write_bytes(gzip.compress(content.encode(), 5, mtime=0))
    return page


def contents() -> list[Kept]:
    """List what the cache holds, by the lines that users typed."""
    found = []
    for file in (cache() / "sources").glob(f"*/{ABOUT}"):
        about = json.loads(file.read_text())
        size = sum(part.stat().st_size for part in file.parent.iterdir())
        found.append(Kept(about["source"], about["asked"], size, file.parent))
    return sorted(found, key=lambda kept: kept.source)


def forget(line: str) -> int:
    """Remove what was kept of a source, so that it is asked anew; return how many bytes that were."""
    gone = [kept for kept in contents() if kept.source == line]
    if not gone:
        raise SourceError(f"nothing is kept of {line!r}; have {', '.join(k.source for k in contents()) or 'nothing'}")
    for kept in gone:
        shutil.rmtree(kept.folder)
    return sum(kept.bytes for kept in gone)
