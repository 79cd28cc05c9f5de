"""Crystals that are the same by pymatgen's StructureMatcher, with its own tolerances.

Only crystals of one composition whose primitive cells have one number of sites can be the same. One after the other,
they are compared with those that stay, until one is the same: the matcher is not transitive, so this says exactly which
crystals stay when all pairs are compared and the first of each kind is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.reduced_cells import ReducedCell, reduced_cell, reduced_disordered
from xtalcodec.evaluation.sameness import Tolerances, may_be_same
from xtalcodec.evaluation.sameness import same as cells_same
from xtalcodec.geometry.compositions import of_one_composition
from xtalcodec.io.read import quiet
from xtalcodec.parallel import HERE, Pool, map_in_order


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A crystal that StructureMatcher finds the same as one that stays."""

    first: int
    """Place of the one that stays, or is of the other data set."""
    second: int
    """Place of the one that goes."""


@dataclass(frozen=True, slots=True)
class Kin:
    """Crystals that may be the same: of one composition, with primitive cells of one number of sites."""

    cells: list[ReducedCell | Crystal]
    """Of each, in their order; a reduced crystal where sites are shared."""
    places: list[int]
    """Of the crystals, in their data set."""
    given: int
    """So many of the first are of the other data set, and stay."""


def duplicates(
    crystals: Sequence[Crystal],
    others: Sequence[Crystal] | None = None,
    *,
    pool: Pool = HERE,
    progress: Callable[[str, int], Callable[[int], None]] = lambda _, __: lambda ___: None,
) -> list[Duplicate]:
    """Return the crystals that are the same as an earlier one that stays, or as one of another data set.

    Parameters
    ----------
    crystals
        Where duplicates are looked for.
    others
        What they are compared with; themselves if not given.
    pool
        Workers that compare.
    progress
        Given what is done and how many times, returns what is called with how many are done.
    """
    everything = [*(others or ()), *crystals]
    count = len(everything) - len(crystals)
    groups = {form: places for form, places in of_one_composition(everything).items() if _to_compare(places, count)}
    alone = [(everything[place],) for places in groups.values() for place in places]
    found = map_in_order(cell_of, alone, pool, progress("reducing", len(alone)), chunk=64)
    cells = dict(zip([place for places in groups.values() for place in places], found, strict=True))
    kin = [one for places in groups.values() for one in _kin(places, cells, count)]
    kin.sort(key=lambda one: -len(one.cells))  # the longest work first, for many workers
    pairs = map_in_order(_compare, [(one,) for one in kin], pool, progress("comparing", len(kin)), chunk=1)
    return sorted((pair for some in pairs for pair in some), key=lambda pair: pair.second)


def _to_compare(places: Sequence[int], count: int) -> bool:
    """Whether there is a crystal beside one that it is compared with; the first `count` are of the other data set."""
    return len(places) > 1 and places[-1] >= count and (count == 0 or places[0] < count)


def _kin(places: Sequence[int], cells: dict[int, ReducedCell | Crystal | None], count: int) -> Iterator[Kin]:
    """Split crystals of one composition by the number of sites of their primitive cells, and whether they are ordered.

    Parameters
    ----------
    places
        Of the crystals, among all.
    cells
        Of all crystals.
    count
        So many of the first of all crystals are of the other data set.
    """
    by_size: dict[tuple[int, bool], list[int]] = {}
    for place in places:
        cell = cells[place]
        if cell is not None:
            by_size.setdefault((len(cell), isinstance(cell, Crystal)), []).append(place)
    for some in by_size.values():
        if _to_compare(some, count):
            known = [place if place < count else place - count for place in some]
            same_size = [cell for place in some if (cell := cells[place]) is not None]
            yield Kin(same_size, known, sum(place < count for place in some))


def _compare(kin: Kin) -> list[Duplicate]:
    """Compare crystals one after the other with those that stay."""
    tolerances, stay, found = Tolerances(), list(range(kin.given)), []
    lengths = np.array([np.zeros(3) if isinstance(cell, Crystal) else cell.lengths for cell in kin.cells])
    for place in range(kin.given, len(kin.cells)):
        cell, among = kin.cells[place], np.array(stay, dtype=np.int64)
        if not isinstance(cell, Crystal):
            among = among[may_be_same(lengths[among], cell.lengths, tolerances)]
        twin = next((k for k in among.tolist() if _same(kin.cells[k], cell, tolerances)), None)
        if twin is not None:
            found.append(Duplicate(kin.places[twin], kin.places[place]))
        elif not kin.given:
            stay.append(place)
    return found


def same(a: Crystal, b: Crystal) -> bool:
    """Whether StructureMatcher finds two crystals the same; not where one of them cannot be reduced."""
    first, second = _known_cell(_Key(a)), _known_cell(_Key(b))
    return first is not None and second is not None and _same(first, second, Tolerances())


def cell_of(crystal: Crystal) -> ReducedCell | Crystal | None:
    """Return what crystals are compared by: the reduced cell, if there is one."""
    try:
        return reduced_cell(crystal) if crystal.is_ordered else reduced_disordered(crystal)
    except CrystalError:
        return None


def _same(a: ReducedCell | Crystal, b: ReducedCell | Crystal, tolerances: Tolerances) -> bool:
    if isinstance(a, ReducedCell) and isinstance(b, ReducedCell):
        return cells_same(a, b, tolerances)
    if isinstance(a, ReducedCell) or isinstance(b, ReducedCell):
        return False
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(tolerances.ltol, tolerances.stol, tolerances.angle_tol)
    with quiet():
        return bool(matcher.fit(a.to_pymatgen(), b.to_pymatgen(), skip_structure_reduction=True))


@dataclass(frozen=True)
class _Key:
    """A crystal as a key: by its identity as an object."""

    crystal: Crystal

    def __hash__(self) -> int:
        """Return a hash of the object."""
        return id(self.crystal)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same object."""
        return isinstance(other, _Key) and other.crystal is self.crystal


@lru_cache(maxsize=10_000)
def _known_cell(key: _Key) -> ReducedCell | Crystal | None:
    return cell_of(key.crystal)


def without(count: int, found: Sequence[Duplicate]) -> list[int]:
    """Return the places of the crystals that stay, of so many."""
    gone = {pair.second for pair in found}
    return [k for k in range(count) if k not in gone]
