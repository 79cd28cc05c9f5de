"""JARVIS of NIST: the data sets that jarvis-tools lists, one file each at figshare; JSON, never pickle."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal
from xtalcodec.datasets import kept, web
from xtalcodec.datasets.source import Progress, Source, SourceError, silent
from xtalcodec.io.json.text import JsonText
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable
from xtalcodec.io.records.columns import name_of


@dataclass(frozen=True, slots=True)
class Jarvis(Source):
    """One data set, in the order of its file."""

    dataset: str

    name = "jarvis"
    description = "JARVIS data sets by their names in jarvis-tools: dft_3d, dft_2d, cod, qmof, alignn_ff_db …"
    example = "jarvis:dft_3d"
    licence = "CC BY 4.0 at figshare (dft_3d); sets of others have their own"
    size = "94,000 (dft_3d, 2025)"
    citation = "Choudhary et al., npj Comput. Mater. 6, 173 (2020), doi:10.1038/s41524-020-00440-1"

    @classmethod
    def parse(cls, query: str) -> "Jarvis":
        """Take the query as the name of a data set."""
        if not re.fullmatch(r"\w+", query):
            raise SourceError(f"{cls.name} needs the name of a data set, as in {cls.example}, not {query!r}")
        return cls(query)

    def stream(self, max_sites: int = MAX_SITES, progress: Progress = silent) -> Iterator[Crystal | Unusable]:
        """Fetch the file once, then yield its crystals; progress counts first bytes, then crystals."""
        url, member = self._file()
        path = kept.folder_of(f"{self.name}:{self.dataset}", {"url": url, "member": member}) / "data.zip"
        if not path.exists():
            from filelock import FileLock

            with FileLock(path.with_name(".lock")):
                if not path.exists():
                    web.download(url, path, progress)
        for done, record in enumerate(_records(path, member), start=1):
            own = name_of(record) if isinstance(record, dict) else None
            yield self.item(own or f"{self.dataset}#{done}", record, max_sites)
            progress(done, None)

    def _file(self) -> tuple[str, str]:
        """Look up the address of the data set's zip, and the name of the file in it."""
        from jarvis.db.figshare import get_db_info

        known = get_db_info()
        if self.dataset not in known:
            raise SourceError(f"{self.name}: {unknown('data set', self.dataset, list(known))}")
        url, member, *_ = known[self.dataset]
        return url, member


def _records(path: Path, member: str) -> Iterator[Any]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            text = JsonText(io.TextIOWrapper(file, encoding="utf-8").read)
            yield from text.elements()
            text.end()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        path.unlink(missing_ok=True)
        raise SourceError(f"{path} is damaged ({error}) and was removed; the same line fetches it again") from error
    except (KeyError, ValueError) as error:
        raise SourceError(f"{path} holds no {member} with a list of crystals: {error}") from error


SOURCE = Jarvis
