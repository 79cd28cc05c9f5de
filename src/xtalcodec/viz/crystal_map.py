"""A map of crystals: their vectors in a plane, what is known of each, and which are most alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.datasets.columns import Column, Entry, available, column
from xtalcodec.embedding.embedding import Of
from xtalcodec.latent_space.map import Layout, Method, lay_out, most_alike

ALIKE = 5
"""Crystals that are named as the most alike to each."""


@dataclass(frozen=True, slots=True, eq=False)
class CrystalMap:
    """Everything that a picture of the map shows."""

    entries: tuple[Entry, ...]
    layout: Layout
    columns: tuple[Column, ...]
    """What points can be coloured by, the first at first."""
    alike: Int[np.ndarray, "n k"]
    """For each crystal the others that are most alike, the likest first."""
    likeness: Float[np.ndarray, "n k"]
    """Scalar products of their vectors with its own."""
    of: Of
    """What the vectors are of."""


def crystal_map(
    entries: Sequence[Entry],
    vectors: Float[np.ndarray, "n size"],
    colours: Sequence[str] = (),
    *,
    of: Of = "crystal",
    method: Method = "pca",
    seed: int = 0,
    others: bool = True,
    symmetry: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> CrystalMap:
    """Lay crystals out in a plane.

    Parameters
    ----------
    entries
        What is known of each; `Entry.of` takes a crystal.
    vectors
        Of the same crystals, as `Codec.embed` returns them.
    colours
        Names of columns, the first to be shown first; see `datasets.columns`.
    of
        What the vectors are of.
    method, seed
        Of the layout; see `latent_space.map.lay_out`.
    others
        Whether the map can be coloured by everything else that is known, too.
    symmetry
        Whether symmetry is among these, which takes some milliseconds for each crystal.
    told
        Called with what is being done.

    Raises
    ------
    ValueError
        No crystal, a column that the data does not have, a layout that there is not.
    """
    if len(entries) != len(vectors):
        raise ValueError(f"{len(vectors)} vectors for {len(entries)} crystals")
    more = available(entries, symmetry=symmetry) if others else []
    told("columns")
    columns = tuple(column(entries, name) for name in dict.fromkeys([*colours, *more]))
    told("layout")
    layout = lay_out(vectors, method, seed)
    told("neighbours")
    alike, likeness = most_alike(vectors, ALIKE)
    return CrystalMap(tuple(entries), layout, columns, alike, likeness, of)
