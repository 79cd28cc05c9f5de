"""Where independent tasks run: in this process, in processes of this machine, or on the ranks of an MPI job."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from typing import Any, Literal, TypeVar, cast

Task = TypeVar("Task")
Result = TypeVar("Result")

Kind = Literal["local", "mpi"]

QUEUED = 2
"""Tasks handed out for each worker: one that it works on and one that waits, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Workers that take tasks."""

    executor: Executor
    workers: int

    def run(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield results as they come, in any order; at the first error no further task is begun."""
        waiting = iter(tasks)
        running: set[Future] = set()
        try:
            while True:
                free = QUEUED * self.workers - len(running)
                running |= {self.executor.submit(function, task) for task in islice(waiting, free)}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()


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


def map_in_order(
    function: Callable[..., Result],
    rows: Sequence[tuple],
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
    chunk: int = 8,
) -> list[Result]:
    """Apply a function to the arguments of every row on processes of this machine; results in the order of the rows.

    Parameters
    ----------
    function
        Of a module, so that another process can find it.
    rows
        Its arguments, once for each result.
    workers
        Processes; with 1, or hardly any rows, all is done in this one.
    progress
        Called with the number of rows done since the last call.
    chunk
        Rows that one task takes.
    """
    tell = progress or (lambda _: None)
    tasks = [(function, start, rows[start : start + chunk]) for start in range(0, len(rows), chunk)]
    results: dict[int, Result] = {}
    with open_pool("local", workers if len(rows) >= 2 * workers else 1) as pool:
        for start, done in cast("Pool", pool).run(_apply, tasks):
            results |= dict(enumerate(done, start))
            tell(len(done))
    return [results[k] for k in range(len(rows))]


def _apply(task: tuple[Callable[..., Result], int, Sequence[tuple]]) -> tuple[int, list[Result]]:
    """Do the rows of one task."""
    function, start, rows = task
    return start, [function(*row) for row in rows]


@contextmanager
def open_pool(kind: Kind = "local", workers: int = 1) -> Iterator[Pool | None]:
    """Open a pool of workers.

    Parameters
    ----------
    kind
        `local`: processes of this machine. `mpi`: the ranks that `mpiexec` started; rank 0 hands
        out the tasks and the others work.
    workers
        Processes of a local pool; with 1 the tasks run in this one. The number of ranks under MPI.

    Yields
    ------
    The pool; None on the ranks of an MPI job that have worked for it, once it is over.
    """
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
        yield Pool(InProcess(), 1)
        return
    # Fresh processes: forking one that runs threads can deadlock.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin) as executor:
        yield Pool(executor, workers)


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
