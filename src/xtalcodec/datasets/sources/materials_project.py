"""The Materials Project, through its own client mp-api; the key is read from MP_API_KEY."""

import inspect
import math
import os
import re
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from typing import Any, get_args, get_origin, get_type_hints

from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal
from xtalcodec.datasets import kept
from xtalcodec.datasets.source import Progress, Source, SourceError, silent
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable, quiet

KEY = "MP_API_KEY"
_PAGE = 500
"""Materials of one request; the server allows 1000."""
_CONDITION = re.compile(r"([a-z_]+)\s*(<=|>=|<|>|=)\s*(.+)")
_SHORT = {"nsites": "num_sites", "nelements": "num_elements"}
"""Names of the answer's fields that the client calls otherwise in a question."""
_NO_CONDITIONS = ("self", "num_chunks", "chunk_size", "all_fields", "fields", "kwargs", "_page", "_sort_fields")

Search = Callable[..., list[dict[str, Any]]]
"""The client's search for summaries, which gives plain data."""
Condition = tuple[str, str, str]
"""What, one of = < <= > >=, and the value."""


@dataclass(frozen=True, slots=True)
class MaterialsProject(Source):
    """Materials of which all conditions hold."""

    conditions: tuple[Condition, ...]

    name = "materials-project"
    description = f"The Materials Project by conditions on its summary; a key of yours in {KEY}."
    example = "materials-project:elements=Ti,O&nsites<20"
    licence = "CC BY 4.0; GNoMe's part CC BY-NC 4.0, left out by include_gnome=false"
    size = "about 200,000 (2025)"
    citation = "Jain et al., APL Mater. 1, 011002 (2013), doi:10.1063/1.4812323"

    @classmethod
    def parse(cls, query: str) -> "MaterialsProject":
        """Read `condition&condition`, each a name, one of = < <= > >=, and a value."""
        found = []
        for part in query.split("&"):
            match = _CONDITION.fullmatch(part.strip())
            if not match:
                raise SourceError(f"{cls.name}: {part!r} is no condition, such as elements=Ti,O or nsites<20")
            found.append((_SHORT.get(match[1], match[1]), match[2], match[3]))
        return cls(tuple(found))

    def stream(self, max_sites: int = MAX_SITES, progress: Progress = silent) -> Iterator[Crystal | Unusable]:
        """Yield the materials in the order of their ids."""
        line = f"{self.name}:{'&'.join(''.join(condition) for condition in self.conditions)}"
        folder, done = kept.folder_of(line, {"conditions": sorted(self.conditions)}), 0
        search = cache(self._search)  # opened once, and not at all where everything is kept
        for page in kept.pages(folder, lambda cursor: _page(search(), cursor)):
            for record in page.records:
                done += 1
                yield self.item(record["id"], record["structure"], max_sites)
                progress(done, None)

    def _search(self) -> Search:
        """Return the client's search for these conditions, or say what it needs."""
        key = os.environ.get(KEY, "").strip()
        if not key:
            raise SourceError(f"set {KEY} to your key of the Materials Project; materialsproject.org/api gives you one")
        with _told():
            from mp_api.client import MPRester

            plain = MPRester(key, use_document_model=False, mute_progress_bars=True, notify_db_version=False)
            return partial(plain.materials.summary.search, **arguments(self.conditions))


def _page(search: Search, cursor: str | None) -> kept.Page:
    """Ask for one page, which are counted from 1; an empty one is the last."""
    number = int(cursor or 1)
    with _told():
        found = search(fields=["material_id", "structure"], chunk_size=_PAGE, _page=number, _sort_fields="material_id")
    records = [{"id": str(entry["material_id"]), "structure": entry.get("structure")} for entry in found]
    return kept.Page(records, str(number + 1) if records else None)


@contextmanager
def _told() -> Iterator[None]:
    """Turn the client's errors into one line; its warnings on versions and terms are not shown."""
    with quiet():
        from mp_api.client.core.exceptions import MPRestError

        try:
            yield
        except (MPRestError, OSError) as error:
            said = " ".join(str(error).split())[:300]
            raise SourceError(f"the Materials Project does not answer: {said}") from error


def arguments(conditions: tuple[Condition, ...]) -> dict[str, Any]:
    """Turn conditions into the arguments of the client's search, by the types that it declares.

    Raises
    ------
    SourceError
        A name that the client does not know, or a value that is none of its type.
    """
    with quiet():
        from mp_api.client.routes.materials.summary import SummaryRester

    hints = get_type_hints(SummaryRester.search)
    known = [name for name in inspect.signature(SummaryRester.search).parameters if name not in _NO_CONDITIONS]
    found: dict[str, Any] = {}
    for name, sign, value in conditions:
        if name not in known:
            raise SourceError(f"materials-project: {unknown('condition', name, known)}")
        kinds = get_args(hints[name]) if isinstance(hints[name], types.UnionType) else (hints[name],)
        try:
            found[name] = _argument(kinds, sign, value, found.get(name))
        except ValueError as error:
            raise SourceError(f"materials-project: {name}{sign}{value}: {error}") from error
    return {"deprecated": False} | found


def _argument(kinds: tuple[Any, ...], sign: str, value: str, before: Any) -> Any:
    """Return one argument; `before` is what an earlier condition on the same name made of it."""
    for kind in kinds:
        if get_origin(kind) is tuple:
            return _interval(get_args(kind)[0], sign, value, before or (None, None))
    if sign != "=" or before is not None:
        raise ValueError("one =, and a value or several with commas")
    if bool in kinds:
        return {"true": True, "false": False}[_one_of(("true", "false"), value)]
    for kind in kinds:
        if get_origin(kind) is None and issubclass(kind, Enum):
            return kind(_one_of([choice.value for choice in kind], value))
    element = int if int in kinds else str
    return [element(part.strip()) for part in value.split(",")]


def _one_of(choices: Iterable[str], value: str) -> str:
    if value not in choices:
        raise ValueError(f"it is one of {', '.join(choices)}")
    return value


def _interval(kind: type, sign: str, value: str, before: tuple[Any, Any]) -> tuple[Any, Any]:
    """Narrow a closed interval; < and > exclude the value itself, by the next number of its type."""
    number = kind(value)
    if not math.isfinite(number):
        raise ValueError("a finite number")
    low, high = before
    if sign in (">", ">=", "="):
        low = number if sign != ">" else number + 1 if kind is int else math.nextafter(number, math.inf)
    if sign in ("<", "<=", "="):
        high = number if sign != "<" else number - 1 if kind is int else math.nextafter(number, -math.inf)
    return low, high


SOURCE = MaterialsProject
