"""Tables with a crystal in each row: CSV and parquet, of any of the columns that `records` knows."""

import csv
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from xtalcodec.crystal import CrystalError
from xtalcodec.io.carried import cell_value
from xtalcodec.io.found import Found
from xtalcodec.io.records import columns_of, crystal_of, holders_of, name_of, without_name

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


def read_parquet(path: Path, name: str, max_sites: int) -> Iterator[Found]:
    """Yield every row of a parquet file, in batches.

    Parameters
    ----------
    path
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
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
        row = 0
        for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
            for record in batch.to_pylist():
                row += 1
                own = name_of(record) or f"{name}#{row}"
                yield own, partial(crystal_of, without_name(record), max_sites)
