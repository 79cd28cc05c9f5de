"""Rows of a table as crystals, read from the columns that the user named, or from those that the reader finds."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal
from xtalcodec.datasets.source import SourceError
from xtalcodec.io.carried import carrying, cell_value
from xtalcodec.io.formats import stem_of
from xtalcodec.io.read import Unusable, built, read
from xtalcodec.io.records.columns import beside, columns_of, holders_of, name_of, without_name
from xtalcodec.io.records.read import crystal_of

_LONGEST_FIELD = 1 << 26
"""Bytes in one CSV field; the CIF of 2000 sites takes 200,000."""
_ROWS = 1000
"""Rows of parquet in memory at a time."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table describe a crystal."""

    structure: str | None = None
    """Column of whole structures: CIF or POSCAR text, JSON, or mappings; found by its name if not given."""
    id: str | None = None
    """Column of the crystals' names; found by its name if not given."""

    options: ClassVar[tuple[str, ...]] = ("structure", "id")

    def crystals(self, path: Path, label: str, max_sites: int) -> Iterator[Crystal | Unusable]:
        """Yield the crystal of every row of a table, or why it cannot be used.

        Parameters
        ----------
        path
            Of the table, parquet or CSV.
        label
            What to call the table in messages.
        max_sites
            Crystals of more sites are unusable.

        Raises
        ------
        SourceError
            A column that the table does not have.
        """
        name = stem_of(Path(label))
        if self.structure is None and self.id is None:
            for item in read(path, max_sites, name):
                own = isinstance(item, Unusable) and item.name.startswith(str(path))
                yield replace(item, name=label + item.name.removeprefix(str(path))) if own else item
            return
        for k, row in enumerate(self._rows(path, label), start=1):
            called = row.get(self.id) if self.id else name_of(row)
            own_name = f"{name}#{k}" if called is None or called == "" else str(called)
            build = partial(self._crystal, row, max_sites, typed=path.suffix != ".csv")
            yield built(build, own_name, f"{label}#{k}", max_sites)

    def _crystal(self, row: dict[str, Any], max_sites: int, *, typed: bool) -> Crystal:
        """Build the crystal of a row, with what else the row says; where it is not `typed`, its values are texts."""
        rest = {name: value for name, value in row.items() if name != self.id} if self.id else without_name(row)
        if not typed:
            texts = {self.structure, *holders_of(list(row))}
            rest = {name: x if name in texts or x is None else cell_value(x) for name, x in rest.items()}
        if self.structure is None:
            return crystal_of({name: rest[name] for name in columns_of(list(rest))}, max_sites)
        structure = rest.pop(self.structure)
        return carrying(crystal_of(structure, max_sites), beside(rest))

    def _rows(self, path: Path, label: str) -> Iterator[dict[str, Any]]:
        import pyarrow as pa
        import pyarrow.parquet

        try:
            if path.suffix == ".csv":
                with path.open(newline="", encoding="utf-8-sig") as file:
                    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
                    table = csv.DictReader(file)
                    names = list(table.fieldnames or [])
                    self._check(label, names)
                    yield from ({name: x for name, x in row.items() if name} for row in table)
                return
            with pyarrow.parquet.ParquetFile(path) as parquet:
                self._check(label, parquet.schema_arrow.names)
                for batch in parquet.iter_batches(batch_size=_ROWS, columns=self._needed(parquet.schema_arrow.names)):
                    yield from batch.to_pylist()
        except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
            raise SourceError(f"{label}: it cannot be read: {error}") from error

    def _needed(self, columns: list[str]) -> list[str]:
        """Return the columns to read: without further structures, which are long."""
        further = holders_of(columns) if self.structure else []
        return [name for name in columns if name not in further or name in (self.structure, self.id)]

    def _check(self, label: str, columns: list[str]) -> None:
        for wanted in filter(None, (self.structure, self.id)):
            if wanted not in columns:
                raise SourceError(f"{label}: {unknown('column', wanted, columns)}")
