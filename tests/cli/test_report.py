"""What the command line writes of results."""

import json
from math import inf, nan

from xtalcodec.cli.report import Listed, write_json


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
