import os
import threading
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from xtalcodec.parallel import QUEUED, InProcess, Pool, WorkersLostError, map_in_order, open_pool


def square(x):
    return x * x


def process(_):
    return os.getpid()


def fail_at_three(x):
    if x == 3:
        raise ValueError("three")
    return x


class Broken(InProcess):
    """Takes one task; then its workers are gone."""

    def __init__(self):
        self.left = 1

    def submit(self, fn, /, *args, **kwargs):
        if not self.left:
            raise BrokenProcessPool("gone")
        self.left -= 1
        return super().submit(fn, *args, **kwargs)


def test_workers_that_are_gone_when_a_task_is_handed_out_are_told():
    with pytest.raises(WorkersLostError, match="a worker died"):
        list(Pool(Broken(), 1).run(square, range(5)))


def test_dask_without_a_scheduler_and_a_scheduler_without_dask_are_refused():
    for kind, scheduler in (("dask", None), ("local", "tcp://here:1")):
        with pytest.raises(ValueError, match="needs the address of a scheduler"), open_pool(kind, 1, scheduler):
            pass


def test_every_result_comes_once():
    with open_pool("local", 1) as pool:
        assert sorted(pool.run(square, range(50))) == [x * x for x in range(50)]


def test_no_task_no_result():
    with open_pool() as pool:
        assert list(pool.run(square, [])) == []


def test_local_workers_are_other_processes_and_the_error_of_one_is_raised():
    with open_pool("local", 2) as pool:
        assert os.getpid() not in set(pool.run(process, range(4)))
        with pytest.raises(ValueError, match="three"):
            list(pool.run(fail_at_three, range(10)))


def test_after_an_error_no_task_is_begun():
    begun = []

    def task(x):
        begun.append(x)
        return fail_at_three(x)

    with open_pool() as pool, pytest.raises(ValueError, match="three"):
        list(pool.run(task, range(1, 1000)))
    assert begun == [1, 2, 3]


def test_tasks_are_taken_only_as_workers_get_free():
    taken, running = 0, threading.Semaphore(0)

    def tasks():
        nonlocal taken
        for k in range(100):
            taken += 1
            yield k

    pool = Pool(InProcess(), 3)
    results = pool.run(square, tasks())
    next(results)
    running.release()
    assert taken <= QUEUED * 3


def name_process(x, y):
    """The arguments, and who worked on them; the first row takes longest."""
    time.sleep(0.2 * (x == 0))
    return x, y, os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_their_rows(workers):
    rows, done = [(k, str(k)) for k in range(11)], []
    with open_pool(workers=workers) as pool:
        results = map_in_order(name_process, rows, pool, done.append, chunk=2)
    assert [(x, y) for x, y, _ in results] == rows
    assert sum(done) == 11
    assert max(done) <= 2
    assert (os.getpid() in {pid for _, _, pid in results}) == (workers == 1)


def test_without_a_pool_all_is_done_here():
    assert {pid for _, _, pid in map_in_order(name_process, [(1, ""), (2, ""), (3, "")])} == {os.getpid()}
    assert map_in_order(square, []) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_the_error_of_a_row_is_raised(workers):
    with open_pool(workers=workers) as pool, pytest.raises(ValueError, match="three"):
        map_in_order(fail_at_three, [(k,) for k in range(10)], pool)
