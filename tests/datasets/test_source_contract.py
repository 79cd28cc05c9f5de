"""The contract of sources, over every one that is registered: one without recorded answers fails."""

import numpy as np
import pytest
import recorded

from xtalcodec.datasets import source_of
from xtalcodec.datasets.sources import sources
from xtalcodec.io.write import write, write_parquet
from xtalcodec.testing.contracts import check_source


@pytest.fixture
def line(request, tmp_path, metals):
    """A line that asks each source for some crystals here."""

    def folder():
        for crystal in metals:
            write(crystal, tmp_path / "files" / f"{crystal.name}.cif", "cif")
        return f"folder:{tmp_path / 'files'}"

    def table():
        write_parquet(metals, tmp_path / "metals.parquet")
        return f"table:{tmp_path / 'metals.parquet'}?id=material_id"

    def optimade():
        port = (request.getfixturevalue("optimade") / "port").read_text()
        return f"optimade:http://127.0.0.1:{port}?page_limit=4"

    def materials_project():
        request.getfixturevalue("materials_project")
        return "materials-project:nelements=1"

    def hf():
        halves = {f"data/train-{k}.parquet": recorded.table(half) for k, half in enumerate((metals[:2], metals[2:]))}
        parts = [{"split": "train", "path": "data/train-*"}]
        request.getfixturevalue("hub")(halves, {"configs": [{"config_name": "default", "data_files": parts}]})
        return "hf:us/metals"

    def jarvis():
        request.getfixturevalue("jarvis")(recorded.one_file(recorded.jarvis(metals, "m.json")))
        return "jarvis:metals"

    made = {"aflow-prototypes": lambda: "aflow-prototypes", "folder": folder, "table": table, "optimade": optimade}
    made["disordered-examples"] = lambda: "disordered-examples"
    made |= {"materials-project": materials_project, "hf": hf, "jarvis": jarvis}
    assert request.param in made, f"record answers of {request.param} here"
    return made[request.param]()


@pytest.mark.parametrize("line", sources(), indirect=True)
def test_sources(line):
    check_source(source_of(line))


def test_a_source_that_changes_its_order_fails(metals):
    class Shuffled(type(source_of("aflow-prototypes"))):
        """A source without a fixed order."""

        rng = np.random.default_rng(0)

        def stream(self, max_sites=2000, progress=lambda *_: None):
            """Crystals, each time in another order."""
            for k in self.rng.permutation(len(metals)):
                progress(1, None)
                if len(metals[k]) <= max_sites:
                    yield metals[k]

    with pytest.raises(AssertionError, match="always in one order"):
        check_source(Shuffled())
