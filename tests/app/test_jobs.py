"""The queue is bounded, tells places, and forgets what is cancelled."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from xtalcodec.app.jobs import BusyError, News, Workers, sentence


def nothing(codec, tell, part):
    """A task."""


def told(job):
    return [job.inbox.get_nowait() for _ in range(job.inbox.qsize())]


def alone(work):
    """Run in a loop of its own, whatever loop this thread may be in."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def test_the_queue_is_bounded_and_cancelled_jobs_leave_it():
    async def ask():
        workers = Workers("mp", most_waiting=2)
        first, second = workers.submit(nothing), workers.submit(nothing)
        with pytest.raises(BusyError, match="2 others are waiting"):
            workers.submit(nothing)
        first.cancel()
        assert told(first)[-1] == News("cancelled")
        assert told(second)[-1] == News("waiting", 1)
        workers.submit(nothing)

    alone(ask())


def test_nothing_follows_the_last_news():
    async def ask():
        job = Workers("mp").submit(nothing)
        job.cancel()
        job.tell(News("progress", (1, 2)))
        return [news.kind async for news in job.news()]

    assert alone(ask()) == ["waiting", "cancelled"]


def test_messages_are_sentences():
    assert sentence("its cell is\n impossible") == "Its cell is impossible."
    assert sentence("Why?") == "Why?"
