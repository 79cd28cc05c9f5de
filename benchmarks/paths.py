"""How many steps between two crystals are crystals.

python benchmarks/paths.py [--codec mp] [--steps 9] [--noise 0.3] [--json FILE]

A step counts as valid if all of its atoms are more than 0.5 Å apart, as sure if its confidence is at least 0.5, as
whole if it has as many atoms as the ends; `all` has those that are all three. Elements that
neither end has are forbidden. α quartz becomes α and β (idealised) cristobalite. `atoms` moves atoms and encodes every
step; the other ways mix the latents of the ends.
"""

import argparse
import json
from itertools import product
from pathlib import Path

from pymatgen.core import Lattice, Structure

from xtalcodec import Codec
from xtalcodec.codecs.decoding import SURE
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.along_path import steps_along
from xtalcodec.latent_space.interpolate import NOISE, elements_of, interpolate
from xtalcodec.latent_space.moving import move
from xtalcodec.latent_space.paths import PATHS

HALF = [0.5, 0.5, 0.5]
PEROVSKITE = [[0, 0, 0], HALF, [0.5, 0.5, 0]]
SI, O = [0.4697, 0, 1 / 3], [0.4135, 0.2669, 1 / 3 - 0.1191]  # noqa: E741
ALPHA = [[0.3003, 0.3003, 0], [0.2392, 0.1044, 0.1787]]


def crystal(name: str, group: str, lattice: Lattice, species: list[str], places: list[list[float]]) -> Crystal:
    """A crystal from its space group."""
    return Crystal.from_pymatgen(Structure.from_spacegroup(group, lattice, species, places), name)


QUARTZ = crystal("quartz", "P3_121", Lattice.hexagonal(4.913, 5.405), ["Si", "O"], [SI, O])
PAIRS = [
    (
        crystal("NaCl", "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], HALF]),
        crystal("CsCl", "Pm-3m", Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], HALF]),
    ),
    (QUARTZ, crystal("α-cristobalite", "P4_12_12", Lattice.tetragonal(4.971, 6.922), ["Si", "O"], ALPHA)),
    (QUARTZ, crystal("β-cristobalite", "Fd-3m", Lattice.cubic(7.13), ["Si", "O"], [[0, 0, 0], [0.125] * 3])),
    (
        crystal("SrTiO3", "Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], PEROVSKITE),
        crystal("BaTiO3", "Pm-3m", Lattice.cubic(4.0), ["Ba", "Ti", "O"], PEROVSKITE),
    ),
]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--codec", default="mp")
parser.add_argument("--steps", type=int, default=9)
parser.add_argument("--noise", type=float, nargs="*", default=[NOISE])
parser.add_argument("--json", type=Path)

if __name__ == "__main__":
    options = parser.parse_args()
    codec = Codec.from_pretrained(options.codec)
    print(f"{codec.identity}, {options.steps} steps; told of noise up to {codec.most_noise:g}")
    print("path                       way    noise  valid   sure  whole    all   least sure   shortest")
    results = []
    for a, b in PAIRS:
        for way, noise in [("atoms", 0.0), *product(PATHS, options.noise if codec.most_noise else [0.0])]:
            if way == "atoms":
                codes = move(codec, a, b, options.steps)
            else:
                codes = interpolate(codec, a, b, options.steps, path=PATHS[way], noise=noise)
            steps = steps_along(codec, codes, elements=elements_of(a, b))
            count = [len(step.decoded.crystal) if step.decoded else 0 for step in steps]
            valid, sure = [step.valid for step in steps], [step.confidence >= SURE for step in steps]
            whole = [n == count[0] for n in count]
            every = [all(row) for row in zip(valid, sure, whole, strict=True)]
            least = min(step.confidence for step in steps)
            near = min(step.shortest or 0.0 for step in steps)
            print(
                f"{f'{a.name} → {b.name}':26} {way:6} {noise:5.2f} {sum(valid):6d} {sum(sure):6d} {sum(whole):6d} "
                f"{sum(every):6d} {least:12.2f} {near:10.2f}",
                flush=True,
            )
            row = {"path": [a.name, b.name], "way": way, "noise": noise, "sites": count, "shortest": near}
            row |= {"confidence": [step.confidence for step in steps], "all": sum(every)}
            results.append(row)
    if options.json:
        options.json.write_text(json.dumps({"codec": codec.identity, "paths": results}, indent=1))
