"""How often a crystal is completed to what it was, and how far variations stay crystals.

python benchmarks/completion.py --data FILE [--prior perov-5] [--crystals 100] [--tries 20] [--noise 0.1] [--json FILE]

Of each held-out crystal all sites of one species, drawn at random, are taken out, and drawn anew `tries` times. It is
found again if as many sites are new, each of the species within 0.3 Å of a place that was left, no two of one place:
by any of the ways that `complete` gives, `tries` at most, or by the first of them; the same as drawn (`--as-drawn`).
Variations (`alter --noise`, 5 of each of the first 20 crystals) are valid if their atoms are apart and have room.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from xtalcodec import Codec, Crystal, datasets
from xtalcodec.codecs.hub import named_in
from xtalcodec.evaluation.displacement import rms_displacement
from xtalcodec.evaluation.generation import assess
from xtalcodec.geometry.distances import distances
from xtalcodec.latent_space.complete import Completed, complete
from xtalcodec.latent_space.flows import variations
from xtalcodec.priors import open_prior

NEAR = 0.3
VARIED, VARIATIONS = 20, 5
KEYS = "best", "surest", "best as drawn", "surest as drawn", "share as drawn"
"""Found again by any of the ways, by the surest; by any draw, by the one the decoder is surest of; share of draws."""


def found_again(crystal: Crystal, gone: np.ndarray, way: Completed) -> bool:
    """Whether what was added is what was taken out."""
    z, kept = crystal.numbers[gone][0], int((~gone).sum())
    made = way.crystal
    if way.added != gone.sum() or (made.numbers[kept:] != z).any():
        return False
    far = distances(crystal.frac_coords[gone], made.frac_coords[kept:], crystal.lattice)
    return bool((far[linear_sum_assignment(far)] <= NEAR).all())


def evenly(crystals: list[Crystal], n: int) -> list[Crystal]:
    """So many, spread over all."""
    return [crystals[k * len(crystals) // n] for k in range(min(n, len(crystals)))]


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", required=True)
parser.add_argument("--prior", default="perov-5")
parser.add_argument("--crystals", type=int, default=100)
parser.add_argument("--tries", type=int, default=20)
parser.add_argument("--noise", type=float, nargs="*", default=[0.1, 0.3, 0.5])
parser.add_argument("--json", type=Path)

if __name__ == "__main__":
    options = parser.parse_args()
    prior = open_prior(options.prior)
    codec = Codec.from_pretrained(named_in(options.prior, prior.codec))
    chosen = evenly(datasets.load([options.data])[0], options.crystals)
    rng, rows, start = np.random.default_rng(0), [], time.process_time()
    for k, crystal in enumerate(chosen):
        gone = crystal.numbers == rng.choice(np.unique(crystal.numbers))
        row = {"name": crystal.name, "sites": int(gone.sum())}
        for kind, as_drawn in (("", False), (" as drawn", True)):
            ways = complete(codec, prior, crystal, gone, options.tries, seed=k, as_drawn=as_drawn)
            right = [found_again(crystal, gone, way) for way in ways]
            row |= {f"best{kind}": any(right), f"surest{kind}": any(right[:1])}
        rows.append(row | {"share as drawn": sum(right) / options.tries})
        if k % 10 == 9 or k + 1 == len(chosen):
            told = ", ".join(f"{key} {100 * np.mean([row[key] for row in rows]):.1f} %" for key in KEYS)
            print(f"{k + 1} of {len(chosen)} crystals, {time.process_time() - start:.0f} s: {told}", flush=True)
    seconds = time.process_time() - start
    varied = []
    for noise in options.noise:
        valid, alike = [], []
        for k, crystal in enumerate(evenly(chosen, VARIED)):
            codes = variations(codec, prior, crystal, noise, VARIATIONS, k)
            decoded = codec.decode_crystals(codes, holding=[crystal.holding] * len(codes))
            valid += [one.valid for one in assess(codec, codes, decoded)]
            alike += [d is not None and rms_displacement(crystal, d.crystal) is not None for d in decoded]
        varied.append({"noise": noise, "n": len(valid), "valid": np.mean(valid), "same": np.mean(alike)})
        shares = [100 * np.mean(x) for x in (valid, alike)]
        print(f"noise {noise:g}: {shares[0]:.1f} % of {len(valid)} valid, {shares[1]:.1f} % the same", flush=True)
    if options.json:
        about = {"codec": codec.identity, "tries": options.tries, "seconds": seconds}
        options.json.write_text(json.dumps({**about, "crystals": rows, "varied": varied}, indent=1))
