"""How often a flow's crystals are what was asked for.

python benchmarks/asked.py --data FILE [--prior mp] [--crystals 200] [--asked NAME ...] [--guidance 2] [--json FILE]

One sample is asked for like each of some held-out crystals: of its elements, of its composition, with its number of
sites, in its space group; and one of nothing in particular. A sample is right if the decoded crystal has what was asked
for (space groups by spglib within 0.1 Å) and apart if no two atoms are nearer than 0.5 Å besides. What decodes to
nothing is neither.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from xtalcodec import Codec, Crystal, datasets
from xtalcodec.codecs.hub import named_in
from xtalcodec.evaluation.generation.validity import structure_valid
from xtalcodec.geometry.compositions import composition
from xtalcodec.geometry.symmetry import space_group_number
from xtalcodec.latent_space.sample import draw
from xtalcodec.priors import open_prior
from xtalcodec.priors.conditions import Conditions

ASKED: dict[str, tuple[Callable[[Crystal], Conditions], Callable[[Crystal, Crystal], bool]]] = {
    "elements": (lambda c: Conditions(elements=tuple(c.elements)), lambda c, made: made.elements == c.elements),
    "composition": (lambda c: Conditions(composition=c.holding), lambda c, made: composition(made) == composition(c)),
    "sites": (lambda c: Conditions(sites=(len(c), len(c))), lambda c, made: len(made) == len(c)),
    "space group": (
        lambda c: Conditions(space_group=space_group_number(c)),
        lambda c, made: space_group_number(made, 0.1) == space_group_number(c),
    ),
    "nothing": (lambda _: Conditions(), lambda _, __: True),
}
"""What a sample is asked to be, and whether it is."""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", required=True)
parser.add_argument("--prior", default="mp")
parser.add_argument("--crystals", type=int, default=200)
parser.add_argument("--asked", nargs="+", choices=list(ASKED), default=list(ASKED))
parser.add_argument("--guidance", type=float)
parser.add_argument("--json", type=Path)

if __name__ == "__main__":
    options = parser.parse_args()
    prior = open_prior(options.prior).flow
    codec = Codec.from_pretrained(named_in(options.prior, prior.codec))
    if options.guidance is not None:
        prior = prior.sampled_by(replace(prior.sampler, guidance=options.guidance))
    limits = prior.limits
    known = [
        crystal
        for crystal in datasets.load([options.data])[0]
        if len(crystal) <= limits.most_sites and {*crystal.elements} <= {*limits.elements}
    ]
    chosen = [known[k] for k in np.random.default_rng(0).permutation(len(known))[: options.crystals]]
    rows = {}
    for name in options.asked:
        conditions, has = ASKED[name]
        start, right, valid = time.process_time(), 0, 0
        for k, crystal in enumerate(chosen):
            (one,) = draw(codec, prior.condition(conditions(crystal)), 1, seed=k)
            made = None if one.decoded is None else one.decoded.crystal
            if made is not None and has(crystal, made):
                right += 1
                valid += structure_valid(made)
        seconds = time.process_time() - start
        n = len(chosen)
        rows[name] = {"right": right / n, "right and apart": valid / n, "CPU s per sample": seconds / n}
        print(f"{name:12}", *(f"{key} {value:.3f}" for key, value in rows[name].items()), sep="  ", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"samples": len(chosen), **rows}, indent=1))
