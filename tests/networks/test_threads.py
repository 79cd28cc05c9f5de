"""Threads of networks: what each is told to use, and what is left as it was."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from xtalcodec.networks.threads import one_thread, side_by_side


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def fail_on_one_thread():
    with one_thread():
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError


@pytest.mark.usefixtures("two_threads")
def test_one_thread_is_for_a_while_even_after_an_error():
    with pytest.raises(ZeroDivisionError):
        fail_on_one_thread()
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_items_run_side_by_side_each_on_one_thread_and_come_back_in_order():
    meet = threading.Barrier(2, timeout=20)  # breaks where one waits for the other's end

    def task(item):
        meet.wait()
        return item, torch.get_num_threads(), torch.is_grad_enabled()

    found = list(side_by_side(task, [3, 1, 2, 0], torch.device("cpu")))
    assert found == [(3, 1, False), (1, 1, False), (2, 1, False), (0, 1, False)]
    assert torch.get_num_threads() == 2, "the caller's threads are as they were"


def threads_of_a_new_thread():
    """What a thread that begins now computes on."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


@pytest.mark.usefixtures("two_threads")
def test_threads_that_begin_later_compute_as_before():
    assert threads_of_a_new_thread() == 2
    assert list(side_by_side(int, [1, 2, 3], torch.device("cpu"))) == [1, 2, 3]
    assert threads_of_a_new_thread() == 2
    with pytest.raises(ValueError, match="two"):
        list(side_by_side(int, [1, "two"], torch.device("cpu")))
    assert threads_of_a_new_thread() == 2


def test_on_one_thread_all_is_done_by_the_caller():
    with one_thread():
        here = threading.get_ident()
        assert list(side_by_side(lambda _: threading.get_ident(), range(3), torch.device("cpu"))) == [here] * 3


@pytest.mark.usefixtures("two_threads")
def test_an_error_of_one_item_is_the_callers():
    with pytest.raises(ValueError, match="two"):
        list(side_by_side(lambda item: int("two") if item == 2 else item, [1, 2, 3], torch.device("cpu")))
