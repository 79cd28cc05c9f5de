"""What the command line writes of results."""

import json
from math import inf, nan

from xtalcodec.cli.report import Listed, show_table, write_json


def test_numbers_that_are_not_finite_are_null(tmp_path):
    rows = Listed(iter([{"far": inf}, {"far": 1.5}]))
    write_json(tmp_path / "x.json", {"percentiles": {"5": -inf}, "mean": nan, "pair": (1, inf), "rows": rows})
    text = (tmp_path / "x.json").read_text()
    assert json.loads(text, parse_constant=lambda word: word) == {
        "percentiles": {"5": None},
        "mean": None,
        "pair": [1, None],
        "rows": [{"far": None}, {"far": 1.5}],
    }


def test_names_are_whole_in_a_table_that_is_too_narrow(capsys):
    show_table(["name", *(f"energy of step {k}" for k in range(20))], [["sample-127", *["-8.930"] * 20]], [True])
    lines = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert "".join(cells[1].strip() for cells in lines) == "sample-127"
