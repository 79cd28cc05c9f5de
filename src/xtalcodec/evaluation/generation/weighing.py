"""Samples beside reference crystals, and by a potential: which are new, and how stable they are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.decoded import checked
from xtalcodec.evaluation.generation.fingerprints import structure_fingerprint
from xtalcodec.evaluation.generation.hull import Hull, HullError
from xtalcodec.evaluation.generation.memo import Memo, Progress, crystal_hash, remembered, with_versions
from xtalcodec.evaluation.generation.novelty import kinship
from xtalcodec.evaluation.generation.potentials import check_potential
from xtalcodec.evaluation.generation.proposals import Proposal, worth_judging
from xtalcodec.evaluation.generation.relaxing import STEPS, TO_THE_END, Relaxed, relaxed_each
from xtalcodec.geometry.compositions import Composition, composition
from xtalcodec.parallel import Pool


def check_comparison() -> None:
    """Tell when matminer is not installed, whose fingerprints say which reference crystal is nearest.

    Raises
    ------
    ModuleNotFoundError
        It is not there.
    """
    if find_spec("matminer") is None:
        raise ModuleNotFoundError("matminer is not installed", name="matminer")


def compared(
    samples: Sequence[Proposal], reference: Sequence[Crystal], memo: Memo, pool: Pool, progress: Progress
) -> list[Proposal]:
    """Say which valid samples are none of the reference crystals (StructureMatcher), and which of those is nearest.

    Nearest is the one that is the same; else, of those of the same reduced formula, the one whose CrystalNN fingerprint
    (CDVAE's, of matminer) has the least Euclidean distance.

    Parameters
    ----------
    samples
        Of any kind; those that are not valid stay as they are.
    reference
        Ordered.
    memo, pool
        Where results are kept, and where they are computed.
    progress
        Opens a bar for each step.
    """
    mine, others = worth_judging(samples), {crystal_hash(crystal): crystal for crystal in reference}
    kin = kinship(mine, others, memo, pool, progress, "samples")
    alone = {key: mine[key] for key, twin in kin.twin.items() if twin is None}
    near = kin.twin | _nearest(alone, others, memo, pool, progress)

    def told(one: Proposal) -> Proposal:
        key = crystal_hash(one.judged) if one.judged is not None else ""
        if key not in kin.twin:
            return one
        found = near[key]
        name = None if found is None else others[found].called
        return replace(one, novel=kin.twin[key] is None, nearest=name)

    return [told(one) for one in samples]


def _nearest(
    samples: Mapping[str, Crystal], reference: Mapping[str, Crystal], memo: Memo, pool: Pool, progress: Progress
) -> dict[str, str | None]:
    """Hash of the nearest reference crystal of the same reduced formula; None where there is none."""
    of_kind: dict[Composition, list[str]] = {composition(crystal): [] for crystal in samples.values()}
    for key, crystal in reference.items():
        of_kind.get(composition(crystal), []).append(key)
    alike = {key: of_kind[composition(crystal)] for key, crystal in samples.items()}
    wanted = {key: samples[key] for key, others in alike.items() if others}
    wanted |= {other: reference[other] for others in alike.values() for other in others}
    with progress("samples: nearest", len(wanted)) as advance:
        tasks = {key: (crystal,) for key, crystal in wanted.items()}
        what = with_versions("structure fingerprint 1", "matminer", "pymatgen")
        found = remembered(memo, what, fingerprint, tasks, pool, advance)
    known = {key: np.array(value) for key, value in found.items() if value is not None}
    return {key: _least(known[key], others, known) if key in known else None for key, others in alike.items()}


def _least(
    own: Float[np.ndarray, "61"], others: Sequence[str], known: Mapping[str, Float[np.ndarray, "61"]]
) -> str | None:
    """The one of the others whose fingerprint is nearest."""
    apart = {key: float(np.linalg.norm(known[key] - own)) for key in others if key in known}
    return min(apart, key=lambda key: apart[key]) if apart else None


def fingerprint(crystal: Crystal) -> list[float] | None:
    """CrystalNN fingerprint as JSON; None where CrystalNN fails."""
    found = structure_fingerprint(crystal)
    return None if found is None else found.tolist()


def weighed(
    samples: Sequence[Proposal],
    potential: str,
    hull: Hull | None,
    memo: Memo,
    pool: Pool,
    progress: Progress,
    *,
    keep: bool = False,
    symprec: float | None = None,
) -> list[Proposal]:
    """Relax the valid samples by a potential, and tell their energies, above a hull where there is one.

    Parameters
    ----------
    samples
        Of any kind; those that are not valid stay as they are.
    potential
        Its name.
    hull
        Of its energies; None for energies per atom alone.
    memo, pool
        Where relaxations are kept, and where they are computed.
    progress
        Opens a bar.
    keep
        Whether samples become what they relax to, for which relaxations may be longer.
    symprec
        Of those that are kept, see `relaxed_each`.

    Raises
    ------
    ModuleNotFoundError
        SevenNet is not installed.
    """
    check_potential(potential)
    steps = TO_THE_END if keep else STEPS[potential]
    found = relaxed_each(worth_judging(samples), potential, memo, pool, progress, steps, symprec if keep else None)
    told = [_with_energy(one, found, hull) for one in samples]
    if not keep:
        return told
    ends = [found.get(crystal_hash(one.judged)) if one.judged is not None else None for one in samples]
    return [one if end is None else _become(one, end) for one, end in zip(told, ends, strict=True)]


def _become(one: Proposal, end: Relaxed) -> Proposal:
    """A sample that is what it relaxed to; under its own name, as equal samples are relaxed once."""
    crystal = replace(end.crystal, name=one.name)
    about = checked(one.name, crystal, one.about.confidence, one.about.explained)
    return replace(one, about=about, symmetrised=end.symmetrised)


def _with_energy(one: Proposal, found: Mapping[str, Relaxed], hull: Hull | None) -> Proposal:
    """A sample with the energy it relaxed to, or why it has none."""
    given = one.judged
    if given is None:
        return one
    end = found[crystal_hash(given)]
    if end.energy is None:
        return replace(one, why_unranked=end.why)
    one = replace(one, energy_before=end.before, energy=end.energy, relaxed=end.converged)
    one = replace(one, displacement=end.displacement)
    try:
        return replace(one, above_hull=hull.above(given.numbers, end.energy)) if hull else one
    except HullError as error:
        return replace(one, why_unranked=f"it has no distance to the hull: {error}")
