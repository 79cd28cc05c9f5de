"""The 288 structure prototypes of AFLOW's first part (Mehl et al. 2017) that pymatgen ships."""

import gzip
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from xtalcodec.crystal import Crystal
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import quiet
from xtalcodec.io.records import crystal_of

NAME = "aflow-prototypes"


def crystals() -> list[Crystal]:
    """Return the prototypes, named by their AFLOW label, such as AB_hP6_154_a_b.

    Labels that several prototypes share (a prototype and its special cases) are followed by the
    mineral: A_cF8_227_a.Diamond.
    """
    from pymatgen.analysis import prototypes

    path = Path(os.fspath(prototypes.__file__)).parent / "aflow_prototypes.json.gz"
    with gzip.open(path) as file, quiet():
        entries = json.load(file)
        shared = Counter(entry["tags"]["aflow"] for entry in entries)
        taken: Counter[str] = Counter()
        found = []
        for entry in entries:
            name = entry["tags"]["aflow"]
            mineral = "".join(c if c.isalnum() else "_" for c in entry["tags"]["mineral"] or "")
            if shared[name] > 1 and mineral:
                name = f"{name}.{mineral}"
            taken[name] += 1
            if taken[name] > 1:
                name = f"{name}-{taken[name]}"
            found.append(replace(crystal_of(entry["snl"], MAX_SITES), name=name))
    return found
