"""How often a flow finds a held-out crystal of which it is told composition, number of sites and space group.

python benchmarks/predicted.py --data FILE [--prior mp] [--crystals 100] [--json FILE]

One sample is drawn for each of some held-out crystals, settled on the space group and as drawn. It is found if
StructureMatcher says that the two are the same, by the tolerances of CDVAE (0.3, 0.5, 10°). What decodes to nothing is
not.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher

from xtalcodec import Codec, datasets
from xtalcodec.codecs.hub import named_in
from xtalcodec.geometry.symmetry import primitive, space_group_number
from xtalcodec.latent_space.sample import draw
from xtalcodec.priors import open_prior
from xtalcodec.priors.conditions import Conditions

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", required=True)
parser.add_argument("--prior", default="mp")
parser.add_argument("--crystals", type=int, default=100)
parser.add_argument("--json", type=Path)

if __name__ == "__main__":
    options = parser.parse_args()
    prior = open_prior(options.prior).flow
    codec = Codec.from_pretrained(named_in(options.prior, prior.codec))
    limits = prior.limits
    known = [
        crystal
        for crystal in map(primitive, datasets.load([options.data])[0])
        if 1 < len(crystal) <= limits.most_sites and {*crystal.elements} <= {*limits.elements}
    ]
    chosen = [known[k] for k in np.random.default_rng(0).permutation(len(known))[: options.crystals]]
    same = StructureMatcher(ltol=0.3, stol=0.5, angle_tol=10)
    rows = {}
    samplers = replace(prior.sampler, symmetric="never"), replace(prior.sampler, symmetric="always")
    for name, sampler in zip(("as drawn", "settled"), samplers, strict=True):
        flow = prior.sampled_by(sampler)
        start, found = time.process_time(), 0
        for k, crystal in enumerate(chosen):
            sites = len(crystal)
            asked = Conditions((), crystal.holding, sites=(sites, sites), space_group=space_group_number(crystal))
            (one,) = draw(codec, flow.condition(asked), 1, seed=k)
            made = one.decoded
            found += made is not None and same.fit(crystal.to_pymatgen(), made.crystal.to_pymatgen())
        rows[name] = {"found": found / len(chosen), "CPU s per sample": (time.process_time() - start) / len(chosen)}
        print(f"{name:10}", *(f"{key} {value:.3f}" for key, value in rows[name].items()), sep="  ", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"samples": len(chosen), **rows}, indent=1))
