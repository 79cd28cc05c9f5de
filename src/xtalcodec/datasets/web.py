"""Asking servers: retries where a server is busy, clear errors where it refuses, files that are gone on with."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from xtalcodec import __version__
from xtalcodec.datasets.source import SourceError

if TYPE_CHECKING:
    import requests

_BUSY = (429, 502, 503, 504)
"""Statuses that mean: ask again later."""
_TIMEOUT = (15, 120)
"""Seconds for a server to be reached, and between two of its bytes."""
_LARGEST = 1 << 28
"""Bytes of one JSON answer; a page of 1000 crystals of 100 sites takes about 10 million."""
_PIECE = 1 << 20
_THE_REST, _NOTHING_MISSING = 206, 416
"""Statuses that answer a request for the rest of a file."""


@contextmanager
def session() -> Iterator["requests.Session"]:
    """Open connections that ask a busy server up to four times more, after 1 to 8 seconds or as long as it says."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    retry = Retry(total=4, connect=1, backoff_factor=0.5, status_forcelist=_BUSY, raise_on_status=False)
    with requests.Session() as opened:
        opened.headers["User-Agent"] = f"xtalcodec/{__version__}"
        for scheme in ("https://", "http://"):
            opened.mount(scheme, HTTPAdapter(max_retries=retry))
        yield opened


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn what goes wrong on the way into one line that names the server."""
    import requests
    from urllib3.exceptions import HTTPError

    try:
        yield
    except requests.exceptions.InvalidURL as error:
        raise SourceError(f"{url} is no address: {error}") from error
    except (requests.RequestException, HTTPError) as error:
        host = urlsplit(url).netloc
        raise SourceError(f"{host} does not answer, or broke off: {type(error).__name__}") from error


def get_json(http: "requests.Session", url: str, explain: Callable[[Any], str]) -> tuple[Any, str]:
    """Ask for JSON; return it, and the address that answered in the end.

    Parameters
    ----------
    http
        See `session`.
    url
        The whole address.
    explain
        Takes the JSON of a refusal and returns the server's reason.

    Raises
    ------
    SourceError
        A server that cannot be reached, refuses, or answers with something else.
    """
    with _told(url), http.get(url, stream=True, timeout=_TIMEOUT) as answer:
        content = bytearray()
        for piece in answer.iter_content(_PIECE):
            content += piece
            if len(content) > _LARGEST:
                raise SourceError(f"{urlsplit(url).netloc}: its answer is longer than {_LARGEST >> 20} MiB")
    try:
        found = json.loads(content)
    except ValueError as error:
        if answer.ok:
            raise SourceError(f"{urlsplit(url).netloc}: its answer is no JSON") from error
        found = None
    if not answer.ok:
        reason = explain(found) if found is not None else answer.reason
        raise SourceError(f"{urlsplit(url).netloc} refuses, with status {answer.status_code}: {reason}")
    return found, answer.url


def download(url: str, path: Path, progress: Callable[[int, int | None], None]) -> None:
    """Fetch a file that is whole or not there; one that was cut short is gone on with if the server can.

    Parameters
    ----------
    url
        Its address.
    path
        Where it goes; what came of it waits beside it, in `.part`.
    progress
        Called with the bytes that are there, and of how many.

    Raises
    ------
    SourceError
        A server that refuses or breaks off: call again to go on.
    """
    part, tag = path.with_name(path.name + ".part"), path.with_name(path.name + ".etag")
    here = part.stat().st_size if part.exists() and tag.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if here:  # the rest, if the file is still the same
        headers |= {"Range": f"bytes={here}-", "If-Range": tag.read_text()}
    with session() as http, _told(url), http.get(url, stream=True, timeout=_TIMEOUT, headers=headers) as answer:
        if not answer.ok and answer.status_code != _NOTHING_MISSING:
            raise SourceError(f"{urlsplit(url).netloc} refuses, with status {answer.status_code}: {answer.reason}")
        if answer.status_code == _NOTHING_MISSING:
            total: int | None = int(answer.headers.get("Content-Range", "").rpartition("/")[2])
        else:
            goes_on = answer.status_code == _THE_REST
            here = here if goes_on else 0
            length = answer.headers.get("Content-Length", "")
            total = here + int(length) if length.isdecimal() else None
            tag.unlink(missing_ok=True)
            with part.open("ab" if goes_on else "wb") as file:
                if answer.headers.get("ETag", "W/").startswith('"'):
                    tag.write_text(answer.headers["ETag"])
                for piece in answer.iter_content(_PIECE):
                    file.write(piece)
                    here += len(piece)
                    progress(here, total)
                file.flush()
                os.fsync(file.fileno())
    if total is not None and here != total:
        raise SourceError(f"{urlsplit(url).netloc} broke off after {here} of {total} bytes; the same line goes on")
    part.replace(path)
    tag.unlink(missing_ok=True)
