"""What workers do for the map: vectors of many crystals, and their layout."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtalcodec.app.jobs import Part, Tell
from xtalcodec.crystal import Crystal
from xtalcodec.embedding.embedding import Of
from xtalcodec.latent_space.map import Method

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec

WITH_SYMMETRY = 500
"""Crystals, at most, of which symmetry is found to colour them by: it takes some milliseconds for each."""


@dataclass(frozen=True, slots=True)
class Map:
    """Lay crystals out by their vectors."""

    crystals: Sequence[Crystal]
    of: Of = "crystal"
    method: Method = "pca"
    seed: int = 0

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:  # noqa: ARG002
        """Return the map, and which crystals have no place on it."""
        from xtalcodec.crystal import CrystalError
        from xtalcodec.datasets.columns import Entry
        from xtalcodec.viz.crystal_map import crystal_map

        embedding = codec.embedding
        known, without = [], []
        for crystal in self.crystals:
            try:
                embedding.check(crystal, self.of)
                known.append(crystal)
            except CrystalError as error:
                without.append((crystal.name, str(error)))
        if not known:
            raise ValueError("there is no crystal to draw: " + "; ".join(f"{name}: {why}" for name, why in without[:3]))
        done = 0

        def advance(more: int) -> None:
            nonlocal done
            done += more
            tell(done, len(known))

        tell(0, len(known))
        vectors = [embedding.vectors(known[k : k + 16], self.of, advance) for k in range(0, len(known), 16)]
        drawn = crystal_map(
            [Entry.of(crystal) for crystal in known],
            np.concatenate(vectors),
            of=self.of,
            method=self.method,
            seed=self.seed,
            symmetry=len(known) <= WITH_SYMMETRY,
        )
        return {"map": drawn, "without": without}
