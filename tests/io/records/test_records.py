"""Records of tables and JSON: which of their columns describe the crystal, and how."""

import json

import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.io.read import Unusable, read
from xtalcodec.io.records.read import crystal_of
from xtalcodec.io.records.values import repeats

CELL = [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]]
FRACTIONAL = {"frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]], "lattice": CELL}


def of_json(folder, record) -> Crystal | Unusable:
    (folder / "x.json").write_text(json.dumps(record))
    (found,) = read(folder / "x.json")
    return found


@pytest.mark.parametrize("flag", [False, "False", "false", 0, None])
def test_a_flag_of_jarvis_may_be_text(flag):
    record = {"lattice_mat": CELL, "coords": [[0, 0, 0], [0.5, 0.5, 0.5]], "elements": ["Cs", "Cl"]}
    assert crystal_of({**record, "cartesian": flag}, 9).frac_coords[1, 0] == 0.5
    record["coords"] = [[0, 0, 0], [2, 2, 2]]
    assert crystal_of({**record, "cartesian": "True"}, 9).frac_coords[1, 0] == 0.5


@pytest.mark.parametrize("column", ["species", "symbols"])
def test_the_species_of_the_sites_come_before_the_list_of_elements(column):
    assert crystal_of({**FRACTIONAL, "elements": ["Cl", "Na"], column: ["Na", "Cl"]}, 9).symbols == ["Na", "Cl"]
    assert crystal_of({**FRACTIONAL, "elements": ["Cl", "Na"]}, 9).symbols == ["Cl", "Na"]


def test_a_column_of_nulls_gives_way_to_another_of_the_same_meaning():
    record = {**FRACTIONAL, "cell": None, "numbers": None, "species": ["Na", "Cl"]}
    assert crystal_of(record, 9).symbols == ["Na", "Cl"]


@pytest.mark.parametrize(
    "positions", [{"frac_coords": [[0, 0, 0]]}, {"positions": [[0, 0, 0]]}, {"coords": [[0, 0, 0]]}]
)
@pytest.mark.parametrize("pbc", [[True, True, False], "T T F", "[true, true, false]", "[True, True, False]", [1, 1, 0]])
def test_a_slab_is_no_crystal_in_any_record(tmp_path, positions, pbc):
    record = {"elements": ["Al"], "lattice": CELL, "lattice_mat": CELL, **positions}
    assert of_json(tmp_path, {**record, "pbc": pbc}).reason == "it is not periodic in three directions"
    assert isinstance(of_json(tmp_path, {**record, "pbc": [True, True, True]}), Crystal)


def test_periodic_directions_are_read_in_every_way_they_are_written():
    for pbc in (
        None,
        True,
        "T T T",
        "True,True,True",
        [1, 1, 1],
        "[1.0 1.0 1.0]",
        {"__ndarray__": [[3], "bool", [1] * 3]},
    ):
        assert repeats(pbc) == [True] * 3
    assert repeats("F") == [False] * 3
