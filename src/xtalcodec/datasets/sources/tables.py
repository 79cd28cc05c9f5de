"""Tables of this machine, parquet or CSV, of which the user says which columns to read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.rows import Columns
from xtalcodec.datasets.source import Progress, Source, SourceError, options_of, silent
from xtalcodec.io.ended import check_ended
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable

_SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class Table(Source):
    """A table, or every table of a folder in the order of their names, with a crystal in each row."""

    path: str
    columns: Columns

    name = "table"
    description = "A parquet or CSV table, or a folder of such, with columns that you name."
    example = "table:relaxations.parquet?structure=final_structure&id=run"
    licence = "that of your table"
    size = "any"
    citation = "the origin of your table"

    @classmethod
    def parse(cls, query: str) -> "Table":
        """Read `PATH?structure=COLUMN&id=COLUMN`; both options may be left out."""
        path, _, options = (query, "", "") if Path(query).exists() else query.rpartition("?")
        path, options = (path, options) if path else (options, "")
        if not path:
            raise SourceError(f"{cls.name} needs a path, as in {cls.name}:crystals.parquet")
        return cls(path, Columns(**options_of(cls.name, options, Columns.options)))

    def stream(self, max_sites: int = MAX_SITES, progress: Progress = silent) -> Iterator[Crystal | Unusable]:
        """Yield the crystal of every row; progress counts tables."""
        files = self._files()
        for done, file in enumerate(files, start=1):
            yield from self.columns.crystals(file, str(file), max_sites)
            progress(done, len(files))

    def _files(self) -> list[Path]:
        path = Path(self.path)
        if not path.exists():
            raise SourceError(f"{self.path}: there is no such table")
        check_ended(path)
        files = [path]
        if path.is_dir():
            files = sorted(x for x in path.iterdir() if x.suffix in _SUFFIXES and not x.name.startswith("."))
        if not files or files[0].suffix not in _SUFFIXES:
            raise SourceError(f"{self.path} is no table: {' or '.join(_SUFFIXES)}, or a folder of them")
        return files


SOURCE = Table
