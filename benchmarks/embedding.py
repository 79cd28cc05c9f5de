"""How well one vector per crystal finds and tells apart, against average minimum distances and composition alone.

python benchmarks/embedding.py split mp_train.parquet lemat_train.parquet --out parts/ [--learn 3000] [--test 2000]
python benchmarks/embedding.py measure parts/test.parquet [--codec mp] [--crystals 2000] [--among FILE] [--latents 0]

`split` holds out a fifth of all compositions, by their hash: `test.parquet` has those that several crystals share,
filled up with others; `learn.parquet` is for `xtalcodec train-embedding`. `measure` prints three tables:

- recall@1: the same crystal, in another cell, orientation, origin and order of sites; with every site moved by a
  normal distribution of 0.05 Å along each axis; the same in a supercell; with a strain of up to 2 % on top. Right is
  the crystal itself or one that StructureMatcher finds the same. `--among FILE` puts its crystals beside those.
- AUC: the same crystal with noise (and strain) against another structure, by StructureMatcher, of the same composition;
  the other structures that are most alike are told by name.
- prototypes: AFLOW's, elements replaced at random, another volume, noise and strain; the nearest must be the
  prototype, or one that StructureMatcher finds the same whatever the elements.

`--latents N` measures the codec's latents too, pooled over patches and four origins, on the first N crystals.
"""

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.stats import rankdata, special_ortho_group

from xtalcodec import Codec
from xtalcodec.codecs.base import CrystalError
from xtalcodec.crystal import Crystal
from xtalcodec.datasets import load
from xtalcodec.embedding.embedding import Embedding, Of
from xtalcodec.evaluation.amd import average_minimum_distance
from xtalcodec.evaluation.duplicates import same
from xtalcodec.geometry.compositions import composition, of_one_composition
from xtalcodec.geometry.symmetry import primitive
from xtalcodec.io.write import write_parquet
from xtalcodec.representations.base import spread_origin
from xtalcodec.training.derived import supercell
from xtalcodec.training.embedding_views import distorted

warnings.simplefilter("ignore")  # pymatgen's, about odd cells
torch.set_num_threads(1)
NOISE, STRAIN = 0.05, 0.02
NEAREST = 30
"""Pairs of other structures that are told by name."""
MORE = "found among"
"""Name of the crystals that are no queries."""
Table = np.ndarray
"""One row a crystal."""


def resettled(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """The same crystal in another cell, turned and moved, its sites in another order."""
    basis = np.eye(3, dtype=np.int64)
    for _ in range(3):
        a, b = rng.permutation(3)[:2]
        basis[a] += rng.integers(-1, 2) * basis[b]
    other = crystal.in_basis(basis).translated(rng.random(3))
    order, turn = rng.permutation(len(crystal)), special_ortho_group.rvs(3, random_state=rng)
    shares = None if crystal.occupancies is None else crystal.occupancies[order]
    places = {"frac_coords": other.frac_coords[order], "numbers": crystal.numbers[order], "occupancies": shares}
    return replace(other.without_properties(), lattice=other.lattice @ turn, **places)


def doubled(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """A supercell of two to four cells."""
    counts = np.ones(3, dtype=np.int64)
    for _ in range(2):
        counts[rng.integers(3)] *= 2
    return supercell(crystal.without_properties(), counts)


VIEWS: dict[str, Callable[[Crystal, np.random.Generator], Crystal]] = {
    "setting": resettled,
    "noise": lambda c, rng: distorted(c.without_properties(), NOISE, 0, rng),
    "supercell + noise": lambda c, rng: distorted(doubled(c, rng), NOISE, 0, rng),
    "noise + strain": lambda c, rng: distorted(c.without_properties(), NOISE, STRAIN, rng),
}


def disguised(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """A crystal with its elements replaced at random, another volume, noise and strain."""
    names = dict(zip(crystal.elements, rng.permutation(np.arange(1, 84)), strict=False))
    numbers = np.array([names[z] for z in crystal.numbers.tolist()])
    scaled = replace(crystal.without_properties(), numbers=numbers, lattice=crystal.lattice * rng.uniform(0.9, 1.1))
    return distorted(resettled(scaled, rng), NOISE, STRAIN, rng)


# Ways to compare: crystals → rows, and two tables of rows → likeness


def cosines(a: Table, b: Table) -> Table:
    """Of vectors of length 1."""
    return a @ b.T


def minus_chebyshev(a: Table, b: Table) -> Table:
    """Minus the largest difference, the distance of the AMD paper."""
    return -cdist(a, b, "chebyshev")


def compositions(crystals: Sequence[Crystal]) -> Table:
    """Shares of the elements, of length 1."""
    table = np.array([crystal.content[1:] for crystal in crystals])
    return table / np.linalg.norm(table, axis=1, keepdims=True)


def distances(crystals: Sequence[Crystal]) -> Table:
    """Average minimum distances."""
    return np.array([average_minimum_distance(crystal) for crystal in crystals])


def scaled_distances(crystals: Sequence[Crystal]) -> Table:
    """The same in units of (volume per site)^(1/3)."""
    return distances(crystals) / np.array([[(c.volume / len(c)) ** (1 / 3)] for c in crystals])


def pooled(embedding: Embedding, of: Of) -> Callable[[Sequence[Crystal]], Table]:
    """Mean and deviation of what surrounds the sites, with no network, on the scale of the training crystals."""
    network = embedding.networks[of]
    mean, deviation = network.mean.numpy(), network.deviation.numpy()

    def rows(crystals: Sequence[Crystal]) -> Table:
        sites = [(embedding.sites(crystal, of) - mean) / deviation for crystal in crystals]
        table = np.array([np.concatenate([one.mean(0), one.std(0)]) for one in sites])
        return table / np.linalg.norm(table, axis=1, keepdims=True)

    return rows


def pooled_latents(codec: Codec) -> Callable[[Sequence[Crystal]], Table]:
    """Mean and deviation of the latent over patches and origins of the primitive cell, and the composition."""

    def rows(crystals: Sequence[Crystal]) -> Table:
        cells = [primitive(crystal) for crystal in crystals]
        moved = [cell.translated(spread_origin(k)) for cell in cells for k in range(4)]
        codes = codec.encode_placed([codec.place(cell) for cell in moved], refine=False)
        latents = [np.concatenate([code.z for code in codes.codes[4 * k : 4 * k + 4]]) for k in range(len(cells))]
        table = np.array([np.concatenate([z.mean(0), z.std(0) - 1]) for z in latents])
        table = np.concatenate([table, compositions(crystals)], 1)
        return table / np.linalg.norm(table, axis=1, keepdims=True)

    return rows


Rows = Callable[[Sequence[Crystal]], Table]
Likeness = Callable[[Table, Table], Table]


def recall(scores: Table, crystals: Sequence[Crystal]) -> float:
    """Share of the rows, which are of the first crystals, whose best column is the same one by StructureMatcher."""
    best = scores.argmax(1)
    right = [k == j or (composition(crystals[k]) == composition(crystals[j]) and same(crystals[k], crystals[j]))
             for k, j in enumerate(best)]  # fmt: skip
    return float(np.mean(right))


def area(positive: Table, negative: Table) -> float:
    """Area under the ROC curve: how often a positive is above a negative."""
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)].sum()
    return float((ranks - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def measured(
    rows: dict[str, Table], likeness: Likeness, sets: dict[str, list[Crystal]], others: Sequence[tuple[int, int]]
) -> dict[str, float]:
    """Recall for every view, also among those of one composition alone, AUC, and the least likeness of views."""
    asked, result, all_of = len(sets["given"]), {}, [name for name in ("given", MORE) if name in sets]
    crystals, plain = [c for name in all_of for c in sets[name]], np.concatenate([rows[name] for name in all_of])
    forms = {form: k for k, group in enumerate(of_one_composition(crystals).values()) for form in group}
    form = np.array([forms[k] for k in range(len(crystals))])
    places = sorted({k for pair in others for k in pair})
    negative = np.array([likeness(plain[[a]], plain[[b]])[0, 0] for a, b in others])
    for name in VIEWS:
        scores = likeness(rows[name], plain)
        own = np.diagonal(scores).copy()
        result[f"recall, {name}"] = recall(scores, crystals)
        result[f"recall, {name}, of one composition"] = recall(
            np.where(form[:asked, None] == form, scores, -np.inf), crystals
        )
        result[f"likeness, {name}, worst 1 %"] = float(np.percentile(own, 1))
        if name != "setting":
            result[f"AUC, {name}"] = area(own[places], negative)
    return result


def timed(rows_of: Rows, sets: dict[str, list[Crystal]]) -> tuple[dict[str, Table], float]:
    """Rows of all sets, and crystals per second of CPU time."""
    start = time.process_time()
    rows = {name: rows_of(crystals) for name, crystals in sets.items()}
    return rows, sum(map(len, sets.values())) / (time.process_time() - start)


def prototypes(ways: dict[str, tuple[Rows, Likeness]], rng: np.random.Generator) -> dict[str, float]:
    """Share of disguised prototypes that are named right."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    known, _ = load("aflow-prototypes")
    seen = [disguised(crystal, rng) for crystal in known]
    matcher, result, verdicts = StructureMatcher(), {}, {}

    def alike(j: int, k: int) -> bool:
        if (j, k) not in verdicts:
            pair = known[j].to_pymatgen(), known[k].to_pymatgen()
            verdicts[j, k] = j == k or bool(matcher.fit_anonymous(*pair))
        return verdicts[j, k]

    for name, (rows_of, likeness) in ways.items():
        best = likeness(rows_of(seen), rows_of(known)).argmax(1)
        result[f"{name}, itself"] = float(np.mean(best == np.arange(len(known))))
        result[name] = float(np.mean([alike(min(j, k), max(j, k)) for j, k in enumerate(best)]))
    return result


def usable(codec: Codec, crystals: Sequence[Crystal]) -> Iterator[Crystal]:
    """Those that the embedding and the codec know."""
    for crystal in crystals:
        try:
            codec.embedding.check(crystal)
            codec.place(crystal)
            yield crystal
        except CrystalError as error:
            print(f"left out: {crystal.name}: {error}")


def measure(options: argparse.Namespace) -> None:
    """Print the tables."""
    codec, rng = Codec.from_pretrained(options.codec), np.random.default_rng(options.seed)
    embedding = codec.embedding
    crystals = list(usable(codec, load(options.data)[0][: options.crystals]))
    sets = {"given": crystals} | {name: [view(c, rng) for c in crystals] for name, view in VIEWS.items()}
    if options.among:
        own = {crystal.name for crystal in crystals}
        sets[MORE] = list(usable(codec, [c for c in load(options.among)[0] if c.name not in own]))
    pairs = [pair for group in of_one_composition(crystals).values() for pair in combinations(group, 2)]
    others = [(a, b) for a, b in pairs if not same(crystals[a], crystals[b])]
    print(f"{embedding.identity}, {len(crystals)} crystals beside {len(sets.get(MORE, []))};", end=" ")
    print(f"{len(pairs)} pairs of one composition, {len(others)} others")
    ways: dict[str, tuple[Rows, Likeness]] = {
        "vector": (embedding.vectors, cosines),
        "surroundings, no network": (pooled(embedding, "crystal"), cosines),
        "AMD": (distances, minus_chebyshev),
        "composition alone": (compositions, cosines),
    }
    results: dict[str, dict[str, float]] = {}
    n = options.latents
    fewer = [pair for pair in others if max(pair) < n]
    few = {name: some[:n] for name, some in sets.items()}
    for name, (rows_of, likeness) in ways.items():
        rows, speed = timed(rows_of, sets)
        if name == "vector":
            tell_nearest(rows["given"], crystals, others)
        results[name] = {"crystals per second": speed, **measured(rows, likeness, sets, others)}
        tell(name, results[name])
        if n and name == "vector":
            of_few = {key: table[:n] for key, table in rows.items()}
            results[f"vector, first {n}"] = measured(of_few, likeness, few, fewer)
            tell(f"vector, first {n}", results[f"vector, first {n}"])
    if n:
        rows, speed = timed(pooled_latents(codec), few)
        results[f"latents, first {n}"] = {"crystals per second": speed, **measured(rows, cosines, few, fewer)}
        tell(f"latents, first {n}", results[f"latents, first {n}"])
    structures: dict[str, tuple[Rows, Likeness]] = {
        "vector": (lambda some: embedding.vectors(some, "structure"), cosines),
        "surroundings, no network": (pooled(embedding, "structure"), cosines),
        "AMD, scaled": (scaled_distances, minus_chebyshev),
    }
    results["prototypes"] = prototypes(structures, rng)
    tell("prototypes", results["prototypes"])
    if options.json:
        options.json.write_text(
            json.dumps({"embedding": embedding.identity, "crystals": len(crystals), **results}, indent=1)
        )


def tell_nearest(vectors: Table, crystals: Sequence[Crystal], others: Sequence[tuple[int, int]]) -> None:
    """Print the other structures of one composition that are most alike, and whether one is in a cell of the other."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(attempt_supercell=True)
    alike = {pair: float(vectors[pair[0]] @ vectors[pair[1]]) for pair in others}
    for pair in sorted(others, key=lambda pair: -alike[pair])[:NEAREST]:
        first, second = (crystals[k] for k in pair)
        here, there = first.to_pymatgen(), second.to_pymatgen()
        super_cell = matcher.fit(here, there) or matcher.fit(there, here)
        what = "a supercell's distortion" if super_cell else ""
        print(f"  {alike[pair]:.4f} {first.formula:16} {first.name} {second.name} {what}")


def tell(name: str, rows: dict[str, float]) -> None:
    """Print some numbers."""
    print(name, *(f"  {key:40} {value:.4f}" for key, value in rows.items()), sep="\n", flush=True)


def split(options: argparse.Namespace) -> None:
    """Hold out a fifth of the compositions."""
    crystals, _ = load(options.data)
    groups, rng = of_one_composition(crystals), np.random.default_rng(options.seed)
    held = {form for form in groups if int.from_bytes(hashlib.sha256(repr(form).encode()).digest()[:8]) < 2**64 / 5}
    for name, forms, most in (("test", held, options.test), ("learn", groups.keys() - held, options.learn)):
        ordered = [groups[form] for form in groups if form in forms]
        shared = [group for group in ordered if len(group) > 1]
        single = [group for group in ordered if len(group) == 1]
        if name == "learn":  # a third of it shares its compositions
            shared = [shared[k] for k in rng.permutation(len(shared))[: most // 7]]
        places = [k for group in shared for k in group]
        places += [single[k][0] for k in rng.permutation(len(single))[: max(0, most - len(places))]]
        write_parquet([crystals[k] for k in sorted(places)], options.out / f"{name}.parquet")
        print(f"{name}: {len(places)} crystals, {len(shared)} compositions of several")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=["split", "measure"])
parser.add_argument("data", nargs="+")
parser.add_argument("--out", type=Path, default=Path("parts"))
parser.add_argument("--learn", type=int, default=3000)
parser.add_argument("--test", type=int, default=2000)
parser.add_argument("--codec", default="mp")
parser.add_argument("--crystals", type=int, default=2000)
parser.add_argument("--among", nargs="*", default=[])
parser.add_argument("--latents", type=int, default=0)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--json", type=Path)

if __name__ == "__main__":
    chosen = parser.parse_args()
    (split if chosen.what == "split" else measure)(chosen)
