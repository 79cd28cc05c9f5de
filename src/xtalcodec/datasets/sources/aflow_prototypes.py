"""The 288 structure prototypes of AFLOW's first part (Mehl et al. 2017) that pymatgen ships."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.source import Progress, Source, SourceError, silent
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable, quiet


class AflowPrototypes(Source):
    """Prototypes, named by their AFLOW label, such as AB_hP6_154_a_b."""

    name = "aflow-prototypes"
    description = "The 288 structure prototypes of AFLOW's first part; pymatgen ships them, nothing is fetched."
    example = "aflow-prototypes"
    licence = "MIT, with pymatgen"
    size = "288"
    citation = "Mehl et al., Comput. Mater. Sci. 136, S1 (2017), doi:10.1016/j.commatsci.2017.01.017"

    @classmethod
    def parse(cls, query: str) -> "AflowPrototypes":
        """Accept no query: the prototypes are always all of them."""
        if query:
            raise SourceError(f"{cls.name} takes no query, not {query!r}")
        return cls()

    def stream(self, max_sites: int = MAX_SITES, progress: Progress = silent) -> Iterator[Crystal | Unusable]:
        """Yield the prototypes in pymatgen's order."""
        entries = _entries()
        for done, (name, entry) in enumerate(zip(_names(entries), entries, strict=True), start=1):
            yield self.item(name, entry["snl"], max_sites)
            progress(done, len(entries))


def minerals() -> dict[str, str]:
    """Return the mineral, or the kind of structure, that each prototype is known as, by its name."""
    entries = _entries()
    return {name: entry["tags"]["mineral"] or "" for name, entry in zip(_names(entries), entries, strict=True)}


def _entries() -> list[dict[str, Any]]:
    """Read the file as it is: pymatgen's module of prototypes takes seconds to import, for it reads it as well."""
    packed = files("pymatgen.analysis") / "prototypes" / "aflow_prototypes.json.gz"
    with packed.open("rb") as raw, gzip.open(raw) as file, quiet():
        return json.load(file)


def _names(entries: list[dict[str, Any]]) -> list[str]:
    """Name entries by their label; one that several share is followed by the mineral: A_cF8_227_a.Diamond."""
    shared = Counter(entry["tags"]["aflow"] for entry in entries)
    taken: Counter[str] = Counter()
    names = []
    for entry in entries:
        name = entry["tags"]["aflow"]
        mineral = "".join(c if c.isalnum() else "_" for c in entry["tags"]["mineral"] or "")
        if shared[name] > 1 and mineral:
            name = f"{name}.{mineral}"
        taken[name] += 1
        names.append(f"{name}-{taken[name]}" if taken[name] > 1 else name)
    return names


SOURCE = AflowPrototypes
