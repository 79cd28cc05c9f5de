"""Crystals that are the same: candidates by their vectors, the verdict by pymatgen's StructureMatcher.

The matcher, with its own tolerances, scales both crystals to one volume and finds only crystals of one composition the
same. Where few crystals have a composition, all pairs of them are candidates; where many have, those whose vectors of
structure, which know no volume either, are alike.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.disorder import disordered_matcher
from xtalcodec.geometry.compositions import of_one_composition
from xtalcodec.io.read import quiet
from xtalcodec.parallel import map_in_order

if TYPE_CHECKING:
    from pymatgen.core import Structure

LEAST = 0.8
"""Scalar product of the vectors of a candidate pair, at least; see `docs/how-to/find.md` for what this leaves out."""

FEW = 30
"""Up to so many crystals of one composition are all compared: the matcher calls structures the same that are far apart,
as perovskites with and without tilts, and comparing these few takes no time."""

STOL, ANGLE_TOL, LTOL = 0.3, 5.0, 0.2
"""pymatgen's own tolerances: of sites over (V/N)^(1/3), of angles in degrees, of lengths as a share."""

_ROWS = 1024
"""Vectors multiplied with all others of their composition at a time."""

Vectors = Float[np.ndarray, "n size"]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two crystals that StructureMatcher finds the same."""

    first: int
    """Place of the one that comes first, or is of the other data set."""
    second: int
    """Place of the other."""
    likeness: float
    """Scalar product of the vectors of their structures."""


def candidates(
    crystals: Sequence[Crystal],
    vectors: Vectors,
    others: Sequence[Crystal] | None = None,
    other_vectors: Vectors | None = None,
    least: float = LEAST,
    few: int = FEW,
) -> Iterator[Duplicate]:
    """Yield pairs that may be the same.

    Parameters
    ----------
    crystals, vectors
        Where duplicates are looked for, and the vectors of their structures.
    others, other_vectors
        What they are compared with; themselves if not given.
    least
        Scalar product of two vectors, at least.
    few
        Of a composition that no more crystals have, on either side, all pairs are candidates.
    """
    groups = of_one_composition(crystals)
    among = groups if others is None else of_one_composition(others)
    theirs = vectors if other_vectors is None else other_vectors
    for form, places in groups.items():
        partners = np.array(among.get(form, []), dtype=np.int64)
        for start in range(0, len(places) if len(partners) else 0, _ROWS):
            some = np.array(places[start : start + _ROWS])
            scores = vectors[some] @ theirs[partners].T
            near = scores >= (least if max(len(places), len(partners)) > few else -np.inf)
            if others is None:
                near &= partners < some[:, None]
            for a, b in np.argwhere(near):
                yield Duplicate(int(partners[b]), int(some[a]), float(scores[a, b]))


def duplicates(
    crystals: Sequence[Crystal],
    vectors: Vectors,
    others: Sequence[Crystal] | None = None,
    other_vectors: Vectors | None = None,
    *,
    least: float = LEAST,
    few: int = FEW,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[Duplicate]:
    """Return the candidates that StructureMatcher finds the same.

    Parameters
    ----------
    crystals, vectors, others, other_vectors, least, few
        As of `candidates`.
    workers
        Processes that compare.
    progress
        Called with the number of pairs compared since the last call.
    """
    pairs = list(candidates(crystals, vectors, others, other_vectors, least, few))
    return confirmed(pairs, crystals, others, workers, progress)


def confirmed(
    pairs: Sequence[Duplicate],
    crystals: Sequence[Crystal],
    others: Sequence[Crystal] | None = None,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[Duplicate]:
    """Return the pairs that StructureMatcher finds the same.

    Parameters
    ----------
    pairs
        Candidates.
    crystals, others, workers, progress
        As of `duplicates`.
    """
    first = crystals if others is None else others
    rows = [(first[pair.first], crystals[pair.second]) for pair in pairs]
    found = map_in_order(same, rows, workers, progress, chunk=64)
    return [pair for pair, verdict in zip(pairs, found, strict=True) if verdict]


def same(a: Crystal, b: Crystal) -> bool:
    """Whether StructureMatcher finds two crystals the same; not where one of them cannot be reduced."""
    with quiet():
        if not (a.is_ordered and b.is_ordered):
            return bool(disordered_matcher(STOL, ANGLE_TOL, LTOL).fit(a.to_pymatgen(), b.to_pymatgen()))
        first, second = _reduced(_Key(a)), _reduced(_Key(b))
        if first is None or second is None or len(first) != len(second):
            return False
        return bool(_matcher().fit(first, second, skip_structure_reduction=True))


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
def _reduced(key: _Key) -> "Structure | None":
    """Primitive, Niggli-reduced cell, as StructureMatcher makes it before it compares; None where there is none."""
    try:
        return key.crystal.to_pymatgen().get_reduced_structure("niggli").get_primitive_structure()
    except (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError):
        return None


@lru_cache(maxsize=1)
def _matcher() -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(stol=STOL, angle_tol=ANGLE_TOL, ltol=LTOL)


def without_later(count: int, pairs: Sequence[Duplicate], *, itself: bool) -> list[int]:
    """Return the places that stay: of crystals that are the same, the first, or none where another data set has it.

    Parameters
    ----------
    count
        How many crystals there are.
    pairs
        Which are the same.
    itself
        Whether they were compared among themselves.
    """
    gone: set[int] = set()
    for pair in sorted(pairs, key=lambda pair: pair.second):
        if not (itself and pair.first in gone):
            gone.add(pair.second)
    return [k for k in range(count) if k not in gone]
