"""Which samples are the same crystal as an earlier one, and which as one of the training set.

Same is CDVAE's StructureMatcher: primitive cells scaled to one volume, within ltol 0.3, stol 0.5, angle_tol 10°. Cells
are reduced once, and only those of one reduced composition and one number of sites are compared: the matcher finds no
others the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.displacement import ANGLE_TOL, LTOL, STOL
from xtalcodec.evaluation.generation.memo import Memo, Progress, joint_hash, remembered, with_versions
from xtalcodec.evaluation.reduced_cells import ReducedCell, reduced_cell
from xtalcodec.evaluation.sameness import Tolerances, same
from xtalcodec.geometry.compositions import Composition, composition
from xtalcodec.parallel import Pool

LOOSE = Tolerances(STOL, ANGLE_TOL, LTOL)
"""CDVAE's."""

LIBRARIES = ("pymatgen", "moyopy")
"""What shapes results: the matcher, and the reduction of cells."""

TOGETHER = 16
"""Samples compared with their training crystals in one task."""


@dataclass(frozen=True, slots=True)
class Kinship:
    """Who is the same as whom, by the crystals' hashes."""

    first: dict[str, str]
    """Crystal → the first one that is the same: itself, where it is the first."""
    twin: dict[str, str | None]
    """Crystal → a training crystal that is the same; None where it is novel."""
    failures: dict[str, str]
    """Crystals that could not be compared, and why."""


def kinship(
    crystals: Mapping[str, Crystal],
    training: Mapping[str, Crystal],
    memo: Memo,
    pool: Pool,
    progress: Progress,
    what: str = "",
) -> Kinship:
    """Compare crystals among themselves and with training crystals.

    Parameters
    ----------
    crystals
        By the hash of each, in an order that decides which is the first of its kind.
    training
        By the hash of each; may be empty.
    memo, pool
        Where results are kept, and where they are computed.
    progress
        Opens a bar for each of two steps.
    what
        The crystals' name in the bars.
    """
    forms = {composition(crystal) for crystal in crystals.values()}
    known = {key: crystal for key, crystal in training.items() if composition(crystal) in forms}
    tasks = {key: (crystal,) for key, crystal in (known | dict(crystals)).items()}
    with progress(f"{what}: reducing", len(tasks)) as advance:
        cells = remembered(memo, with_versions("reduced 2", *LIBRARIES), reduce, tasks, pool, advance)
    failures = {key: cells[key]["failure"] for key in crystals if "failure" in cells[key]}
    mine, others = _grouped(crystals, cells), _grouped(known, cells)
    with progress(f"{what}: comparing", len(crystals)) as advance:
        first = _firsts(mine, cells, memo, pool)
        twin: dict[str, str | None] = {}
        jobs = {joint_hash([*part, "", *theirs]): (part, theirs) for part, theirs in _parts(mine, others)}
        compared = {name: tuple([cells[k] for k in keys] for keys in job) for name, job in jobs.items()}
        found = remembered(memo, with_versions("twins 2", *LIBRARIES), twins, compared, pool, chunk=1)
        for name, (part, theirs) in jobs.items():
            twin |= {key: None if k is None else theirs[k] for key, k in zip(part, found[name], strict=True)}
            advance(len(part))
    return Kinship(first, twin, failures)


Groups = dict[tuple[Composition, int], list[str]]
"""Hashes by composition and number of sites of the reduced cell."""


def _grouped(crystals: Mapping[str, Crystal], cells: Mapping[str, dict]) -> Groups:
    groups: Groups = {}
    for key, crystal in crystals.items():
        if "failure" not in cells[key]:
            groups.setdefault((composition(crystal), len(cells[key]["numbers"])), []).append(key)
    return groups


def _firsts(groups: Groups, cells: Mapping[str, dict], memo: Memo, pool: Pool) -> dict[str, str]:
    jobs = {joint_hash(keys): keys for keys in groups.values()}
    tasks = {name: ([cells[key] for key in keys],) for name, keys in jobs.items()}
    found = remembered(memo, with_versions("first of kind 2", *LIBRARIES), first_of_kind, tasks, pool, chunk=1)
    return {key: keys[k] for name, keys in jobs.items() for key, k in zip(keys, found[name], strict=True)}


def _parts(mine: Groups, others: Groups) -> Iterator[tuple[list[str], list[str]]]:
    """Samples, a few at a time, with the training crystals that each is compared with."""
    for group, keys in mine.items():
        for start in range(0, len(keys), TOGETHER):
            yield keys[start : start + TOGETHER], others.get(group, [])


def first_of_kind(cells: Sequence[dict[str, Any]]) -> list[int]:
    """Place of the first reduced cell that is the same as each."""
    those = [_cell(cell) for cell in cells]
    first: list[int] = []
    for k, own in enumerate(those):
        kinds = sorted(set(first))
        first.append(next((j for j in kinds if same(those[j], own, LOOSE)), k))
    return first


def twins(cells: Sequence[dict[str, Any]], training: Sequence[dict[str, Any]]) -> list[int | None]:
    """Place of the training crystal's reduced cell that is the same as each."""
    others = [_cell(cell) for cell in training]
    those = [_cell(cell) for cell in cells]
    return [next((k for k, other in enumerate(others) if same(other, own, LOOSE)), None) for own in those]


def reduce(crystal: Crystal) -> dict[str, Any]:
    """Niggli-reduced primitive cell, as JSON: what StructureMatcher makes of a structure before it compares.

    Where there is none, the reason.
    """
    try:
        cell = reduced_cell(crystal)
    except CrystalError as error:
        return {"failure": f"its cell cannot be reduced: {error}"}
    numbers, frac_coords = cell.numbers.tolist(), cell.frac_coords.tolist()
    return {"lattice": cell.lattice.tolist(), "numbers": numbers, "frac_coords": frac_coords}


def _cell(cell: dict[str, Any]) -> ReducedCell:
    return ReducedCell(*(np.array(cell[key]) for key in ("lattice", "frac_coords", "numbers")))
