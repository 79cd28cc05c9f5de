"""Duplicates against all pairs of equal composition by pymatgen's StructureMatcher: same verdicts, how much faster.

python benchmarks/duplicates.py mp_train.parquet [--pairs 3000] [--subset 300] [--json FILE]

The baseline is `StructureMatcher().fit` of structures that are made already, in the order of the compositions, so that
pymatgen's own cache of reduced cells serves as it can. Of more pairs than `--pairs`, crystals at random are compared
with 100 others each, and the time is that of all pairs by their number. Verdicts are compared pair by pair; and who
stays, by the matcher's verdicts of all pairs, in every composition or, where pairs were left out, among `--subset`
crystals of the largest one. Times are CPU times of one process in one run, without reading.
"""

import argparse
import json
import time
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher

from xtalcodec.crystal import Crystal
from xtalcodec.datasets import load
from xtalcodec.evaluation.duplicates import duplicates, same
from xtalcodec.geometry.compositions import of_one_composition

EACH = 100
"""Others that a crystal drawn at random is compared with."""
Pairs = list[tuple[int, int]]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data", nargs="+")
parser.add_argument("--pairs", type=int, default=3000)
parser.add_argument("--subset", type=int, default=300)
parser.add_argument("--json", type=Path)
options = parser.parse_args()
warnings.simplefilter("ignore")  # pymatgen's, about odd cells
rng = np.random.default_rng(0)
matcher = StructureMatcher()


def drawn(groups: list[list[int]], most: int) -> Pairs:
    """Pairs of one composition: those of a composition as often as it has some."""
    counts = np.array([len(group) * (len(group) - 1) / 2 for group in groups])
    found: Pairs = []
    for k in rng.choice(len(groups), max(1, most // EACH), p=counts / counts.sum()):
        first, *others = rng.permutation(groups[k])[: EACH + 1].tolist()
        found += [(min(first, other), max(first, other)) for other in others]
    return found


def verdicts(crystals: list[Crystal], pairs: Pairs) -> tuple[list[bool], float]:
    """What the matcher says, and its CPU time."""
    structures = {k: crystals[k].to_pymatgen() for pair in pairs for k in pair}
    start = time.process_time()
    found = [bool(matcher.fit(structures[a], structures[b])) for a, b in pairs]
    return found, time.process_time() - start


def who_goes(pairs: Pairs, alike: list[bool]) -> set[int]:
    """Crystals that are the same as an earlier one that stays."""
    gone: set[int] = set()
    for (a, b), verdict in sorted(zip(pairs, alike, strict=True), key=lambda row: row[0][1]):
        if verdict and a not in gone:
            gone.add(b)
    return gone


crystals, _ = load(options.data)
groups = [group for group in of_one_composition(crystals).values() if len(group) > 1]
count = sum(len(group) * (len(group) - 1) // 2 for group in groups)
whole = count <= options.pairs
same(crystals[0], crystals[0])  # libraries are loaded
start = time.process_time()
found = duplicates(crystals)
ours = time.process_time() - start
pairs = [pair for group in groups for pair in combinations(group, 2)] if whole else drawn(groups, options.pairs)
truth, spent = verdicts(crystals, pairs)
other = sum(same(crystals[a], crystals[b]) != verdict for (a, b), verdict in zip(pairs, truth, strict=True))
if whole:
    among, stays = len(crystals), who_goes(pairs, truth) == {pair.second for pair in found}
else:
    some = sorted(rng.permutation(max(groups, key=len))[: options.subset].tolist())
    among, every = len(some), list(combinations(some, 2))
    goes = {some[pair.second] for pair in duplicates([crystals[k] for k in some])}
    stays = who_goes(every, verdicts(crystals, every)[0]) == goes
result = {
    "crystals": len(crystals),
    "pairs of one composition": count,
    "pairs compared by the matcher": len(pairs),
    "of these the same": sum(truth),
    "other verdicts": other,
    "crystals among which who stays was compared": among,
    "the same stay": stays,
    "duplicates": len(found),
    "all pairs, s": spent * count / len(pairs),
    "measured" if whole else "extrapolated from, s": spent,
    "duplicates, s": ours,
    "times as fast": spent * count / len(pairs) / ours,
}
print(*(f"{key:45} {value:.6g}" for key, value in result.items()), sep="\n")
if options.json:
    options.json.write_text(json.dumps(result, indent=1))
