"""Compositions of crystals, to tell which can be the same."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from xtalcodec.crystal import Crystal

Composition = tuple[tuple[int, float], ...]
"""Atomic numbers, ascending, each with its share of all atoms."""


def composition(crystal: Crystal) -> Composition:
    """Share of every element: the same for all cells of a crystal, and for all crystals of its composition."""
    if crystal.is_ordered:
        content: Mapping[int, float] = Counter(crystal.numbers.tolist())
    else:
        content = {z: atoms for z, atoms in enumerate(crystal.content.tolist()) if z and atoms}
    total = sum(content.values())
    return tuple((z, round(content[z] / total, 4)) for z in sorted(content))


def of_one_composition(crystals: Sequence[Crystal]) -> dict[Composition, list[int]]:
    """Places of the crystals of each composition."""
    groups: dict[Composition, list[int]] = defaultdict(list)
    for k, crystal in enumerate(crystals):
        groups[composition(crystal)].append(k)
    return groups
