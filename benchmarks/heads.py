"""How well heads predict formation energy, band gap and energy above the hull, against composition alone.

python benchmarks/heads.py mp_train.parquet --val mp_val.parquet --looks looks/ [--out heads/] [--json FILE]
    [--properties formation_energy band_gap e_above_hull] [--ways head absolute squares vector] [--set epochs=40]
    [--start formation_energy] [--codec mp] [--seed 0]

For each property, on the same rows:

- head: `training.heads.train_head`, as `xtalcodec train-head` does; a tenth of the rows is kept back to calibrate it;
- absolute, squares: gradient boosting (scikit-learn) of absolute errors and of squares on Magpie's 132 features of the
  composition (Ward et al. 2016); what is mostly 0, as band gaps are, wants squares;
- vector: as squares, with the embedding's vector beside the features;
- the median of the training rows for all.

Mean absolute errors on all of the held-out rows, and on those without a twin (StructureMatcher) among the training
rows. Looking at crystals takes longest: what was seen is kept in `--looks`, with the identity of the codec. `--out`
writes the heads. scikit-learn and matminer come with the extra `judge`.
"""

import argparse
import json
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xtalcodec import Codec
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets import load
from xtalcodec.embedding.embedding import Embedding
from xtalcodec.embedding.surroundings import SurroundingsConfig
from xtalcodec.evaluation.duplicates import same
from xtalcodec.geometry.compositions import composition
from xtalcodec.heads.head import Seen
from xtalcodec.training.head_recipe import HeadRecipe, recipe_of
from xtalcodec.training.heads import Examples, Wanted, facts_of, keep, known, measured, train_head

warnings.simplefilter("ignore")  # pymatgen's, about noble gases and odd cells
torch.set_num_threads(1)

WANTED = {
    "formation_energy": ("formation_energy_per_atom", Wanted("formation_energy", "eV/atom")),
    "band_gap": ("band_gap", Wanted("band_gap", "eV", 0.0)),
    "e_above_hull": ("e_above_hull", Wanted("e_above_hull", "eV/atom", 0.0)),
}
"""Name of a property → its column, and what a head is to know of it."""

LOSSES = {"absolute": "absolute_error", "squares": "squared_error", "vector": "squared_error"}
"""Baseline → the loss of its gradient boosting."""

SOURCE = "Materials Project (CC BY 4.0); LeMat-Bulk, which the codec was trained on too, has no values here"


def looked(
    crystals: Sequence[Crystal], codec: Codec, at: SurroundingsConfig, folder: Path, name: str
) -> dict[str, Seen]:
    """Look at crystals, or take what was kept: by the names of the crystals."""
    file, look, looks = folder / f"{name}.npz", codec.look(at), f"{codec.identity}, {at}"
    if file.is_file():
        kept = np.load(file)  # arrays alone: nothing is unpickled
        if str(kept["looks"]) != looks:
            raise SystemExit(f"{file} is of {kept['looks']}, not of {looks}")
        ends = np.cumsum(kept["counts"])[:-1]
        parts = np.split(kept["sites"], ends), np.split(kept["share"], ends)
        return {n: Seen(*of, c) for n, c, *of in zip(kept["names"].tolist(), kept["composition"], *parts, strict=True)}
    seen = {}
    for crystal in crystals:
        try:
            seen[crystal.name] = look(crystal)
        except CrystalError as error:
            print(f"left out: {crystal.name}: {error}")
    folder.mkdir(parents=True, exist_ok=True)
    tables = {field: [getattr(one, field) for one in seen.values()] for field in ("sites", "share", "composition")}
    np.savez(
        file,
        sites=np.concatenate(tables["sites"]),
        share=np.concatenate(tables["share"]),
        composition=np.stack(tables["composition"]),
        counts=np.array([len(rows) for rows in tables["share"]]),
        names=np.array(list(seen)),
        looks=np.array(looks),
    )
    return seen


def with_column(crystals: Sequence[Crystal], seen: dict[str, Seen], column: str) -> tuple[Examples, list[Crystal]]:
    """Crystals with a number in a column that were looked at."""
    some = [c for c in crystals if c.name in seen and isinstance(c.properties.get(column), int | float)]
    values = np.array([float(c.properties[column]) for c in some])
    elements, forms = [frozenset(c.elements) for c in some], [composition(c) for c in some]
    return Examples([seen[c.name] for c in some], values, elements, forms), some


def magpie(crystals: Sequence[Crystal]) -> np.ndarray:
    """Magpie's 132 features, as matminer's `ElementProperty` makes them, of many compositions at once."""
    from matminer.featurizers.composition.composite import ElementProperty
    from pymatgen.core import Element

    preset = ElementProperty.from_preset("magpie")
    known = preset.data_source.get_elemental_property
    table = np.array([[known(Element.from_Z(z), name) for name in preset.features] for z in range(1, 101)], dtype=float)
    rows = []
    for crystal in crystals:
        shares = crystal.content[1:101] / crystal.content.sum()
        here = shares > 0
        values, weights = table[here], shares[here][:, None]
        mean = (weights * values).sum(0)
        most = values[np.isclose(weights[:, 0], weights.max())].min(0)
        least, largest = values.min(0), values.max(0)
        spread = (weights * abs(values - mean)).sum(0)
        rows.append(np.stack([least, largest, largest - least, mean, spread, most], 1).ravel())
    return np.array(rows)


def vectors(crystals: Sequence[Crystal], embedding: Embedding) -> np.ndarray:
    """The embedding's vectors; no numbers for crystals with an element that it never saw."""
    table = np.full((len(crystals), embedding.size), np.nan)
    known = [k for k, crystal in enumerate(crystals) if {*crystal.elements} <= {*embedding.about.elements}]
    table[known] = embedding.vectors([crystals[k] for k in known])
    return table


def boosted(learn: np.ndarray, values: np.ndarray, test: np.ndarray, seed: int, loss: str) -> np.ndarray:
    """Predictions of gradient boosting that lowers a loss, stopped by a tenth of the rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        loss=loss, learning_rate=0.1, max_iter=600, max_leaf_nodes=63, early_stopping=True,
        n_iter_no_change=30, validation_fraction=0.1, random_state=seed,
    )  # fmt: skip
    return model.fit(learn, values).predict(test)


def twins(test: Sequence[Crystal], learn: Sequence[Crystal]) -> list[bool]:
    """Whether each test crystal is the same as one that is learnt from, by StructureMatcher."""
    forms: dict[Any, list[Crystal]] = {}
    for crystal in learn:
        forms.setdefault(composition(crystal), []).append(crystal)
    return [any(same(one, other) for other in forms.get(composition(one), ())) for one in test]


def errors(off: np.ndarray, alone: np.ndarray) -> dict[str, float]:
    """Mean absolute errors, of all and of crystals without a twin."""
    return {"mae": float(off.mean()), "mae_without_twins": float(off[alone].mean())}


def compare(
    name: str, crystals: tuple[list[Crystal], list[Crystal]], seen: tuple[dict[str, Seen], dict[str, Seen]],
    alike: dict[str, bool], codec: Codec, recipe: HeadRecipe, options: argparse.Namespace,
) -> dict[str, Any]:  # fmt: skip
    """Measure a head and the baselines of one property."""
    column, wanted = WANTED[name]
    learn, of_learn = with_column(crystals[0], seen[0], column)
    test, of_test = with_column(crystals[1], seen[1], column)
    print(f"{name}: {len(learn)} crystals to learn from, {len(test)} held out", flush=True)
    alone = np.array([not alike[crystal.name] for crystal in of_test])
    typical = float(np.median(learn.values))
    rows: dict[str, dict[str, float]] = {}
    if "head" in options.ways:
        begun = codec.head(options.start) if options.start else None
        head, facts = train_head(wanted, learn, codec.identity, recipe, shown, begun)
        scores = measured(head, test, typical)
        asked = np.array([own <= {*head.about.elements} for own in test.elements])
        found = head.of_seen(known(test, frozenset(head.about.elements)).seen)
        value, reach = np.full(len(test), typical), np.zeros(len(test))
        value[asked], reach[asked] = found.values, found.uncertainties  # a refused crystal is known as badly as can be
        off = abs(value - test.values)
        rows["head"] = {**errors(off, alone), "coverage": float((off <= reach).mean())}
        rows["head"] |= {"coverage_without_twins": float((off <= reach)[alone].mean())}
        rows["head"] |= {
            "uncertainty": scores["uncertainty"],
            "refused": scores["refused"],
            "seconds": facts["seconds"],
        }
        tell(name, rows)
        if options.out:
            about = {"data": Path(options.data).name, "val": Path(options.val).name, "command": command()}
            about |= {"licence": "cc-by-4.0", "source": SOURCE}
            keep(head, options.out / name, about | facts | {"held_out": scores} | facts_of(recipe))
    tables = [magpie(of_learn), magpie(of_test)] if {*options.ways} - {"head"} else []
    for way in (way for way in LOSSES if way in options.ways):
        if way == "vector":
            some = zip(tables, (of_learn, of_test), strict=True)
            tables = [np.concatenate([table, vectors(those, codec.embedding)], 1) for table, those in some]
        start = time.process_time()
        found_here = boosted(tables[0], learn.values, tables[1], recipe.seed, LOSSES[way])
        rows[way] = {**errors(abs(found_here - test.values), alone), "CPU seconds": time.process_time() - start}
    rows["median"] = errors(abs(test.values - typical), alone)
    tell(name, rows)
    return {"learnt": len(learn), "held_out": len(test), "twins": int((~alone).sum()), **rows}


def command() -> str:
    """What was typed, of paths the last names."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    return shlex.join(["python", "benchmarks/heads.py", *words])


def shown(what: str, total: int) -> Any:
    """Print every tenth part of what is done."""
    done, start = [0], time.monotonic()

    def advance(more: int) -> None:
        done[0] += more
        if done[0] % max(1, total // 10) == 0:
            print(f"  {what}: {done[0]} of {total}, {time.monotonic() - start:.0f} s", flush=True)

    return advance


def tell(name: str, rows: dict[str, dict[str, float]]) -> None:
    """Print some numbers."""
    for way, values in rows.items():
        print(f"{name:18} {way:16}", *(f"{key} {value:.4f} " for key, value in values.items()), flush=True)


def main(options: argparse.Namespace) -> None:
    """Measure every property."""
    codec = Codec.from_pretrained(options.codec)
    recipe = recipe_of([*options.set, f"seed={options.seed}"])
    crystals = load(options.data)[0], load(options.val)[0]
    columns = [WANTED[name][0] for name in options.properties]
    some = [[c for c in those if any(column in c.properties for column in columns)] for those in crystals]
    files = options.data, options.val
    seen = [looked(c, codec, recipe.looks, options.looks, Path(f).stem) for c, f in zip(some, files, strict=True)]
    others = [] if options.no_twins else some[0]
    alike = dict(zip((c.name for c in some[1]), twins(some[1], others), strict=True))
    print(f"{sum(alike.values())} of {len(alike)} held-out crystals have a twin", flush=True)
    result: dict[str, Any] = {"codec": codec.identity, "embedding": codec.embedding.identity}
    for name in options.properties:
        result[name] = compare(name, (some[0], some[1]), (seen[0], seen[1]), alike, codec, recipe, options)
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data")
parser.add_argument("--val", required=True)
parser.add_argument("--looks", type=Path, required=True)
parser.add_argument("--out", type=Path)
parser.add_argument("--json", type=Path)
parser.add_argument("--properties", nargs="+", choices=list(WANTED), default=list(WANTED))
parser.add_argument("--ways", nargs="+", choices=["head", *LOSSES], default=["head", "absolute", "squares"])
parser.add_argument("--no-twins", action="store_true", help="do not search for twins")
parser.add_argument("--set", action="append", default=[])
parser.add_argument("--start", help="a head of the codec, or its folder, to begin with")
parser.add_argument("--codec", default="mp")
parser.add_argument("--seed", type=int, default=0)

if __name__ == "__main__":
    main(parser.parse_args())
