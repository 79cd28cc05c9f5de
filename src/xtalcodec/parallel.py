"""Where independent tasks run: in this process, in processes of this machine, on MPI ranks, on a Dask cluster.

This is the one interface for bulk work. A task is a function of a module and its arguments; results come back to the
process that handed the tasks out.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

if TYPE_CHECKING:
    from distributed import Client

Task = TypeVar("Task")
Result = TypeVar("Result")

Kind = Literal["local", "mpi", "dask"]

QUEUED = 2
"""Tasks handed out for each worker: one that it works on and one that waits, so that memory stays bounded."""


class WorkersLostError(BrokenExecutor):
    """Workers died, or cannot be reached any more, and a task is lost with them."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Workers that take tasks."""

    executor: Executor
    workers: int

    def size(self) -> int:
        """Return the number of workers at this moment."""
        return self.workers

    def run(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield results as they come, in any order; at the first error no further task is begun.

        Raises
        ------
        WorkersLostError
            A task was lost with the workers that had it.
        """
        waiting = iter(tasks)
        running: set[Future] = set()
        try:
            yield from self._results(function, waiting, running)
        except WorkersLostError:
            raise
        except BrokenExecutor as error:
            raise WorkersLostError("a worker died (killed, or out of memory)") from error
        finally:
            for future in running:
                future.cancel()

    def _results(
        self, function: Callable[[Task], Result], waiting: Iterator[Task], running: set[Future]
    ) -> Iterator[Result]:
        """Keep the workers busy; `running` holds at any time what they have been given and has not come back."""
        while True:
            free = max(QUEUED * self.size() - len(running), 0)
            for task in islice(waiting, free):
                running.add(future := self.executor.submit(function, task))
                if future.done():  # it may have failed
                    break
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            running -= done
            for future in done:
                yield self.result(future)

    def result(self, future: Future) -> Any:
        """Return the result of a task that is done."""
        return future.result()


@dataclass(frozen=True, slots=True)
class DaskPool(Pool):
    """Workers of a Dask cluster, which may come and go: the scheduler gives a lost task to another one."""

    client: "Client"

    def size(self) -> int:
        """Return the number of workers that the scheduler knows now."""
        return max(len(self.client.nthreads()), 1)

    def result(self, future: Future) -> Any:
        """Return the result of a task that is done."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise WorkersLostError("one task killed every worker that took it (out of memory?)") from error
        except CancelledError as error:
            raise WorkersLostError("the connection to the Dask scheduler was lost") from error


class InProcess(Executor):
    """Runs a task when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Run the task now.

        Parameters
        ----------
        fn
            The task.
        args, kwargs
            Its arguments.
        """
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 -- the future raises it where its result is asked for
            future.set_exception(error)
        return future


HERE = Pool(InProcess(), 1)
"""This process alone."""


def map_in_order(
    function: Callable[..., Result],
    rows: Sequence[tuple],
    pool: Pool = HERE,
    progress: Callable[[int], None] | None = None,
    chunk: int = 8,
) -> list[Result]:
    """Apply a function to the arguments of every row on many workers; results in the order of the rows.

    Parameters
    ----------
    function
        Of a module, so that another process can find it.
    rows
        Its arguments, once for each result.
    pool
        Workers that take the tasks.
    progress
        Called with the number of rows done since the last call.
    chunk
        Rows that one task takes.
    """
    tell = progress or (lambda _: None)
    tasks = [(function, start, rows[start : start + chunk]) for start in range(0, len(rows), chunk)]
    results: dict[int, Result] = {}
    for start, done in pool.run(_apply, tasks):
        results |= dict(enumerate(done, start))
        tell(len(done))
    return [results[k] for k in range(len(rows))]


def _apply(task: tuple[Callable[..., Result], int, Sequence[tuple]]) -> tuple[int, list[Result]]:
    """Do the rows of one task."""
    function, start, rows = task
    return start, [function(*row) for row in rows]


@contextmanager
def open_pool(kind: Kind = "local", workers: int = 1, scheduler: str | None = None) -> Iterator[Pool | None]:
    """Open a pool of workers.

    Parameters
    ----------
    kind
        `local`: processes of this machine. `mpi`: the ranks that `mpiexec` started; rank 0 hands
        out the tasks and the others work. `dask`: the workers of a Dask cluster that runs already.
    workers
        Processes of a local pool; with 1 the tasks run in this one. Under Dask, so many workers are
        waited for before the first task; more may come. Under MPI, all ranks but one work.
    scheduler
        Address of the Dask scheduler, as `tcp://node:8786`.

    Yields
    ------
    The pool; None on the ranks of an MPI job that have worked for it, once it is over.

    Raises
    ------
    ValueError
        Dask without a scheduler, or a scheduler without Dask.
    OSError
        No scheduler at that address.
    """
    if (kind == "dask") != (scheduler is not None):
        raise ValueError("the executor dask needs the address of a scheduler, and no other executor takes one")
    if kind == "dask":
        with _connected(cast("str", scheduler), workers) as client:
            yield DaskPool(client.get_executor(pure=False), workers, client)
        return
    if kind == "mpi":
        from mpi4py import MPI
        from mpi4py.futures import MPICommExecutor

        ranks = MPI.COMM_WORLD.Get_size()
        if ranks > 1:
            with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
                yield None if executor is None else Pool(cast("Executor", executor), ranks - 1)
            return
        workers = 1
    if workers == 1:
        yield HERE
        return
    # Fresh processes: forking one that runs threads can deadlock.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin) as executor:
        yield Pool(executor, workers)


@contextmanager
def _connected(scheduler: str, workers: int) -> "Iterator[Client]":
    """Connect to a Dask scheduler and wait until it has so many workers."""
    from distributed import Client

    try:
        client = Client(scheduler, set_as_default=False)
    except (OSError, ValueError) as error:
        raise OSError(f"no Dask scheduler answers at {scheduler}: {error}") from error
    with client:
        client.wait_for_workers(workers)
        yield client


def _begin() -> None:
    """Begin a worker: one thread, for there are others on the other cores, and an end with the one that started it.

    A worker whose parent is killed would wait for tasks for ever.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parent = parent_process()
    if parent is None:
        raise RuntimeError("a worker has no parent process")
    sentinel = parent.sentinel

    def watch() -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
