"""Stability in stages: new crystals are relaxed by a fast potential, and what is then near the hull by a better one.

There are as many stages as a table has hulls: with one potential there is one, which decides.

Only what is valid, unique and novel is looked at.

A hull is of static energies of known crystals by the same potential. That of a few ten thousand crystals lacks phases
and lies too high, so that too much is stable: read no figure without those of the controls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.hull import Hull, HullError
from xtalcodec.evaluation.generation.memo import Memo, Progress, crystal_hash, remembered
from xtalcodec.evaluation.generation.potentials import (
    PotentialError,
    check_potential,
    displacement,
    relaxation,
    relaxed,
    what_relaxes,
)
from xtalcodec.evaluation.generation.verdict import METASTABLE, Verdict
from xtalcodec.parallel import Pool

FAST_STEPS, FINAL_STEPS = 50, 200
"""Of FIRE, at most, with potentials that sort out and with the one that decides."""

NEAR = 0.3
"""eV/atom above the fast potential's hull up to which the better one is asked; the two differ by less."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One potential, the hull of its energies, and how long it may relax."""

    hull: Hull
    steps: int

    @property
    def potential(self) -> str:
        """Name of the potential."""
        return self.hull.potential


def stages(hulls: Sequence[Hull]) -> list[Stage]:
    """Relax for a short while by all potentials but the last, which decides and takes longer.

    Parameters
    ----------
    hulls
        Of each potential, the fastest first.

    Raises
    ------
    ModuleNotFoundError
        SevenNet is not installed.
    """
    for hull in hulls:
        check_potential(hull.potential)
    return [Stage(hull, FAST_STEPS) for hull in hulls[:-1]] + [Stage(hulls[-1], FINAL_STEPS)]


def weigh(
    rows: Sequence[Verdict], steps: Sequence[Stage], memo: Memo, pool: Pool, progress: Progress, what: str = ""
) -> list[Verdict]:
    """Relax the valid, unique and novel rows stage by stage, and say which are stable; the others are not.

    Parameters
    ----------
    rows
        With validity, uniqueness and novelty.
    steps
        The stages; what is more than `NEAR` above the hull of one does not get to the next.
    memo, pool
        Where relaxations are kept, and where they are computed.
    progress
        Opens a bar for each stage.
    what
        The set's name in the bars.
    """
    result = [replace(row, stable=False, metastable=False) for row in rows]
    waiting = {k: row.crystal for k, row in enumerate(rows) if row.vun and row.crystal is not None}
    given = dict(waiting)
    for stage in steps:
        last = stage is steps[-1]
        hashes = {k: crystal_hash(crystal) for k, crystal in waiting.items()}
        tasks = {hashes[k]: (crystal, stage.potential, stage.steps) for k, crystal in waiting.items()}
        with progress(f"{what} {stage.potential}".strip(), len(tasks)) as advance:
            name = what_relaxes(stage.potential, stage.steps)
            found = remembered(memo, name, relaxation, tasks, pool, advance, chunk=1)
        ended: dict[int, Crystal] = {}
        for k in waiting:
            result[k], end = _after(result[k], given[k], found[hashes[k]], stage, last=last)
            above = result[k].above_hull
            if end is not None and above is not None and above <= NEAR:
                ended[k] = end
        waiting = ended
    return result


def _after(row: Verdict, given: Crystal, value: dict, stage: Stage, *, last: bool) -> tuple[Verdict, Crystal | None]:
    """Return the row of a sample after a stage, and the relaxed crystal where there is one."""
    try:
        end = relaxed(value, row.name)
        above = stage.hull.above(given.numbers, end.energy)
    except (PotentialError, HullError) as error:
        reason = "; ".join(filter(None, [row.reason, f"{stage.potential}: {error}"]))
        return replace(row, reason=reason, above_hull=None), None
    row = replace(
        row,
        stage=stage.potential,
        energy=end.energy,
        above_hull=above,
        relaxed=end.converged,
        displacement=displacement(given, end.crystal),
        stable=last and above <= 0,
        metastable=last and above <= METASTABLE,
    )
    return row, end.crystal
