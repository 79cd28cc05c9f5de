"""The folder of `sample --out`: files as samples come, and a table that is there whenever the run is stopped."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import typer

from xtalcodec.cli.running import tell, tell_others

if TYPE_CHECKING:
    from xtalcodec.evaluation.generation.proposals import Proposal
    from xtalcodec.io.read import Unusable

TABLE = "samples.parquet"
"""File with a row for every sample."""

OFTEN = 10.0
"""Seconds after which the table is written anew, while samples come."""


class SampleFolder:
    """Writes samples, and remembers them."""

    def __init__(self, out: Path, fmt: str, symprec: float | None, n: int, *, valid_only: bool) -> None:
        """Take what `sample` was told.

        Parameters
        ----------
        out
            The folder; made if it is not there.
        fmt, symprec
            As in `io.write.write`.
        n
            Samples that are asked for.
        valid_only
            Write files of valid samples alone; the table has all.
        """
        self.out, self.fmt, self.symprec, self.n, self.valid_only = out, fmt, symprec, n, valid_only
        self.written: list[Path] = []
        """Files."""
        self.refused: list[Unusable] = []
        """Samples that the format could not hold."""

    @property
    def table(self) -> Path:
        """File of the table."""
        return self.out / TABLE

    def taking(self, drawn: "Iterable[Proposal]") -> "Iterator[Proposal]":
        """Write samples as they come, and pass them on.

        The table is there however this ends; after a power cut or a SIGKILL it lacks the last seconds.
        """
        from xtalcodec.evaluation.generation.proposals import write_table

        taken: list[Proposal] = []
        since = monotonic()
        try:
            for one in drawn:
                self._write(one)
                taken.append(one)
                if monotonic() - since > OFTEN:
                    write_table(taken, self.table, self.symprec)
                    since = monotonic()
                yield one
        except BaseException:
            with suppress(OSError):  # a full disk: the error on its way says so
                if taken:
                    write_table(taken, self.table, self.symprec)
            typer.echo(
                f"stopped at {len(taken)} of {self.n} samples: {self.out} has them, and the same command goes on",
                err=True,
            )
            raise
        write_table(taken, self.table, self.symprec)  # ranking them may take hours, and be stopped
        tell_others(self.out, self.written)
        tell(self.refused)

    def _write(self, one: "Proposal") -> None:
        from xtalcodec.evaluation.generation.proposals import tolerance
        from xtalcodec.io.write import write_many

        if one.about.crystal and (one.about.valid or not self.valid_only):
            within = tolerance(one, self.symprec)
            self.written += write_many([one.about.crystal], self.out, self.fmt, within, self.refused)
