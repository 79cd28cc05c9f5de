"""How well crystals come back from latents that are off, as those of any generator are.

python benchmarks/latent_noise.py --data mp_val.parquet [--codec mp] [--crystals 300] [--noise 0 0.1 0.3] [--json FILE]

Every latent number is moved at random by so many of its standard deviations over all patches of the crystals; a
decoder that has learnt to live with noise is told how much. Latents are the encoder's own. Of the sites that have
another element, the last column says how many have one that could replace the right one: of the same group, or with an
electronegativity within 0.3 and a radius within 0.2 Å.
"""

import argparse
import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Element
from scipy.optimize import linear_sum_assignment

from xtalcodec import Codec
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets import load
from xtalcodec.evaluation.reconstruction import NOTHING, Reconstruction, compare, summary
from xtalcodec.geometry.images import minimum_image

warnings.simplefilter("ignore")  # noble gases have no electronegativity


def shaken(latents: LatentSet, level: float, told: float, seed: int) -> LatentSet:
    """Latents that are off by `level` standard deviations, and that say so up to `told`."""
    scale, rng = np.concatenate([code.z for code in latents]).std(0), np.random.default_rng(seed)
    codes = []
    for code in latents:
        moved = code.z + level * scale * rng.normal(size=code.z.shape)
        codes.append(replace(code, z=moved.astype(np.float32), noise=min(level, told)))
    return replace(latents, codes=tuple(codes))


def alike(z: int, other: int) -> bool:
    """Whether one element could replace the other."""
    a, b = Element.from_Z(z), Element.from_Z(other)
    if a.group == b.group:
        return True
    known = None not in (a.atomic_radius, b.atomic_radius) and not np.isnan([a.X, b.X]).any()
    return bool(known and abs(a.X - b.X) <= 0.3 and abs(a.atomic_radius - b.atomic_radius) <= 0.2)


def mistaken(row: Reconstruction) -> list[tuple[int, int]]:
    """True and decoded element of the sites that have another, paired one to one by distance."""
    a, b = row.original, row.decoded
    if b is None or len(a) != len(b):
        return []
    apart = np.linalg.norm(minimum_image(a.frac_coords[:, None] - b.frac_coords) @ a.lattice, axis=-1)
    pairs = linear_sum_assignment(apart)
    return [(int(x), int(y)) for x, y in zip(a.numbers[pairs[0]], b.numbers[pairs[1]], strict=True) if x != y]


def measured(codec: Codec, crystals: Sequence[Crystal], latents: LatentSet) -> dict[str, Any]:
    """Scores of what the latents decode to."""
    rows = []
    for crystal, found in zip(crystals, codec.decode_crystals(latents), strict=True):
        given = (None, 0.0, 0, None, NOTHING) if found is None else (found.crystal, found.confidence, 0, None, "")
        rows.append(compare(crystal, *given))
    wrong = [pair for row in rows for pair in mistaken(row)]
    scores = {
        k: v for k, v in summary(rows, codec).items() if k in ("match_rate", "rmse", "count_rate", "composition_rate")
    }
    scores["occupancy_error"] = summary(rows, codec)["occupancy_error"]
    return scores | {"wrong_elements": len(wrong), "alike": sum(alike(*pair) for pair in wrong)}


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="aflow-prototypes")
parser.add_argument("--codec", default="mp")
parser.add_argument("--crystals", type=int, default=300)
parser.add_argument("--noise", type=float, nargs="*", default=[0.0, 0.05, 0.1, 0.2, 0.3, 0.5])
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--json", type=Path)

if __name__ == "__main__":
    options = parser.parse_args()
    codec = Codec.from_pretrained(options.codec)
    every, _ = load(options.data)
    chosen, placed = [], []
    for crystal in every[:: max(1, len(every) // options.crystals)][: options.crystals]:
        try:
            placed.append(codec.place(crystal))
            chosen.append(crystal)
        except CrystalError as error:
            print(f"left out: {crystal.name}: {error}")
    latents = codec.encode_placed(placed, refine=False)
    print(f"{codec.identity}, {len(chosen)} crystals of {Path(options.data).name}; told up to {codec.most_noise:g}")
    print("noise   matched    rmse     count   composition   wrong elements, of them alike")
    results = {}
    for level in options.noise:
        s = results[level] = measured(codec, chosen, shaken(latents, level, codec.most_noise, options.seed))
        rmse = "–" if s["rmse"] is None else f"{s['rmse']:.4f}"
        share = f"{100 * s['alike'] / s['wrong_elements']:.0f} %" if s["wrong_elements"] else "–"
        print(
            f"{level:5.2f} {100 * s['match_rate']:8.2f} % {rmse:>7} {100 * s['count_rate']:8.2f} % "
            f"{100 * s['composition_rate']:9.2f} % {s['wrong_elements']:10d}, {share}",
            flush=True,
        )
    if options.json:
        options.json.write_text(
            json.dumps({"codec": codec.identity, "crystals": len(chosen), "noise": results}, indent=1)
        )
