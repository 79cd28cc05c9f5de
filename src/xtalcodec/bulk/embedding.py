"""Crystals to the vectors of an index, part by part."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.bulk.coding import CodecName, notes_of
from xtalcodec.bulk.convert import usable
from xtalcodec.bulk.run import Done
from xtalcodec.bulk.shards import Shards
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.embedding.embedding import KINDS
from xtalcodec.io.read import Unusable
from xtalcodec.latent_space.index import gather
from xtalcodec.networks.threads import one_thread

CHUNK = 1000
"""Crystals of one task."""


@dataclass(frozen=True, slots=True)
class Embed:
    """Crystals to their names, formulas and vectors; NaN is the vector of one with an element that was never seen."""

    codec: CodecName
    embedding: str
    """Identity of the codec's embedding, as it must be on every worker."""

    def settings(self) -> dict[str, Any]:
        """Return everything that shapes the result."""
        return {"verb": "index", **self.codec.settings(), "embedding": self.embedding}

    def __call__(self, items: Iterator[Crystal | Unusable]) -> Done:
        """Embed them."""
        import pyarrow as pa

        embedding = self.codec.open().embedding
        if embedding.identity != self.embedding:
            raise ValueError(f"the embedding is {embedding.identity} on this worker, not {self.embedding}")
        unusable: list[Unusable] = []
        held = list(usable(items, unusable))
        notes = [note for crystal in held for note in notes_of(crystal)]
        known = []
        for crystal in held:
            try:
                embedding.check(crystal)
                known.append(True)
            except CrystalError as error:
                known.append(False)
                notes.append(f"{crystal.name}: found by its structure alone: {error}")
        columns: dict[str, pa.Array] = {
            "material_id": pa.array([crystal.name for crystal in held], pa.string()),
            "formula": pa.array([crystal.formula for crystal in held], pa.string()),
            "sites": pa.array([len(crystal) for crystal in held], pa.int64()),
        }
        vectors = {of: np.full((len(held), embedding.size), np.nan, dtype=np.float32) for of in KINDS}
        with one_thread():
            vectors["structure"][:] = embedding.vectors(held, "structure")
            vectors["crystal"][known] = embedding.vectors([one for one, ok in zip(held, known, strict=True) if ok])
        for of, table in vectors.items():
            flat = pa.array(table.reshape(-1), pa.float32())
            columns[of] = pa.FixedSizeListArray.from_arrays(flat, embedding.size)
        return Done(pa.table(columns), unusable, notes)


def part_of(folder: Path, words: Sequence[str], chunk: int) -> Path:
    """Return the folder within an index for the crystals of some inputs: the same for the same words.

    Parameters
    ----------
    folder
        Of the index.
    words
        Inputs: paths, and names of sources.
    chunk
        Crystals of a shard.
    """
    text = json.dumps([*(_place(word) for word in words), chunk])
    return folder / hashlib.sha256(text.encode()).hexdigest()[:12]


def _place(word: str) -> str:
    """A path as it is called from everywhere; the name of a source as it is."""
    return str(Path(word).absolute()) if Path(word).exists() else word


def finish(shards: Shards, size: int) -> int:
    """Make the files of vectors that are searched, and return how many crystals they are of."""
    rows = shards.totals["rows"]
    gather(shards.folder, iter(shards), rows, size, KINDS)
    return rows
