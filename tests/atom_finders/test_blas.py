import threading

import numpy as np
from threadpoolctl import threadpool_info

from xtalcodec.atom_finders.blas import one_blas_thread


def threads():
    """Of every BLAS that is loaded."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


def test_one_thread_until_the_last_leaves():
    before = threads()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with one_blas_thread():
            inside.set()
            leave.wait()

    with one_blas_thread():
        beside = threading.Thread(target=other)
        beside.start()
        inside.wait()
        assert set(threads()) == {1}
    assert set(threads()) == {1}, "the other is still inside"
    leave.set()
    beside.join()
    assert threads() == before
