"""A folder of shards: parquet files in order, and a hidden file that says of which run, and whether it ended."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtalcodec.datasets.stores import StoreError, digest, refuse_other_settings
from xtalcodec.io.alone import LOCK
from xtalcodec.io.atomic import atomic
from xtalcodec.io.ended import RECORD
from xtalcodec.io.read import Unusable

if TYPE_CHECKING:
    import pyarrow as pa

KIND = "xtalcodec-run-1"
NOTED = b"xtalcodec.run"
"""Key of what a shard says of itself, in the metadata of its parquet file."""
_ROWS = 10_000
"""Least rows of a group where shards are joined."""


@dataclass(frozen=True, slots=True)
class NotedShard:
    """What a shard says of itself beside its rows."""

    run: str
    number: int
    unusable: list[Unusable]
    notes: list[str]
    totals: dict[str, int]


def packed(table: "pa.Table", noted: NotedShard) -> bytes:
    """Return the parquet file of a shard."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = {**(table.schema.metadata or {}), NOTED: json.dumps(asdict(noted)).encode()}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(about), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


class Shards:
    """The shards of one run."""

    def __init__(self, folder: Path, run: str, count: int | None) -> None:
        """Take the shards that are there.

        Parameters
        ----------
        folder
            Where they are.
        run
            Hash of the settings that they are made with.
        count
            How many there are in all; None where the run has not ended.
        """
        self.folder = folder
        self.run = run
        self.count = count

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / f"part-{number:06d}.parquet"

    def noted(self, number: int) -> NotedShard:
        """Read what a shard says of itself."""
        import pyarrow.parquet as pq

        about = json.loads(pq.read_schema(self.path(number)).metadata[NOTED])
        return NotedShard(**about | {"unusable": [Unusable(**item) for item in about["unusable"]]})

    def has(self, number: int) -> bool:
        """Tell whether a shard is there, can be read and is of this run."""
        try:
            noted = self.noted(number)
        except (OSError, ValueError, KeyError, TypeError):  # missing, damaged, or something else
            return False
        return (noted.run, noted.number) == (self.run, number)

    def whole(self) -> int:
        """Count the files of shards that are there."""
        return sum(bool(re.fullmatch(r"part-\d{6,}\.parquet", path.name)) for path in self.folder.iterdir())

    def finish(self, count: int) -> None:
        """Note that the run has ended with so many shards."""
        self.count = count
        record = json.loads((self.folder / RECORD).read_text())
        _write(self.folder, record | {"shards": count})

    def give_up(self) -> None:
        """Leave nothing of a run without a whole shard, so that another one may take its folder."""
        if not self.whole():
            (self.folder / RECORD).unlink()
            (self.folder / LOCK).unlink(missing_ok=True)
            with suppress(OSError):  # files of others in it
                self.folder.rmdir()

    def __iter__(self) -> Iterator["pa.Table"]:
        """Go through the tables, in order."""
        import pyarrow.parquet as pq

        for number in range(self.count or 0):
            yield pq.read_table(self.path(number), partitioning=None)

    def columns(self, names: list[str]) -> "pa.Table":
        """Read some columns of all shards."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pa.concat_tables(pq.read_table(self.path(k), columns=names) for k in range(self.count or 0))

    def records(self) -> Iterator[dict[str, Any]]:
        """Go through the rows as records, in order."""
        for table in self:
            yield from table.to_pylist()

    def unusable(self) -> Iterator[Unusable]:
        """Go through the inputs that could not be used, in order."""
        for number in range(self.count or 0):
            yield from self.noted(number).unusable

    def notes(self) -> Iterator[str]:
        """Go through what reading assumed, in order."""
        for number in range(self.count or 0):
            yield from self.noted(number).notes

    @cached_property
    def totals(self) -> dict[str, int]:
        """Rows, and counts of the shards added up."""
        import pyarrow.parquet as pq

        found = {"rows": 0}
        for number in range(self.count or 0):
            found["rows"] += pq.read_metadata(self.path(number)).num_rows
            for name, value in self.noted(number).totals.items():
                found[name] = found.get(name, 0) + value
        return found

    def join(self, path: str | Path) -> None:
        """Write all rows to one parquet file, in order, a few shards in memory at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schemas = [pq.read_schema(self.path(k)) for k in range(self.count or 0)]
        schema = pa.unify_schemas([one.remove_metadata() for one in schemas], promote_options="permissive")
        own = {key: value for key, value in (schemas[0].metadata or {}).items() if key not in (NOTED, b"ARROW:schema")}
        schema = schema.with_metadata(own)
        with atomic(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as file:
            for table in self._groups(schema):
                file.write_table(table)

    def _groups(self, schema: "pa.Schema") -> Iterator["pa.Table"]:
        """Gather shards until they have `_ROWS` rows."""
        import pyarrow as pa

        some: list[pa.Table] = []
        for table in self:
            some.append(_as(table, schema))
            if sum(one.num_rows for one in some) >= _ROWS:
                yield pa.concat_tables(some)
                some = []
        if some:
            yield pa.concat_tables(some)


def _as(table: "pa.Table", schema: "pa.Schema") -> "pa.Table":
    """Return a table with the columns of a schema, null where it has none."""
    import pyarrow as pa

    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def begin(folder: Path, settings: Mapping[str, Any]) -> Shards:
    """Begin a run in an empty folder, or go on with it.

    Raises
    ------
    StoreError
        The folder holds something else, or a run of other settings; the message names what differs.
    """
    record = folder / RECORD
    if not record.exists():
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            raise StoreError(f"{folder} is not empty and holds no run of xtalcodec: name another folder")
        _write(folder, {"kind": KIND, "settings": settings, "sha256": digest(settings), "shards": None})
    about = _read(record)
    refuse_other_settings(folder, about, settings)
    for cut_short in folder.glob(".part-*.parquet"):  # by a killed run, while it wrote
        cut_short.unlink()
    return Shards(folder, about["sha256"], about["shards"])


def _write(folder: Path, about: Mapping[str, Any]) -> None:
    with atomic(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n")


def _read(record: Path) -> dict[str, Any]:
    try:
        about = json.loads(record.read_text())
        if about["kind"] != KIND or about["sha256"] != digest(about["settings"]):
            raise StoreError("it is of another version, or was changed")
        about["shards"]
        return about
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{record} cannot be read as the record of a run: {error}") from error
