"""Crystals there and back, as `reconstruct` and `evaluate` run them on any number of workers and tell of them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from xtalcodec.cli.bulk import deliver, is_file, run_bulk, shards_of
from xtalcodec.cli.running import tell, tell_notes, write_each

if TYPE_CHECKING:
    from xtalcodec.bulk.shards import Shards
    from xtalcodec.io.read import Unusable
    from xtalcodec.parallel import Pool


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be compared, and how."""

    inputs: list[str]
    codec: str
    device: str
    max_sites: int
    refine: bool
    self_check: bool
    chunk: int | None
    limit: int | None = None
    """So many crystals, evenly spread; None for all."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Crystals that were compared."""

    shards: "Shards"
    codec: str
    """Its identity."""
    seconds: float
    """What it took, this time."""

    @property
    def count(self) -> int:
        """How many crystals."""
        return self.shards.totals["rows"]

    def scores(self, json: Path | None, *, with_rows: bool) -> dict[str, Any]:
        """Print the scores, write them where asked for, and return them."""
        from xtalcodec.bulk.reconstruction import measured, rows_of
        from xtalcodec.cli.report import print_summary

        rows = rows_of(self.shards) if with_rows else None
        return print_summary(measured(self.shards), self.codec, self.seconds, self.shards.unusable(), json, rows)

    def table(self, *, self_check: bool) -> None:
        """Print a line for each crystal, and what reading them assumed."""
        from xtalcodec.bulk.reconstruction import rows_of
        from xtalcodec.cli.report import SHOWN, print_table

        print_table(list(islice(rows_of(self.shards), SHOWN)), self_check, self.count)
        tell_notes(self.shards.notes())

    def write_decoded(self, out: Path, fmt: str, symprec: float | None) -> int:
        """Write what was decoded, a file for each crystal; return how many the format could not hold."""
        from xtalcodec.bulk.reconstruction import rows_of

        decoded = (row.decoded for row in rows_of(self.shards) if row.decoded)
        count, refused = write_each(decoded, out, fmt, symprec)
        typer.echo(f"{count} decoded crystals are in {out}")
        return refused

    def write_page(self, html: Path) -> None:
        """Write the page with the first crystals and what came back."""
        from xtalcodec.bulk.reconstruction import rows_of
        from xtalcodec.cli.report import SHOWN
        from xtalcodec.viz.pages.page import write_page

        about = f"codec {self.codec}" + (f"; the first {SHOWN} of {self.count} crystals" if self.count > SHOWN else "")
        write_page(list(islice(rows_of(self.shards), SHOWN)), html, "xtalcodec: crystals and what came back", about)
        typer.echo(f"originals and reconstructions side by side: {html}")

    def tell_lost(self, *, not_decoded: bool) -> int:
        """List what could not be used and, where asked for, what could not be decoded; return how many that is."""
        return tell(self.shards.unusable()) + (tell(self.not_decoded()) if not_decoded else 0)

    def not_decoded(self) -> "Iterator[Unusable]":
        """Crystals that nothing came back of, and why."""
        from xtalcodec.bulk.reconstruction import not_decoded

        return not_decoded(self.shards)


@contextmanager
def compared(question: Question, pool: "Pool", rows: Path | None, other: Path | None) -> "Iterator[Compared]":
    """Compare, and keep the shards until all is told.

    Parameters
    ----------
    question
        What is compared.
    pool
        Who does it.
    rows
        Where the rows are kept: a folder of shards, or a parquet file.
    other
        Another result that is wanted. Beside it the shards lie meanwhile, if the rows are not kept.
    """
    from xtalcodec.bulk.coding import CodecName
    from xtalcodec.bulk.reconstruction import CHUNK, Compare
    from xtalcodec.datasets.inputs import Evenly, Inputs

    start = time.perf_counter()
    q = question
    name = CodecName.of(q.codec, q.device)
    inputs = Inputs(q.inputs, q.max_sites, q.chunk or CHUNK)
    chosen = inputs if q.limit is None else Evenly(inputs, q.limit)
    kept = rows is not None and not is_file(rows, "--rows")
    with shards_of(rows or other, kept=kept) as folder:
        shards = run_bulk("reconstructing", folder, chosen, Compare(name, q.refine, q.self_check), pool)
        if rows and deliver(shards, rows):
            typer.echo(f"a row for each crystal is in {rows}")
        yield Compared(shards, name.identity, time.perf_counter() - start)
