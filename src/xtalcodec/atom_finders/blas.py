"""Products of small matrices by NumPy and SciPy, on one thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from threadpoolctl import ThreadpoolController


class _Limit:
    """One limit for all threads that are inside: the first sets it, the last takes it back."""

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.set: Any = None

    @cached_property
    def libraries(self) -> ThreadpoolController:
        """Those that are loaded."""
        return ThreadpoolController()

    def enter(self) -> None:
        """One more is inside."""
        with self.lock:
            if not self.inside:
                self.set = self.libraries.limit(limits=1, user_api="blas")
            self.inside += 1

    def leave(self) -> None:
        """One fewer."""
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.set.restore_original_limits()


_limit = _Limit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS of this process to one thread.

    A second one gains nothing where matrices have a few hundred rows, and waiting for one that other work keeps from
    running takes thirty times as long as the product.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()
