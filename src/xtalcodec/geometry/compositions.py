"""Compositions of crystals, to tell which can be the same."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from xtalcodec.crystal import Crystal

Composition = tuple[tuple[int, float], ...]
"""Atomic numbers, ascending, each with its share of all atoms."""


def composition(crystal: Crystal) -> Composition:
    """Share of every element: the same for all cells of a crystal, and for all crystals of its composition."""
    content = crystal.content[1:]
    elements = np.flatnonzero(content)
    shares = (content[elements] / content.sum()).round(4)
    return tuple(zip((elements + 1).tolist(), shares.tolist(), strict=True))


def of_one_composition(crystals: Sequence[Crystal]) -> dict[Composition, list[int]]:
    """Places of the crystals of each composition."""
    groups: dict[Composition, list[int]] = defaultdict(list)
    for k, crystal in enumerate(crystals):
        groups[composition(crystal)].append(k)
    return groups
