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
from xtalcodec.evaluation.generation.memo import Memo, Progress
from xtalcodec.evaluation.generation.potentials import check_potential, displacement
from xtalcodec.evaluation.generation.relaxing import FAST_STEPS, FINAL_STEPS, Relaxed, relaxed_each
from xtalcodec.evaluation.generation.verdict import METASTABLE, Verdict
from xtalcodec.parallel import Pool

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
        found = relaxed_each(waiting, stage.potential, memo, pool, progress, stage.steps, what=what)
        ended: dict[int, Crystal] = {}
        for k, end in found.items():
            result[k] = _after(result[k], given[k], end, stage, last=last)
            above = result[k].above_hull
            if above is not None and above <= NEAR:
                ended[k] = end.crystal
        waiting = ended
    return result


def _after(row: Verdict, given: Crystal, end: Relaxed, stage: Stage, *, last: bool) -> Verdict:
    """Return the row of a sample after a stage."""
    if end.energy is None:
        return _without_height(row, f"{stage.potential}: {end.why}")
    row = replace(
        row,
        stage=stage.potential,
        energy=end.energy,
        relaxed=end.converged,
        displacement=displacement(given, end.crystal),  # from where it was before all stages
    )
    try:
        above = stage.hull.above(given.numbers, end.energy)
    except HullError as error:
        return _without_height(row, f"{stage.potential}: {error}")
    return replace(row, above_hull=above, stable=last and above <= 0, metastable=last and above <= METASTABLE)


def _without_height(row: Verdict, why: str) -> Verdict:
    """Return the row of a sample that has no distance to the hull."""
    return replace(row, reason="; ".join(filter(None, [row.reason, why])), above_hull=None)
