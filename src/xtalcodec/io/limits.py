"""Limits that hold for every format, and a few of many where no more are wanted."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

MAX_SITES = 5000
"""Sites in one crystal; a larger one is refused, because it was hardly meant for a codec of unit cells."""
MAX_BYTES = 1 << 29
"""Bytes of one file after decompression: a guard against archives that unpack without end."""
MAX_MEMBERS = 1_000_000
"""Members of one archive."""


def evenly(items: Sequence[Item], limit: int | None) -> list[Item]:
    """Return so many items, evenly spread over all; all of them without a limit."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[k * len(items) // limit] for k in range(limit)]


def first_reasons(left_out: Sequence[tuple[str, str]]) -> str:
    """Return a line for each of the first ten things that were left out, its name and why, to go below a message."""
    return "".join(f"\n  {name}: {reason}" for name, reason in left_out[:10])
