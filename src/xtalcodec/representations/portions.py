"""What goes through a network at once: indices of crystals by their grids, and results back in their order."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from xtalcodec.representations.base import Patches

T = TypeVar("T")

BATCH_PATCHES = 4096
"""Patches that go through a network at once: large enough for the processor, small enough for memory."""


def grouped(shapes: Sequence[Patches]) -> Iterator[tuple[Patches, list[int]]]:
    """Group indices by grid, at most `BATCH_PATCHES` patches at a time."""
    groups: dict[Patches, list[int]] = {}
    for k, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(k)
    for shape, indices in groups.items():
        size = max(1, BATCH_PATCHES // math.prod(shape))
        for start in range(0, len(indices), size):
            yield shape, indices[start : start + size]


def in_order(
    parts: Sequence[Sequence[int]], results: Iterable[Sequence[T]], progress: Callable[[int], None] | None = None
) -> list[T]:
    """Results of parts, as `grouped` or `shared_out` make them, in the order of what was parted.

    Parameters
    ----------
    parts
        Indices in each.
    results
        Of each part, one for each index.
    progress
        Called with the number of results that came since the last call.
    """
    found: dict[int, T] = {}
    for rows, own in zip(parts, results, strict=True):
        found |= dict(zip(rows, own, strict=True))
        if progress:
            progress(len(rows))
    return [found[k] for k in range(len(found))]


def shared_out(shapes: Sequence[Patches], parts: int = 1) -> Iterator[list[int]]:
    """Indices of what goes through a network at once: of `BATCH_PATCHES` patches on any grids, equal ones together.

    The largest come first, so that of what runs side by side nothing waits long for the last.

    Parameters
    ----------
    shapes
        Patches of each.
    parts
        So many or more, of about as many patches, where there are as many shapes.
    """
    left = sum(map(math.prod, shapes))
    part: list[int] = []
    most = room = min(BATCH_PATCHES, math.ceil(left / parts))
    for k in sorted(range(len(shapes)), key=lambda k: (-math.prod(shapes[k]), shapes[k])):
        size = math.prod(shapes[k])
        if part and size > room:
            yield part
            left, parts = left - (most - room), max(1, parts - 1)
            part, most = [], min(BATCH_PATCHES, math.ceil(left / parts))
            room = most
        part.append(k)
        room -= size
    if part:
        yield part
