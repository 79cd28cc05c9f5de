"""Tables with a crystal in each row: CSV and parquet, of any of the columns that `records` knows."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.atomic import atomic
from xtalcodec.io.carried import cell_value
from xtalcodec.io.found import Found
from xtalcodec.io.limits import MAX_BYTES
from xtalcodec.io.records.columns import columns_of, holders_of, name_of, without_name
from xtalcodec.io.records.read import crystal_of
from xtalcodec.io.text import lines_of, opened_text

if TYPE_CHECKING:
    from pyarrow import Schema
    from pyarrow.parquet import ParquetFile

_LONGEST_FIELD = 1 << 26
"""Bytes in one CSV field; the CIF of 2000 sites takes 200,000."""
_ROWS = 1000
"""Rows of parquet in memory at a time."""
_OURS = ("numbers", "frac_coords", "lattice")
_KNOWN = "cif, structure, poscar, atoms, or arrays as of OPTIMADE or ASE"


def read_csv(path: Path, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every row of a CSV with a column `cif`, `structure` or `poscar` in any case, as CDVAE's data sets.

    Parameters
    ----------
    path
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    with opened_text(path) as text:
        rows = _rows_of(text)
        header = next(rows, [])
        columns = columns_of([column for column in header if column])
        if not columns:
            raise CrystalError(f"it has no column of crystals ({_KNOWN})")
        count = 0
        for count, row in enumerate(filter(None, rows), start=1):
            here = dict(zip(header, row, strict=False))
            record = {column: here.get(column, "") for column in columns}
            yield name_of(record) or f"{name}#{count}", partial(_of_cells, record, max_sites)
        if not count:
            raise CrystalError("it has no rows")


def _rows_of(text: TextIOWrapper) -> Iterator[list[str]]:
    """Yield the rows of a CSV; refuse one of more than `MAX_BYTES`, as one is whose quote is never closed."""
    size = 0

    def lines() -> Iterator[str]:
        nonlocal size
        for line in lines_of(text):
            size += len(line)
            if size > MAX_BYTES:
                raise CrystalError(f"one of its rows holds more than {MAX_BYTES >> 20} MiB")
            yield line

    for row in csv.reader(lines()):
        size = 0
        yield row


def _of_cells(record: dict[str, str], max_sites: int) -> Crystal:
    """Build the crystal of a row of text."""
    holders = holders_of(list(record))
    values = {k: v if k in holders else cell_value(v) for k, v in without_name(record).items()}
    return crystal_of(values, max_sites)


def read_parquet(path: Path, name: str, max_sites: int, start: int = 0) -> Iterator[Found]:
    """Yield every row of a parquet file, in batches.

    Parameters
    ----------
    path
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    start
        Rows at the beginning that are not wanted; groups of rows before it are not read.
    """
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        here = file.schema_arrow.names
        columns = columns_of(here)
        if not columns:
            missing = [column for column in _OURS if column not in here]
            some = len(missing) < len(_OURS)
            raise CrystalError(
                f"it has no column {', '.join(missing)}" if some else f"it has no column of crystals ({_KNOWN})"
            )
        row, groups = groups_from(file, start)
        for batch in file.iter_batches(batch_size=_ROWS, columns=columns, row_groups=groups):
            wanted = batch.slice(max(start - row, 0))
            row += batch.num_rows - wanted.num_rows
            for record in wanted.to_pylist():
                row += 1
                own = name_of(record) or f"{name}#{row}"
                yield own, partial(crystal_of, without_name(record), max_sites)


_OF_FILES = b"xtalcodec.of_files"
"""Key in the metadata of a table whose crystals are in files beside it too."""


def of_files(columns: "Schema") -> "Schema":
    """Mark a table as one whose crystals are in files beside it too: it is not read with their folder."""
    return columns.with_metadata({_OF_FILES: b"yes"})


def is_of_files(path: Path) -> bool:
    """Tell whether the crystals of a table are in files beside it too, as it says itself."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _OF_FILES in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False  # whoever reads it says what is wrong with it


def write_rows(rows: Sequence[Mapping[str, Any]], columns: "Schema", path: str | Path) -> int:
    """Write a table to parquet, all of it or nothing, and return how many rows it has.

    Parameters
    ----------
    rows
        Value by the name of its column; what is not there is null.
    columns
        Names and types.
    path
        A file that is there is replaced once the new one is whole.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with atomic(path) as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows), columns), temporary, compression="zstd")
    return len(rows)


def groups_from(file: "ParquetFile", start: int) -> tuple[int, list[int]]:
    """Return the first row of the group that holds row `start`, and that group and all behind it."""
    first = 0
    for k in range(file.num_row_groups):
        size = file.metadata.row_group(k).num_rows
        if start < first + size:
            return first, list(range(k, file.num_row_groups))
        first += size
    return first, []


def group_start(path: Path, row: int) -> int:
    """Return the first row of the group of a parquet file that holds a row."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        return groups_from(file, row)[0]


def count_parquet(path: Path) -> int:
    """Return the number of rows of a parquet file, by its metadata; 1 where there is no crystal, which is told."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        return max(file.metadata.num_rows, 1) if columns_of(file.schema_arrow.names) else 1
