"""Products of small matrices by NumPy and SciPy, on one thread."""

from contextlib import ContextDecorator
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> "_Limit":
    """Keep BLAS of this process to one thread: for a block, or as a decorator; from several threads at a time, too.

    A second one gains nothing where matrices have a few hundred rows, and waiting for one that other work keeps from
    running takes thirty times as long as the product.
    """
    return _LIMIT


class _Limit(ContextDecorator):
    """A limit that the first block to begin sets, and the last to end lifts."""

    def __init__(self) -> None:
        self.lock, self.blocks = Lock(), 0

    def __enter__(self) -> None:
        with self.lock:
            if not self.blocks:
                self.limit = _libraries().limit(limits=1, user_api="blas")
            self.blocks += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.blocks -= 1
            if not self.blocks:
                self.limit.restore_original_limits()


_LIMIT = _Limit()


@cache
def _libraries() -> ThreadpoolController:
    """Those that are loaded."""
    return ThreadpoolController()
