"""A bulk run: parts of the input go to workers, and each task comes back as one shard, a parquet file that is whole.

What is in a shard depends on its own part of the input and on the settings, never on who made it: parts are cut
before they are handed out, and work computes on one thread. So a run gives the same bytes for every executor
and any number of workers, and a run that was killed goes on with the shards that are not there. Only the process
that hands out the tasks writes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from xtalcodec.bulk.shards import NotedShard, Shards, begin, packed
from xtalcodec.datasets.inputs import Part
from xtalcodec.io.alone import LOCK, alone
from xtalcodec.io.atomic import atomic
from xtalcodec.io.read import Unusable
from xtalcodec.parallel import Pool, WorkersLostError

if TYPE_CHECKING:
    import pyarrow as pa

_ONE_AT_A_TIME = Lock()
"""A Dask worker may run tasks in several threads; numbers of threads and open files are the process's."""


class BulkError(ValueError):
    """A run that stopped: the message says why, and what is whole."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one part of the input."""

    table: "pa.Table"
    """One row for each crystal that could be used, in order."""
    unusable: list[Unusable]
    notes: list[str] = field(default_factory=list)
    """What reading assumed, beginning with the crystal's name."""
    totals: dict[str, int] = field(default_factory=dict)
    """Counts that are added up over all shards."""


@runtime_checkable
class Work(Protocol):
    """What is done with the crystals of a part; it is pickled and sent to the workers."""

    def settings(self) -> dict[str, Any]:
        """Return everything that shapes the result, as JSON."""
        ...

    def __call__(self, items: Iterator[Any]) -> Done:
        """Do it."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """One shard to be made."""

    number: int
    parts: tuple[Part, ...]
    work: Work
    run: str
    """Hash of the run's settings."""


def make(task: Task) -> tuple[int, int, bytes]:
    """Make one shard; return its number, the units that went in, and the bytes of its file."""
    with _ONE_AT_A_TIME:
        done = task.work(item for part in task.parts for item in part.read())
    noted = NotedShard(task.run, task.number, done.unusable, done.notes, done.totals)
    return task.number, _units(task.parts), packed(done.table, noted)


def _units(parts: Iterable[Part]) -> int:
    return sum(part.units for part in parts)


def run(
    folder: str | Path,
    chunks: Callable[[], Iterable[tuple[Part, ...]]],
    work: Work,
    inputs: Mapping[str, Any],
    pool: Pool,
    progress: Callable[[int], None] = lambda _: None,
) -> Shards:
    """Make every shard that is not there yet.

    Parameters
    ----------
    folder
        Of the shards; made if it is not there.
    chunks
        Gives the input of every shard, the same each time it is called.
    work
        What to do with it.
    inputs
        What tells this input from another: part of the settings that the folder is made with.
    pool
        Who works.
    progress
        Called with the number of units done since the last call.

    Returns
    -------
    Shards
        All of them.

    Raises
    ------
    StoreError
        The folder holds the shards of another run, or something else; the message says what differs.
    ValueError
        Input that cannot be worked on; where no shard is whole, nothing is left of the run.
    BulkError
        A full disk, workers that died: what is whole stays so, and the same call goes on from there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, folder / LOCK):
        shards = begin(folder, {**work.settings(), "inputs": dict(inputs)})
        number = -1

        def tasks() -> Iterator[Task]:
            nonlocal number
            for number, parts in enumerate(chunks()):
                if shards.has(number):
                    progress(_units(parts))
                else:
                    yield Task(number, parts, work, shards.run)

        try:
            for made, units, data in pool.run(make, tasks()):
                with atomic(shards.path(made)) as temporary:
                    temporary.write_bytes(data)
                progress(units)
        except (OSError, WorkersLostError) as error:
            raise BulkError(
                f"{error}; {shards.whole()} shards in {folder} are whole, and the same command goes on from there"
            ) from error
        except Exception:
            shards.give_up()  # what is wrong with the input is wrong the next time too
            raise
        shards.finish(number + 1)
    return shards
