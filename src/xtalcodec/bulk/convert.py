"""Crystals of any source as tables of crystals."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from xtalcodec.bulk.run import Done
from xtalcodec.crystal import Crystal
from xtalcodec.io.read import Unusable
from xtalcodec.io.records.read import crystal_of
from xtalcodec.io.write import write_parquet

if TYPE_CHECKING:
    import pyarrow as pa

Item = TypeVar("Item")

CHUNK = 2000
"""Crystals of one task."""

DECODED = ("formula", "confidence", "cycle_consistency")
"""Columns that `bulk.coding.Decode` adds to a table of crystals."""


@dataclass(frozen=True, slots=True)
class Convert:
    """Crystals to the table that `write_parquet` makes."""

    def settings(self) -> dict[str, Any]:
        """Return everything that shapes the result."""
        return {"verb": "convert"}

    def __call__(self, items: Iterator[Crystal | Unusable]) -> Done:
        """Convert."""
        unusable: list[Unusable] = []
        crystals = list(usable(items, unusable))
        notes = [note for crystal in crystals for note in notes_of(crystal)]
        return Done(crystal_table(crystals), unusable, notes, beside(crystals))


def notes_of(crystal: Crystal) -> list[str]:
    """What reading a crystal assumed, with its name."""
    return [f"{crystal.name}: {note}" for note in crystal.notes]


BESIDE, ANY = "beside ", "beside any"
"""How counts are called of crystals of which something is known beside their sites: by its name, and of any."""


def beside(crystals: Iterable[Crystal]) -> dict[str, int]:
    """Count the crystals of which something is known beside their sites, by what it is called."""
    counts: Counter[str] = Counter()
    for crystal in crystals:
        names = {*crystal.properties, *crystal.site_properties}
        counts.update(f"{BESIDE}{name}" for name in names)
        counts[ANY] += bool(names)
    return {name: count for name, count in sorted(counts.items()) if count}


def usable(items: Iterable[Item | Unusable], unusable: list[Unusable]) -> Iterator[Item]:
    """Yield the crystals or codes, and put the others into a list."""
    for item in items:
        if isinstance(item, Unusable):
            unusable.append(item)
        else:
            yield item


def crystal_table(crystals: Iterable[Crystal]) -> "pa.Table":
    """Return the table that `write_parquet` writes, but names that come twice stay as they are.

    No worker knows the names of the others.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names: list[str] = []

    def noted() -> Iterator[Crystal]:
        for crystal in crystals:
            names.append(crystal.name or "crystal")
            yield crystal

    with TemporaryDirectory(prefix="xtalcodec-") as folder:
        path = Path(folder, "part.parquet")
        write_parquet(noted(), path)
        table = pq.read_table(path)
    place = table.schema.get_field_index("material_id")
    return table.set_column(place, "material_id", pa.array(names, pa.string()))


def crystals_of(records: Iterable[dict[str, Any]]) -> Iterator[Crystal]:
    """Read the rows of such a table back, less what `Decode` says of them."""
    for record in records:
        own = {key: value for key, value in record.items() if key not in ("material_id", *DECODED)}
        yield replace(crystal_of(own, len(record["numbers"])), name=record["material_id"])
