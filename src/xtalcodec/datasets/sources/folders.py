"""Files and folders of this machine, in every format that `io.read` knows."""

from collections.abc import Iterator
from dataclasses import dataclass

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.source import Progress, Source, SourceError, silent
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable, iterate


@dataclass(frozen=True, slots=True)
class Folder(Source):
    """A file, or every file of a known format below a folder, sorted by path."""

    path: str

    name = "folder"
    description = "Paths: CIF, POSCAR, extxyz, SHELX, JSON, ASE databases, parquet, CSV, folders, zips, tars."
    example = "structures/"
    licence = "that of your files"
    size = "any"
    citation = "the origin of your files"

    @classmethod
    def parse(cls, query: str) -> "Folder":
        """Take the query as a path."""
        if not query:
            raise SourceError(f"{cls.name} needs a path, as in {cls.name}:structures")
        return cls(query)

    def stream(self, max_sites: int = MAX_SITES, progress: Progress = silent) -> Iterator[Crystal | Unusable]:
        """Yield the crystals of every file; progress counts files."""
        yield from iterate([self.path], max_sites, progress)


SOURCE = Folder
