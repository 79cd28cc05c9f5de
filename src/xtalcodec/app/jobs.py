"""Long work, away from the page: worker processes behind a queue of bounded length; any job can be cancelled.

A worker is a process that holds the codec. It is told a task, tells of its progress, of parts as they come, and of the
end. A job that is cancelled while it runs ends with its worker, and a new worker takes its place.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec

MOST_WAITING = 16
"""Jobs that wait, of all readers together; further ones are refused."""

Tell = Callable[[int, int], None]
"""Called with how much is done, and of how much."""
Part = Callable[[Any], None]
"""Called with a part of the result."""

log = logging.getLogger(__name__)


@runtime_checkable
class Task(Protocol):
    """What a worker does; tasks and what they return can be sent between processes."""

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> Any:
        """Do it."""
        ...


class BusyError(RuntimeError):
    """Too many jobs wait."""


@dataclass(frozen=True, slots=True)
class News:
    """What a job tells."""

    kind: Literal["waiting", "begun", "progress", "part", "done", "failed", "cancelled"]
    value: Any = None
    """Place in the queue; (done, total); a part; the result; a sentence that says what went wrong."""

    @property
    def last(self) -> bool:
        """Whether nothing follows."""
        return self.kind in ("done", "failed", "cancelled")


@dataclass(eq=False)
class Job:
    """A task on its way; whoever asked for it reads its news."""

    task: Task
    end: Callable[["Job"], None]
    inbox: asyncio.Queue[News] = field(default_factory=asyncio.Queue)
    over: bool = False

    def tell(self, news: News) -> None:
        """Put news where its reader finds them; nothing after the last."""
        if not self.over:
            self.over = news.last
            self.inbox.put_nowait(news)

    def cancel(self) -> None:
        """End it, wherever it is."""
        if not self.over:
            self.tell(News("cancelled"))
            self.end(self)

    async def news(self) -> AsyncIterator[News]:
        """Yield what it tells, to the last."""
        while True:
            news = await self.inbox.get()
            yield news
            if news.last:
                return


class Workers:
    """Worker processes and the queue before them."""

    def __init__(self, codec: str, count: int = 1, most_waiting: int = MOST_WAITING) -> None:
        """Take settings; `start` begins.

        Parameters
        ----------
        codec
            Its name or folder.
        count
            Worker processes.
        most_waiting
            Jobs that may wait.
        """
        self.codec, self.count, self.most_waiting = codec, count, most_waiting
        self.waiting: deque[Job] = deque()
        self._running: dict[Job, _Worker] = {}
        self._ready = asyncio.Event()
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="news")
        self._loops: list[asyncio.Task] = []

    def start(self) -> None:
        """Start the workers, in the running event loop."""
        self._loops = [asyncio.create_task(self._serve()) for _ in range(self.count)]

    async def stop(self) -> None:
        """End all work."""
        for job in [*self.waiting, *self._running]:
            job.cancel()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def submit(self, task: Task) -> Job:
        """Put a task in the queue.

        Raises
        ------
        BusyError
            The queue is full.
        """
        if len(self.waiting) >= self.most_waiting:
            raise BusyError(f"{len(self.waiting)} others are waiting already: please try again in a minute.")
        job = Job(task, self._end)
        self.waiting.append(job)
        job.tell(News("waiting", len(self.waiting)))
        self._ready.set()
        return job

    def _end(self, job: Job) -> None:
        """Take a cancelled job out of the queue, or end the worker that has it."""
        if job in self.waiting:
            self.waiting.remove(job)
            self._tell_places()
        elif job in self._running:
            self._running[job].kill()

    def _tell_places(self) -> None:
        for place, job in enumerate(self.waiting, start=1):
            job.tell(News("waiting", place))

    async def _serve(self) -> None:
        """Work for ever: one worker, one job at a time."""
        worker = _Worker(self.codec)
        try:
            while True:
                while not self.waiting:
                    self._ready.clear()
                    await self._ready.wait()
                job = self.waiting.popleft()
                self._tell_places()
                self._running[job] = worker
                job.tell(News("begun"))
                try:
                    alive = await worker.do(job, self._threads)
                finally:
                    del self._running[job]
                if not alive:
                    worker.kill()
                    worker = _Worker(self.codec)
        finally:
            worker.kill()


class _Worker:
    """One process."""

    def __init__(self, codec: str) -> None:
        context = get_context("spawn")  # forking a server that runs threads can deadlock
        self.here, there = context.Pipe()
        self.process = context.Process(target=_work, args=(there, codec), daemon=True)
        self.process.start()
        there.close()

    async def do(self, job: Job, threads: ThreadPoolExecutor) -> bool:
        """Have a job done; tell whether the worker is there for more."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(threads, self.here.send, job.task)  # a large one waits for its reader
            while True:
                news: News = await loop.run_in_executor(threads, self.here.recv)
                job.tell(news)
                if news.last:
                    return self.process.is_alive()
        except (EOFError, OSError):
            job.tell(News("failed", "The work ended too early: there may not be enough memory for it."))
            return False

    def kill(self) -> None:
        """End the process."""
        with contextlib.suppress(ValueError):
            self.process.kill()


def _work(channel: "connection.Connection", name: str) -> None:
    """Be a worker: load the codec once, do task after task, end when the server does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends its workers itself
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))
    from xtalcodec.codecs.base import Codec

    codec = Codec.from_pretrained(name)
    import_all()
    with contextlib.suppress(EOFError, OSError):
        while True:
            task = channel.recv()
            channel.send(_outcome(task, codec, channel))


def import_all() -> None:
    """Import what the tasks use, before the first reader waits for it."""
    import xtalcodec.evaluation.generation
    import xtalcodec.evaluation.reconstruction
    import xtalcodec.io.read
    import xtalcodec.latent_space.complete
    import xtalcodec.latent_space.interpolate
    import xtalcodec.latent_space.sample
    import xtalcodec.priors.gaussian
    import xtalcodec.viz.crystal_map  # noqa: F401


def _outcome(task: Task, codec: "Codec", channel: "connection.Connection") -> News:
    """Do one task; what the reader can mend is told in a sentence."""
    try:
        result = task(
            codec,
            lambda done, total: channel.send(News("progress", (done, total))),
            lambda value: channel.send(News("part", value)),
        )
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return News("failed", sentence(str(error)))
    except Exception:
        log.exception("a task failed")
        return News("failed", "The program itself has failed here; whoever runs it finds the reason in its log.")
    return News("done", result)


def sentence(text: str) -> str:
    """Make a message a sentence."""
    text = " ".join(text.split())
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
