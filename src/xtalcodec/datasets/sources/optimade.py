"""Any database that speaks OPTIMADE: Alexandria, AFLOW, COD, Materials Cloud, Materials Project, OQMD and others.

The answer's pages are asked for one after the other, each by the link that the page before gives, on the same server.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets import kept, web
from xtalcodec.datasets.source import Progress, Source, SourceError, options_of, silent
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable
from xtalcodec.io.records.read import crystal_of

if TYPE_CHECKING:
    import requests

_NEEDED = ("lattice_vectors", "cartesian_site_positions", "species_at_sites")
_FIELDS = (*_NEEDED, "species", "dimension_types", "assemblies")


@dataclass(frozen=True, slots=True)
class Optimade(Source):
    """Structures of one OPTIMADE database that its filter lets through, all of them without one."""

    url: str
    """Base address of the database, without /v1/structures."""
    filter: str = ""
    """In OPTIMADE's filter language; the server judges it."""
    page_limit: int | None = None
    """Crystals of a page; the server's own choice if not given."""

    name = "optimade"
    description = "Any OPTIMADE database, by its address; https://providers.optimade.org lists them."
    example = 'optimade:https://optimade.materialsproject.org?filter=elements HAS ALL "Ti","O" AND nsites<20'
    licence = "the database's own, in its /info"
    size = "the database's own"
    citation = "Evans et al., Digital Discovery 3, 1509 (2024), doi:10.1039/D4DD00039K, and the database"

    @classmethod
    def parse(cls, query: str) -> "Optimade":
        """Read `URL?filter=…&page_limit=…`."""
        url, _, text = query.partition("?")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SourceError(f"{cls.name} needs the address of a database, as in {cls.example}")
        options = options_of(cls.name, text, ("filter", "page_limit"))
        limit = options.get("page_limit")
        if limit is not None and not re.fullmatch("[1-9][0-9]{0,5}", limit):
            raise SourceError(f"{cls.name}: page_limit is a number of crystals, not {limit!r}")
        url = re.sub(r"/(v\d[\d.]*(/structures)?|structures)?/*$", "", url)
        return cls(url, options.get("filter", ""), int(limit) if limit else None)

    def stream(self, max_sites: int = MAX_SITES, progress: Progress = silent) -> Iterator[Crystal | Unusable]:
        """Yield the structures in the order in which the server gave them first."""
        question = {"url": self.url, "filter": self.filter, "fields": _FIELDS}
        line = f"{self.name}:{self.url}" + (f"?filter={self.filter}" if self.filter else "")
        done = 0
        with web.session() as http:
            for page in kept.pages(kept.folder_of(line, question), lambda cursor: self._page(http, cursor)):
                for record in page.records:
                    done += 1
                    yield self.item(record["id"], record, max_sites, _crystal)
                    progress(done, page.total)

    def _page(self, http: "requests.Session", cursor: str | None) -> kept.Page:
        asked = {"filter": self.filter, "response_fields": ",".join(_FIELDS), "page_limit": self.page_limit}
        url = cursor or f"{self.url}/v1/structures?{urlencode({k: v for k, v in asked.items() if v})}"
        answer, answered = web.get_json(http, url, _reason)
        try:
            records = [{**entry["attributes"], "id": str(entry["id"])} for entry in answer["data"]]
            meta, link = answer.get("meta") or {}, (answer.get("links") or {}).get("next")
            after = link["href"] if isinstance(link, dict) else link
        except (AttributeError, KeyError, TypeError) as error:
            raise SourceError(f"{answered.partition('?')[0]}: its answer is not OPTIMADE's") from error
        if meta.get("more_data_available") and not after:
            raise SourceError(f"{answered.partition('?')[0]}: it says that there is more, and not where")
        total = meta.get("data_returned")
        return kept.Page(records, _same_server(answered, after), total if isinstance(total, int) else None)


def _same_server(answered: str, after: Any) -> str | None:
    """Return the link to the next page, if it stays on the server that the user named: an answer sends nobody away."""
    if not after:
        return None
    link = urljoin(answered, str(after))
    there, here = urlsplit(link), urlsplit(answered)
    if there.hostname != here.hostname:
        raise SourceError(f"{here.hostname}: its next page is on another server, {there.hostname}, which is not asked")
    query = there.query
    if "response_fields=" not in query:  # some links forget it, and without it fields may be missing
        query = f"{query}&{urlencode({'response_fields': ','.join(_FIELDS)})}"
    # Servers behind a proxy name their inner scheme and port; the outer ones are those that answered.
    return there._replace(scheme=here.scheme, netloc=here.netloc, query=query).geturl()


def _reason(answer: Any) -> str:
    """Return why the server refuses, see the specification's "JSON API Response Schema: Errors"."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    found = [str(error.get("detail") or error.get("title")) for error in errors or [] if isinstance(error, dict)]
    return "; ".join(found) or "it does not say why"


def _crystal(record: dict[str, Any], max_sites: int) -> Crystal:
    missing = [field for field in _NEEDED if not record.get(field)]
    if missing:
        raise CrystalError(f"the database has no {', '.join(missing)} of it")
    return crystal_of(record, max_sites)


SOURCE = Optimade
