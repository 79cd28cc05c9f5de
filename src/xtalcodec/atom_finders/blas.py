"""Products of small matrices by NumPy and SciPy, on one thread."""

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager:
    """Keep BLAS of this process to one thread.

    A second one gains nothing where matrices have a few hundred rows, and waiting for one that other work keeps from
    running takes thirty times as long as the product.
    """
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> ThreadpoolController:
    """Those that are loaded."""
    return ThreadpoolController()
