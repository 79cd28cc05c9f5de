"""Accuracy against code length: linear codes, mp-unit-cell on grids of other numbers of patches, and other codecs.

python benchmarks/code_length.py --data crystals.parquet [--crystals 200] [--refine] [--noise 0.001] [--codecs …]

Each crystal that fits is rotated uniformly and seen once, the same way for every code. Latents are the encoder's own,
or with --refine improved through the decoder. The weights know 6 patches along an axis; other numbers are new to them.
A linear code of n modes has n + 24 numbers. With --noise, every latent number is moved at random by that share of the
code's root mean square before it is decoded.
"""

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from xtalcodec import Codec
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.codecs.registry import open_codec
from xtalcodec.datasets import load
from xtalcodec.evaluation.windows import measure, window_summary

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="aflow-prototypes", help="crystals to work on")
parser.add_argument("--crystals", type=int, default=200)
parser.add_argument("--patches", type=int, nargs="*", default=[4, 5, 6, 7])
parser.add_argument("--modes", type=int, nargs="*", default=[76, 126, 176, 276])
parser.add_argument("--codecs", nargs="*", default=["mp-unit-cell-280"])
parser.add_argument("--noise", type=float, default=0.0)
parser.add_argument("--refine", action="store_true")
options = parser.parse_args()


def shaken(codec: Codec) -> Codec:
    """The codec with latents that are off a little."""
    encode = codec.encode_placed

    def encode_and_shake(*arguments: Any, **settings: Any) -> LatentSet:
        latents, rng = encode(*arguments, **settings), np.random.default_rng(0)
        codes = []
        for code in latents:
            size = options.noise * np.sqrt(np.mean(code.z**2))
            codes.append(replace(code, z=(code.z + size * rng.normal(size=code.z.shape)).astype(np.float32)))
        return replace(latents, codes=tuple(codes))

    codec.encode_placed = encode_and_shake  # type: ignore[method-assign]
    return codec


def on_patches(count: int) -> Codec:
    """The codec in the box on another grid."""
    given = Codec.from_pretrained("mp-unit-cell")
    representation = replace(given.config.representation, patches=count)
    codec = open_codec(replace(given.config, representation=representation))
    codec.network.load_state_dict(given.network.state_dict())
    return shaken(codec)


def of_modes(count: int) -> Codec:
    """The linear codec in the box at another length."""
    config = Codec.from_pretrained("linear-unit-cell").config
    return shaken(open_codec(replace(config, network=replace(config.network, latent=count))))


crystals, _ = load(options.data)
step = max(1, len(crystals) // options.crystals)
chosen = crystals[::step][: options.crystals]
codecs = {name: shaken(Codec.from_pretrained(name)) for name in options.codecs}
codecs |= {f"linear-unit-cell, {n} modes": of_modes(n) for n in options.modes}
codecs |= {f"mp-unit-cell, {n}³ patches": on_patches(n) for n in options.patches}
torch.manual_seed(0)
print(f"{'code':28} numbers  fit  distance 50 / 90 / 95 % (Å)    count   species  crystal back")
for name, codec in codecs.items():
    scores = window_summary(measure(codec, chosen, refine=options.refine))
    distances = " / ".join(f"{scores['true_to_decoded_percentiles'][q]:.2g}" for q in ("50", "90", "95"))
    rates = "  ".join(
        f"{100 * scores[k]:6.2f} %" for k in ("count_per_window", "species_per_atom", "match_rate_fitting")
    )
    print(f"{name:28} {scores['code_length']:7.0f} {scores['fit']:4d}  {distances:28} {rates}", flush=True)
