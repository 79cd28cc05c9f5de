"""The most that a codec of windows can reach: atoms read off the true field, with no network between.

Crystals that do not fit the window are no failure of a reader: they are counted and named, and left out of its rates.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from typing import Any

import numpy as np

from xtalcodec.atom_finders.density import CLOSED, OPEN, DensityAtoms, read_density
from xtalcodec.atom_finders.segmentation import SegmentationConfig, SegmentedAtoms, read_species_map
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.matching import AtomScore, compare_atoms, summarise_atoms
from xtalcodec.representations.density import Atoms, density, species_map
from xtalcodec.representations.repeating import Repeating, RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCell, UnitCellConfig

TOLERANCE = {"segmentation": 0.1, "density": 0.001}
"""Å: how near each reader must come to every atom for a window to count as perfect."""

SKIN = {"segmentation": 0.2, "density": 0.1}
"""Å: atoms so near to a face of a repeating window may be found or not; within half a voxel (0.17 Å) of it, half a
ball is left, and places up to 0.12 Å apart label the same points."""

REPRESENTATIONS = ("unit_cell", "repeating")


@dataclass(frozen=True, slots=True)
class CeilingRow:
    """One crystal, seen once, and what a reader made of its true field."""

    crystal: Crystal
    score: AtomScore | None
    """None where the crystal does not fit the window."""
    reason: str = ""
    """Why it does not."""
    seconds: float = 0.0
    """What reading took, without painting."""


def measure_ceiling(
    crystals: Sequence[Crystal],
    representation: str,
    reader: str,
    *,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[CeilingRow]:
    """See every crystal once, in a random place or orientation, and read its atoms back; one row each, in order.

    Raises
    ------
    ValueError
        A representation or a reader that there is not.
    """
    _check("representation", representation, REPRESENTATIONS)
    _check("reader", reader, tuple(TOLERANCE))
    tell = progress or (lambda _: None)
    rows = []
    arguments = (crystals, range(len(crystals)), repeat(representation), repeat(reader), repeat(seed))
    if workers == 1:
        found = map(_row, *arguments)
        for row in found:
            rows.append(row)
            tell(1)
        return rows
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        for row in pool.map(_row, *arguments, chunksize=4):
            rows.append(row)
            tell(1)
    return rows


def ceiling_summary(rows: Sequence[CeilingRow], reader: str) -> dict[str, Any]:
    """Rates over the crystals that fit; those that do not, by name."""
    fitting = [row for row in rows if row.score is not None]
    scores = [row.score for row in fitting if row.score is not None]
    seconds = sum(row.seconds for row in fitting)
    tolerance = TOLERANCE[reader]
    return {
        "crystals": len(rows),
        "fit": len(fitting),
        "tolerance": tolerance,
        **summarise_atoms(scores, tolerance),
        "crystals_per_second": len(fitting) / seconds if seconds else None,
        "imperfect": [
            {"name": r.crystal.name, "formula": r.crystal.formula, **_faults(r.score)}
            for r in fitting
            if r.score is not None and not r.score.perfect(tolerance)
        ],
        "not_fitting": [{"name": r.crystal.name, "reason": r.reason} for r in rows if r.score is None],
    }


def _faults(score: AtomScore) -> dict[str, Any]:
    """What is wrong with a window's atoms."""
    found = np.isfinite(score.error)
    return {
        "missing": int((~found).sum()),
        "extra": score.extra,
        "wrong_species": int((found & ~score.species).sum()),
        "largest_error": float(score.error[found].max(initial=0)),
    }


def _check(what: str, given: str, known: tuple[str, ...]) -> None:
    """Refuse an unknown name, with the choices."""
    if given not in known:
        raise ValueError(f"no {what} {given!r}; have {', '.join(known)}")


def _one_thread() -> None:
    """Processes share the cores; threads within each would only wait for one another."""
    import torch

    torch.set_num_threads(1)


def _row(crystal: Crystal, k: int, representation: str, reader: str, seed: int) -> CeilingRow:
    """See one crystal and read it; its view depends on the seed and its place in the data alone."""
    rng = np.random.default_rng([seed, k])
    cell = representation == "unit_cell"
    window = (UnitCellConfig() if cell else RepeatingConfig()).window
    try:
        view = (
            UnitCell(UnitCellConfig()).view(crystal, rng) if cell else Repeating(RepeatingConfig()).view(crystal, rng)
        )
    except CrystalError as error:
        return CeilingRow(crystal, None, str(error))
    atoms = Atoms.collate([view])
    found: DensityAtoms | SegmentedAtoms
    if reader == "density":
        field = density(atoms, window)
        start = time.perf_counter()
        found = read_density(field, window, CLOSED if cell else OPEN)[0]
    else:
        field = species_map(atoms, window)
        start = time.perf_counter()
        found = read_species_map(field, window, SegmentationConfig())[0]
    seconds = time.perf_counter() - start
    edge = None if cell else window.edge
    score = compare_atoms(found.positions, found.numbers, view.positions, view.numbers, edge, SKIN[reader])
    return CeilingRow(crystal, score, seconds=seconds)
