"""The comparison of two crystals against pymatgen's StructureMatcher alone: same verdicts, and how much faster.

python benchmarks/matching.py --data mp_val.parquet carbon_24_val.parquet [--pairs 2000] [--codec mp]

Pairs of four kinds, evenly: a crystal and what a codec makes of it without refinement, a crystal and itself with
every site moved at random by 0.005 to 0.5 Å in a strained cell, two crystals of one composition, and any two crystals.
Times are CPU times of one process in one run, the ways in turn. The third way says only whether they match
(`evaluation.sameness`, reduction of both cells included), as `evaluate-samples` asks it.
"""

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from xtalcodec import Codec
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets import load
from xtalcodec.evaluation.displacement import ANGLE_TOL, LTOL, STOL, Displacement, displacement
from xtalcodec.evaluation.generation.novelty import LOOSE
from xtalcodec.evaluation.reduced_cells import reduced_cell
from xtalcodec.evaluation.sameness import same

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", nargs="+", default=["aflow-prototypes"], help="crystals to compare")
parser.add_argument("--pairs", type=int, default=2000, help="pairs in all")
parser.add_argument("--codec", default="mp")
options = parser.parse_args()
torch.set_num_threads(1)
warnings.simplefilter("ignore")  # pymatgen's, about odd cells
rng = np.random.default_rng(0)
each = options.pairs // 4

crystals, _ = load(options.data)
crystals = [crystals[k] for k in rng.permutation(len(crystals))]
codec = Codec.from_pretrained(options.codec)


def by_structure_matcher(a: Crystal, b: Crystal) -> Displacement | None:
    """What the published protocol says."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(stol=STOL, angle_tol=ANGLE_TOL, ltol=LTOL)
    found = matcher.get_rms_dist(a.to_pymatgen(), b.to_pymatgen())
    return None if found is None else Displacement(float(found[0]), float(found[1]))


def moved(crystal: Crystal) -> Crystal:
    """Every site moved by a normal distribution, the cell strained by 1 %."""
    steps = rng.normal(0, 0.005 * 100 ** rng.random(), crystal.frac_coords.shape) @ np.linalg.inv(crystal.lattice)
    strain = np.eye(3) + rng.normal(0, 0.01, (3, 3))
    return replace(crystal, lattice=crystal.lattice @ strain, frac_coords=crystal.frac_coords + steps)


def decoded(crystals: list[Crystal]) -> Iterator[tuple[Crystal, Crystal]]:
    """Crystals and what the codec makes of them; those that it does not hold are left out."""
    for crystal in crystals:
        try:
            (found,) = codec.decode_crystals(codec.encode([crystal], refine=False))
        except CrystalError:
            continue
        if found:
            yield crystal, found.crystal


def of_one_composition() -> Iterator[tuple[Crystal, Crystal]]:
    """Polymorphs, neighbours in the data first."""
    groups = defaultdict(list)
    for crystal in crystals:
        groups[crystal.formula].append(crystal)
    for step in range(1, max(map(len, groups.values()))):
        for group in groups.values():
            yield from zip(group, group[step:], strict=False)


def first(pairs: Iterator[tuple[Crystal, Crystal]]) -> list[tuple[Crystal, Crystal]]:
    """So many pairs of a kind, or all that there are."""
    return [pair for _, pair in zip(range(each), pairs, strict=False)]


kinds = {
    "original, decoded": first(decoded(crystals)),
    "original, moved": first((c, moved(c)) for c in crystals),
    "one composition": first(of_one_composition()),
    "any two": first((a, crystals[-1 - k]) for k, a in enumerate(crystals)),
}
displacement(crystals[0], crystals[0])  # libraries are loaded
same(reduced_cell(crystals[0]), reduced_cell(crystals[0]), LOOSE)
total = np.zeros(3)
for kind, pairs in kinds.items():
    spent, other, largest, matched, unlike = np.zeros(3), 0, 0.0, 0, 0
    for a, b in pairs:
        start = time.process_time()
        truth = by_structure_matcher(a, b)
        middle = time.process_time()
        found = displacement(a, b)
        later = time.process_time()
        verdict = same(reduced_cell(a), reduced_cell(b), LOOSE)
        spent += middle - start, later - middle, time.process_time() - later
        unlike += verdict != (truth is not None)
        matched += truth is not None
        other += (truth is None) != (found is None)
        if truth and found:
            largest = max(largest, abs(truth.rms - found.rms), abs(truth.largest - found.largest))
    total += spent
    matcher, ours, told = 1000 * spent / max(len(pairs), 1)
    print(
        f"{kind:18} {len(pairs):5d} pairs, {matched:4d} matched, {other} other verdicts, rms differs by {largest:.0e}"
        f" at most; {matcher:7.2f} → {ours:7.2f} ms, {matcher / ours:.2f} times as fast;"
        f" verdict alone: {unlike} others, {told:7.2f} ms, {matcher / told:.2f} times as fast"
    )
print(
    f"{'all':18} {total[0]:.1f} → {total[1]:.1f} s of CPU, {total[0] / total[1]:.2f} times as fast;"
    f" verdict alone {total[2]:.1f} s, {total[0] / total[2]:.2f} times as fast"
)
