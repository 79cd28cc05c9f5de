"""Crystals there and back, part by part: a row for each, kept on disk, and the scores of all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np

from xtalcodec.bulk.coding import CodecName
from xtalcodec.bulk.convert import crystal_table, crystals_of, notes_of, usable
from xtalcodec.bulk.run import Done
from xtalcodec.bulk.shards import Shards
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.reconstruction import Measured, Reconstruction, reconstruct
from xtalcodec.io.read import Unusable
from xtalcodec.networks.threads import one_thread

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 100
"""Crystals of one task: comparing structures takes a tenth of a second each, and seconds for large ones."""

_CRYSTALS = ("original", "decoded")


@dataclass(frozen=True, slots=True)
class Compare:
    """Crystals to rows of how well they come back."""

    codec: CodecName
    refine: bool = True
    self_check: bool = False

    def settings(self) -> dict[str, Any]:
        """Return everything that shapes the result."""
        shape = {"refine": self.refine, "self_check": self.self_check}
        return {"verb": "reconstruct", **self.codec.settings(), **shape}

    def __call__(self, items: Iterator[Crystal | Unusable]) -> Done:
        """Encode, decode and compare."""
        unusable: list[Unusable] = []
        crystals = list(usable(items, unusable))
        with one_thread():
            rows = reconstruct(self.codec.open(), crystals, refine=self.refine, cycle_consistency=self.self_check)
        return Done(table_of(rows), unusable, [note for crystal in crystals for note in notes_of(crystal)])


def table_of(rows: Sequence[Reconstruction]) -> "pa.Table":
    """Return rows as a table: a column for each field, the two crystals as rows of the table of `Convert`."""
    import pyarrow as pa

    columns: dict[str, Any] = {"sites": pa.array([len(row.original) for row in rows], pa.int64())}
    columns["disordered"] = pa.array([not row.original.is_ordered for row in rows], pa.bool_())
    hints = get_type_hints(Reconstruction)
    for field in fields(Reconstruction):
        values = [getattr(row, field.name) for row in rows]
        crystals = field.name in _CRYSTALS
        columns[field.name] = _crystals(values) if crystals else pa.array(values, _kinds()[hints[field.name]])
    return pa.table(columns)


def _kinds() -> "dict[Any, pa.DataType]":
    """Type of a field → its type in a table."""
    import pyarrow as pa

    kinds: dict[Any, pa.DataType] = {bool: pa.bool_(), int: pa.int64(), str: pa.string()}
    return kinds | dict.fromkeys((float, float | None), pa.float64())


def _crystals(crystals: Sequence[Crystal | None]) -> "pa.Array":
    """Crystals as structures of arrays, null where there is none."""
    import pyarrow as pa

    there = crystal_table(crystal for crystal in crystals if crystal is not None)
    places = np.cumsum([crystal is not None for crystal in crystals], dtype=np.int64) - 1
    chosen = [None if crystal is None else int(place) for place, crystal in zip(places, crystals, strict=True)]
    return there.to_struct_array().combine_chunks().take(pa.array(chosen, pa.int64()))


def rows_of(shards: Shards) -> Iterator[Reconstruction]:
    """Go through the rows of a run, in order; coordinates of the crystals are brought into [0, 1)."""
    names = [field.name for field in fields(Reconstruction)]
    for record in shards.records():
        for name in _CRYSTALS:
            record[name] = next(crystals_of([record[name]])) if record[name] is not None else None
        yield Reconstruction(**{name: record[name] for name in names})


def not_decoded(shards: Shards) -> Iterator[Unusable]:
    """Crystals that nothing came back of, and why; no other is built."""
    import pyarrow.compute as pc

    for table in shards:
        lost = table.filter(pc.is_null(table["decoded"])).select(["original", "reason"])
        for record in lost.to_pylist():
            yield Unusable(next(crystals_of([record["original"]])).name, record["reason"])


def measured(shards: Shards) -> Measured:
    """Read the numbers that scores are made of: sixty bytes a crystal in memory, and nothing else of the rows."""
    names = list(Measured.__slots__)
    table = shards.columns(names)
    # pyarrow gives NaN for null in floats, which is what `Measured` has
    return Measured(*(table.column(name).to_numpy() for name in names))
