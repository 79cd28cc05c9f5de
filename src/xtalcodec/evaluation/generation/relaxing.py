"""Crystals relaxed by a potential, and brought to their symmetry where that costs no energy."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.memo import Memo, Progress, crystal_hash, remembered
from xtalcodec.evaluation.generation.potentials import (
    PotentialError,
    check_potential,
    displacement,
    energy_in,
    relaxation,
    relaxed,
    single_point,
    what_computes,
    what_relaxes,
)
from xtalcodec.geometry.symmetry import symmetrised
from xtalcodec.parallel import Pool

Key = TypeVar("Key", int, str)

FAST_STEPS, FINAL_STEPS = 50, 200
"""Of FIRE, at most, with potentials that sort out and with the one that decides."""

STEPS = {"sevennet-0": FAST_STEPS, "sevennet-l3i5": FINAL_STEPS}
"""Steps of a relaxation that ranks, with each potential, at most."""

TO_THE_END = 300
"""Steps of a relaxation whose end is kept, at most."""

RISE = 1e-3
"""eV/atom by which bringing a relaxed crystal to its symmetry may raise its energy: that of a force just below the
limit, over the 0.01 to 0.1 Å that sites move."""


@dataclass(frozen=True, slots=True)
class Relaxed:
    """What became of a crystal; what a potential cannot weigh stays as it was."""

    crystal: Crystal
    """Where it ended."""
    before: float | None = None
    """eV/atom, as it was."""
    energy: float | None = None
    """eV/atom, as it is now."""
    converged: bool | None = None
    """Whether all forces came below the limit."""
    displacement: float | None = None
    """Root mean square displacement of its sites on relaxing, Å."""
    symmetrised: bool | None = None
    """Whether it was brought to its symmetry; None where that was not asked for."""
    why: str = ""
    """Why it has no energy."""


def relaxed_each(
    crystals: Mapping[Key, Crystal],
    potential: str,
    memo: Memo,
    pool: Pool,
    progress: Progress,
    steps: int = TO_THE_END,
    symprec: float | None = None,
    *,
    what: str = "relaxing by",
) -> dict[Key, Relaxed]:
    """Relax crystals; with a tolerance in Å, bring them to their symmetry where their energy does not rise.

    Parameters
    ----------
    crystals
        Ordered, atoms apart, by any key.
    potential
        Its name.
    memo, pool
        Where relaxations are kept, and where they are computed.
    progress
        Opens a bar.
    steps
        Of a relaxation, at most.
    symprec
        Tolerance of symmetry, Å; a crystal whose energy would rise by more than `RISE` stays as it relaxed.
    what
        What stands before the potential's name in the bar.

    Raises
    ------
    ValueError
        No such potential.
    ModuleNotFoundError
        SevenNet is not installed.
    """
    check_potential(potential)
    hashes = {key: crystal_hash(crystal) for key, crystal in crystals.items()}
    tasks = {hashes[key]: (crystal, potential, steps) for key, crystal in crystals.items()}
    with progress(f"{what} {potential}".strip(), len(tasks)) as advance:
        found = remembered(memo, what_relaxes(potential, steps), relaxation, tasks, pool, advance, chunk=1)
    ended = {key: _ended(crystal, found[hashes[key]]) for key, crystal in crystals.items()}
    return ended if symprec is None else _brought_to_symmetry(ended, potential, memo, pool, symprec)


def _ended(given: Crystal, value: dict) -> Relaxed:
    try:
        end = relaxed(value, given.name)
    except PotentialError as error:
        return Relaxed(given, why=str(error))
    return Relaxed(end.crystal, end.before, end.energy, end.converged, displacement(given, end.crystal))


def _brought_to_symmetry(
    ended: Mapping[Key, Relaxed], potential: str, memo: Memo, pool: Pool, symprec: float
) -> dict[Key, Relaxed]:
    """With those on their symmetry whose energy does not rise."""
    exact = {key: symmetrised(one.crystal, symprec) for key, one in ended.items() if one.energy is not None}
    hashes = {key: crystal_hash(crystal) for key, crystal in exact.items()}
    tasks = {hashes[key]: (crystal, potential) for key, crystal in exact.items()}
    found = remembered(memo, what_computes(potential), single_point, tasks, pool)

    def chosen(key: Key, one: Relaxed) -> Relaxed:
        if key not in exact or one.energy is None:
            return one
        try:
            after = energy_in(found[hashes[key]])
        except PotentialError:
            return replace(one, symmetrised=False)
        if after > one.energy + RISE:
            return replace(one, symmetrised=False)
        return replace(one, crystal=replace(exact[key], name=one.crystal.name), energy=after, symmetrised=True)

    return {key: chosen(key, one) for key, one in ended.items()}
