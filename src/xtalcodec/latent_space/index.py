"""An index of crystals: their vectors on disk, mapped into memory, searched by a matrix product, or a graph of many.

The folder has `index.json`, which says whose vectors they are, and a folder for each time that crystals were added:
shards of a table with names, formulas and crystals, and for each kind of vector one file of all of them.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from xtalcodec.embedding.embedding import KINDS, Of
from xtalcodec.io.atomic import atomic
from xtalcodec.io.ended import RECORD, check_ended
from xtalcodec.latent_space.graph import Graph, make, opened

ABOUT = "index.json"
FORMAT = "xtalcodec-index-1"

BLOCK = 65_536
"""Vectors that are multiplied at a time."""


LARGE = 200_000
"""Crystals of an index from which a graph is made: fewer are searched exactly."""

MORE = 4
"""So many times the crystals that are asked for are taken from a graph, and put in order by their exact likeness."""


class IndexFolderError(ValueError):
    """A folder that is no index, is not whole, or is of another embedding: the message says which."""


@dataclass(frozen=True, slots=True)
class Found:
    """A crystal of an index that is like another."""

    likeness: float
    """Scalar product of the two vectors: 1 for the same."""
    name: str
    formula: str
    sites: int


class IndexPart:
    """What was added to an index at one time."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of the shards."""
        self.folder = folder

    def vectors(self, of: Of) -> Float[np.ndarray, "n size"]:
        """Map the vectors of all crystals into memory."""
        path = self.folder / f"{of}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise IndexFolderError(
                f"{self.folder} is not whole: {error}; type the command that fills it again"
            ) from error

    @cached_property
    def rows(self) -> Any:
        """Names, formulas and numbers of sites, as a table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        check_ended(self.folder)
        files = sorted(self.folder.glob("part-*.parquet"))
        return pa.concat_tables(
            pq.read_table(file, columns=["material_id", "formula", "sites"], partitioning=None) for file in files
        )


class Index:
    """Crystals of an index, to search."""

    def __init__(self, folder: Path, identity: str) -> None:
        """Open an index.

        Parameters
        ----------
        folder
            As `begin` made it.
        identity
            Of the embedding that queries are made with.

        Raises
        ------
        IndexFolderError
            No index, one of another embedding, or one that holds no crystal.
        """
        self.folder = folder
        check_identity(folder, identity)
        self.parts = [IndexPart(path.parent) for path in sorted(folder.glob(f"*/{RECORD}"))]
        self._graphs: dict[Of, Graph | None] = {}
        if not len(self):
            raise IndexFolderError(f"{folder} holds no crystal")

    def __len__(self) -> int:
        """Return the number of crystals."""
        return sum(len(part.rows) for part in self.parts)

    @property
    def large(self) -> bool:
        """Whether there are so many crystals that a graph is made of them."""
        return len(self) >= LARGE

    def nearest(
        self, vector: Float[np.ndarray, " size"], n: int, of: Of = "crystal", formula: str | None = None
    ) -> list[Found]:
        """Return the crystals that are most alike, the likest first.

        Parameters
        ----------
        vector
            Of length 1.
        n
            How many, at most.
        of
            What the vector is of.
        formula
            Only crystals of this reduced formula.
        """
        if formula is None and (graph := self.graph(of)):
            few = np.sort(graph.near(vector, MORE * n))
            few = few[few < len(self)]
            scores = self._vectors(of, few) @ vector
            order = np.argsort(-scores, kind="stable")[:n]
            return [self._row(int(few[k]), float(scores[k])) for k in order]
        scores = np.concatenate([_scores(part.vectors(of), vector) for part in self.parts])
        scores = np.where(np.isnan(scores), -np.inf, scores)  # of crystals with elements that were never seen
        if formula is not None:
            scores = np.where(self._has(formula), scores, -np.inf)
        few = np.argpartition(-scores, min(n, len(scores)) - 1)[:n] if len(scores) > n else np.arange(len(scores))
        order = few[np.lexsort((few, -scores[few]))]
        return [self._row(int(k), float(scores[k])) for k in order if np.isfinite(scores[k])]

    def graph(self, of: Of) -> Graph | None:
        """Return the graph that this machine has made of many vectors; None where it has none of them as they are.

        Raises
        ------
        ModuleNotFoundError
            There is one, and usearch is not installed.
        """
        if not self.large:
            return None
        if of not in self._graphs:
            self._graphs[of] = opened(self._files(of), self.parts[0].vectors(of).shape[1])
        return self._graphs[of]

    def make_graphs(self, progress: Callable[[str, int], Callable[[int], None]], kinds: Sequence[Of] = KINDS) -> None:
        """Make the graphs of many vectors that are not there yet.

        Parameters
        ----------
        progress
            Given what is done and how many times, returns what is called with how many are done.
        kinds
            What the vectors are of.

        Raises
        ------
        ModuleNotFoundError
            usearch is not installed.
        """
        for of in kinds if self.large else ():
            make(self._files(of), [part.vectors(of) for part in self.parts], progress(f"graph ({of})", len(self)))

    def _files(self, of: Of) -> list[Path]:
        return [part.folder / f"{of}.npy" for part in self.parts]

    def _vectors(self, of: Of, places: Int[np.ndarray, " some"]) -> Float[np.ndarray, "some size"]:
        """Rows of some places, ascending."""
        starts = np.cumsum([0, *(len(part.rows) for part in self.parts)])
        cuts = np.searchsorted(places, starts)
        rows = zip(self.parts, starts, cuts, cuts[1:], strict=False)
        return np.concatenate([part.vectors(of)[places[low:high] - start] for part, start, low, high in rows])

    def _has(self, formula: str) -> Bool[np.ndarray, " n"]:
        import pyarrow.compute as pc

        return np.concatenate([pc.equal(part.rows["formula"], formula).to_numpy() for part in self.parts])

    def _row(self, place: int, score: float) -> Found:
        for part in self.parts:
            if place < len(part.rows):
                row = part.rows.slice(place, 1).to_pylist()[0]
                return Found(score, row["material_id"], row["formula"], row["sites"])
            place -= len(part.rows)
        raise IndexError(place)


def _scores(vectors: Float[np.ndarray, "n size"], vector: Float[np.ndarray, " numbers"]) -> Float[np.ndarray, " n"]:
    if vectors.shape[1] != len(vector):
        raise IndexFolderError(f"its vectors have {vectors.shape[1]} numbers, not {len(vector)}")
    return np.concatenate([vectors[k : k + BLOCK] @ vector for k in range(0, max(len(vectors), 1), BLOCK)])


def is_index(folder: str | Path) -> bool:
    """Tell whether a folder is an index."""
    return (Path(folder) / ABOUT).is_file()


def identity_of(folder: str | Path) -> str:
    """Return the identity of the embedding whose vectors an index holds.

    Raises
    ------
    IndexFolderError
        No index.
    """
    try:
        about = json.loads((Path(folder) / ABOUT).read_text())
        if about["format"] != FORMAT:
            raise IndexFolderError(f"its format is {about['format']!r}, not {FORMAT!r}")
        return str(about["embedding"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise IndexFolderError(f"{folder} is no index that can be read: {error}") from error


def check_identity(folder: str | Path, identity: str) -> None:
    """Refuse an index of another codec, or of another embedding of the same.

    Raises
    ------
    IndexFolderError
        The message says whose it is.
    """
    if (theirs := identity_of(folder)) != identity:
        raise IndexFolderError(f"the index {folder} is of the embedding {theirs}, not of {identity}")


def begin(folder: str | Path, identity: str) -> None:
    """Make an empty index, or go on with one.

    Raises
    ------
    IndexFolderError
        The folder holds something else, or vectors of another embedding.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if is_index(folder):
        check_identity(folder, identity)
        return
    if any(not path.name.startswith(".") for path in folder.iterdir()):
        raise IndexFolderError(f"{folder} is not empty and holds no index: name another folder")
    with atomic(folder / ABOUT) as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, "embedding": identity}) + "\n")


def gather(folder: Path, tables: Iterator[Any], count: int, size: int, kinds: Sequence[Of]) -> None:
    """Write the vectors of all shards to one file for each kind, whole or not there.

    Parameters
    ----------
    folder
        Of the shards.
    tables
        The shards, in order; one is in memory at a time.
    count
        Rows of all of them.
    size
        Length of a vector.
    kinds
        Columns of the tables, and names of the files.
    """
    if all((folder / f"{of}.npy").is_file() for of in kinds):
        return
    from contextlib import ExitStack

    with ExitStack() as stack:
        paths = {of: stack.enter_context(atomic(folder / f"{of}.npy")) for of in kinds}
        for path in paths.values():
            path.unlink()
        shape = count, size
        arrays = {of: np.lib.format.open_memmap(path, "w+", np.float32, shape) for of, path in paths.items()}
        place = 0
        for table in tables:
            for of, array in arrays.items():
                flat = table[of].combine_chunks().flatten().to_numpy()
                array[place : place + len(table)] = flat.reshape(len(table), size)
            place += len(table)
        for array in arrays.values():
            array.flush()
