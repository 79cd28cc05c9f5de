"""Approximate search of large indices: usearch's graph of near vectors (HNSW, Malkov and Yashunin 2018).

usearch trusts the file of a graph: one that somebody made up could make it read any memory, and a search of a damaged
one did not end. So no graph is part of an index, which may be from anywhere. It is made of the vectors of an index on
this machine, and kept in its cache with the folder, sizes and times of the files that they were in; when these change
it is made again.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.io.atomic import atomic_folder, settle
from xtalcodec.io.cache import cache

GRAPH, ABOUT = "graph.usearch", "graph.json"
BLOCK = 16_384
"""Vectors that are added at a time."""
LINKS, LOOKED_AT_ADDING, LOOKED_AT = 16, 128, 256
"""Neighbours of a vector, and how many vectors are looked at to add one and to find some."""


class GraphError(ValueError):
    """A graph of this machine's cache that cannot be read: the message says which."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph of the vectors of an index."""

    compiled: Any
    """usearch's index; its keys are places in the index."""

    def near(self, vector: Float[np.ndarray, " size"], n: int) -> Int[np.ndarray, " found"]:
        """Return the places of about so many vectors that are most like one."""
        found: Int[np.ndarray, " found"] = self.compiled.search(vector, n).keys.astype(np.int64)
        return found


def make(
    files: Sequence[Path], vectors: Sequence[Float[np.ndarray, "_ size"]], progress: Callable[[int], None]
) -> None:
    """Make the graph of the vectors of some files, unless it is there.

    Parameters
    ----------
    files
        Where the vectors are.
    vectors
        Of each file; NaN where there is none.
    progress
        Called with the number of vectors done since the last call.

    Raises
    ------
    ModuleNotFoundError
        usearch is not installed.
    """
    size = vectors[0].shape[1]
    if opened(files, size) is not None:
        return
    compiled, start = _empty(size), 0
    for table in vectors:
        for row in range(0, len(table), BLOCK):
            block = np.array(table[row : row + BLOCK])
            there = np.flatnonzero(np.isfinite(block).all(1))
            compiled.add(start + row + there, block[there])
            progress(len(block))
        start += len(table)
    with atomic_folder(_folder(files)) as temporary:
        compiled.save(str(temporary / GRAPH))
        (temporary / ABOUT).write_text(json.dumps(_state(files)) + "\n")


def opened(files: Sequence[Path], size: int) -> Graph | None:
    """Return the graph of the vectors of some files; None where none was made of them as they are now.

    Parameters
    ----------
    files
        Where the vectors are.
    size
        Of a vector.

    Raises
    ------
    ModuleNotFoundError
        There is one, and usearch is not installed.
    GraphError
        Its file is broken.
    """
    folder = _folder(files)
    if folder.is_dir():
        settle(folder)
    try:
        same = (folder / ABOUT).is_file() and json.loads((folder / ABOUT).read_text()) == _state(files)
    except ValueError as error:
        raise GraphError(f"{folder / ABOUT} cannot be read: {error}; remove {folder}") from error
    if not same:
        return None
    compiled = _empty(size)
    try:
        compiled.load(str(folder / GRAPH))
    except RuntimeError as error:
        raise GraphError(f"{folder / GRAPH} cannot be read: {error}; remove {folder}") from error
    return Graph(compiled)


def _empty(size: int) -> Any:
    from usearch.index import Index

    looks: dict[str, Any] = {
        "connectivity": LINKS,
        "expansion_add": LOOKED_AT_ADDING,
        "expansion_search": LOOKED_AT,
    }
    return Index(ndim=size, metric="ip", dtype="f16", **looks)


def _folder(files: Sequence[Path]) -> Path:
    """Place of the graph, by the folder and the kind of the first file: that of more files takes its place."""
    name = str(files[0].parent.parent.resolve() / files[0].name)
    return cache() / "graphs" / hashlib.sha256(name.encode()).hexdigest()[:16]


def _state(files: Sequence[Path]) -> list[list[str | int]]:
    """What the files are now."""
    stats = [path.resolve().stat() for path in files]
    return [[str(path.resolve()), stat.st_size, stat.st_mtime_ns] for path, stat in zip(files, stats, strict=True)]
