"""An oracle of windows: atoms read off the true field, with no network between; no codec of them can do better.

Crystals that do not fit the window are no failure of a reader: they are counted and named, and left out of its rates.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xtalcodec.atom_finders.density import CLOSED, OPEN, read_density
from xtalcodec.atom_finders.segmentation import SegmentationConfig, read_species_map
from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.matching import AtomScore, compare_atoms, summarise_atoms
from xtalcodec.parallel import HERE, Pool, map_in_order
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window import Window, WindowTorusConfig
from xtalcodec.representations.window_field import ViewBatch, density, species_map

TOLERANCE = {"segmentation": 0.1, "density": 0.001}
"""Å: how near each reader must come to every atom for a window to count as perfect."""

SKIN = {"segmentation": 0.2, "density": 0.1}
"""Å: atoms so near to a face of a repeating window may be found or not; within half a voxel (0.17 Å) of it, half a
ball is left, and places up to 0.12 Å apart label the same points."""

REPRESENTATIONS: dict[str, WindowTorusConfig] = {
    "unit_cell": UnitCellConfig(),
    "repeating": RepeatingConfig(rotate=False),
}
"""Ways of seeing a crystal, by name."""


@dataclass(frozen=True, slots=True)
class OracleRow:
    """One crystal, seen once, and what a reader made of its true field."""

    crystal: Crystal
    score: AtomScore | None
    """None where the crystal does not fit the window."""
    reason: str = ""
    """Why the crystal does not fit."""
    seconds: float = 0.0
    """Time of reading in s, without painting."""


def measure_oracle(
    crystals: Sequence[Crystal],
    config: WindowTorusConfig,
    reader: str,
    *,
    seed: int = 0,
    pool: Pool = HERE,
    progress: Callable[[int], None] | None = None,
) -> list[OracleRow]:
    """Paint every crystal once, at a random origin or orientation, and read its atoms back; one row each, in order.

    Parameters
    ----------
    crystals
        What to see.
    config
        Through which window.
    reader
        "density" or "segmentation": what of the true field is read.
    seed
        Of places and orientations.
    pool
        Workers that do it.
    progress
        Called with the number of crystals done since the last call.

    Raises
    ------
    ValueError
        A reader that there is not.
    """
    if reader not in TOLERANCE:
        raise ValueError(unknown("reader", reader, list(TOLERANCE)))
    tasks = [(crystal, k, config, reader, seed) for k, crystal in enumerate(crystals)]
    return map_in_order(_row, tasks, pool, progress, chunk=4)


def oracle_summary(rows: Sequence[OracleRow], reader: str) -> dict[str, Any]:
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


def _row(crystal: Crystal, k: int, config: WindowTorusConfig, reader: str, seed: int) -> OracleRow:
    """See one crystal and read it; its view depends on the seed and its place in the data alone."""
    rng = np.random.default_rng([seed, k])
    window: Window = config.open()
    try:
        view = window.view(crystal, rng)
    except CrystalError as error:
        return OracleRow(crystal, None, str(error))
    atoms = ViewBatch.collate([view])
    field = density(atoms, window.field) if reader == "density" else species_map(atoms, window.field)
    start = time.perf_counter()
    if reader == "density":
        found = read_density(field, window.field, CLOSED if window.closed else OPEN)[0]
    else:
        found = read_species_map(field, window.field, SegmentationConfig())[0]
    seconds = time.perf_counter() - start
    edge = None if window.closed else window.field.edge
    score = compare_atoms(found.positions, found.numbers, view.positions, view.numbers, edge, SKIN[reader])
    return OracleRow(crystal, score, seconds=seconds)
