"""Tables with a crystal in each row: CSV and parquet, of any of the columns that `records` knows."""

import csv
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from xtalcodec.crystal import CrystalError
from xtalcodec.io.carried import cell_value
from xtalcodec.io.found import Found
from xtalcodec.io.records import columns_of, crystal_of, holders_of, name_of, without_name

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_LONGEST_FIELD = 1 << 26
"""Bytes in one CSV field; the CIF of 2000 sites takes 200,000."""
_ROWS = 1000
"""Rows of parquet in memory at a time."""
_OURS = ("numbers", "frac_coords", "lattice")
_KNOWN = "cif, structure, poscar, atoms, or arrays as of OPTIMADE or ASE"


def read_csv(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every row of a CSV with a column `cif`, `structure` or `poscar` in any case, as CDVAE's data sets.

    Parameters
    ----------
    text
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    rows = csv.DictReader(io.StringIO(text, newline=""))
    columns = columns_of([column for column in rows.fieldnames or [] if column])
    if not columns:
        raise CrystalError(f"it has no column of crystals ({_KNOWN})")
    holders = holders_of(columns)
    count = 0
    for count, row in enumerate(rows, start=1):
        record = {column: row.get(column) or "" for column in columns}
        own = name_of(record) or f"{name}#{count}"
        record = {k: v if k in holders else cell_value(v) for k, v in without_name(record).items()}
        yield own, partial(crystal_of, record, max_sites)
    if not count:
        raise CrystalError("it has no rows")


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
    """Return the number of rows of a parquet file, by its metadata; 1 where no column describes a crystal."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        return file.metadata.num_rows if columns_of(file.schema_arrow.names) else 1
