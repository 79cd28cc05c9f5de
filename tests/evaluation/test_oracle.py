import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from xtalcodec.cli import app
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.oracle import REPRESENTATIONS, measure_oracle, oracle_summary
from xtalcodec.parallel import HERE, open_pool

LONG = Crystal(np.diag([30.0, 3, 3]), np.array([[0.0, 0, 0], [0.5, 0, 0]]), np.array([11, 17]), "long")
CELLS = REPRESENTATIONS["unit_cell"]


@pytest.mark.parametrize("reader", ["density", "segmentation"])
def test_cells_are_read_without_a_fault(prototypes, reader):
    rows = measure_oracle([*prototypes[:30:3], LONG], REPRESENTATIONS["unit_cell"], reader)
    summary = oracle_summary(rows, reader)
    assert summary["perfect_rate"] == 1
    assert summary["crystals"] == 11
    assert "long" in [row["name"] for row in summary["not_fitting"]]
    assert summary["fit"] + len(summary["not_fitting"]) == 11


def test_windows_are_read_without_a_fault(prototypes):
    rows = measure_oracle([prototypes[0], LONG], REPRESENTATIONS["repeating"], "density")
    summary = oracle_summary(rows, "density")
    assert (summary["fit"], summary["perfect_rate"], summary["imperfect"]) == (1, 1, [])
    assert "smaller than its cell" in summary["not_fitting"][0]["reason"]


def test_a_view_depends_on_seed_and_place_alone(prototypes):
    def errors(seed, pool=HERE):
        rows = measure_oracle(prototypes[:4], REPRESENTATIONS["unit_cell"], "segmentation", seed=seed, pool=pool)
        return [row.score.error.tolist() for row in rows]

    with open_pool(workers=2) as pool:
        assert errors(1) == errors(1, pool) != errors(2)


def test_an_unknown_reader_gets_the_choices():
    with pytest.raises(ValueError, match="no reader 'eyes'; have density, segmentation"):
        measure_oracle([], REPRESENTATIONS["unit_cell"], "eyes")


def test_an_unknown_representation_gets_the_choices():
    words = ["evaluate", "aflow-prototypes", "--codec", "none", "--representation", "cube"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "no representation 'cube'; have repeating, unit_cell" in result.output


def test_the_cell_as_given_fits_less_often():
    words = [
        "evaluate",
        "aflow-prototypes",
        "--codec",
        "none",
        "--representation",
        "unit_cell",
        "--reader",
        "segmentation",
        "--limit",
        "24",
    ]
    fit = [CliRunner().invoke(app, [*words, *more]).output for more in ([], ["--cell", "given"])]
    compact, given = (int(re.search(r"of which (\d+) fit", text)[1]) for text in fit)
    assert 0 < given < compact


def test_evaluate_without_a_codec(tmp_path):
    path = tmp_path / "scores.json"
    words = "evaluate aflow-prototypes --codec none --representation unit_cell --reader segmentation --limit 5 --json"
    result = CliRunner().invoke(app, [*words.split(), str(path)])
    assert result.exit_code == 0, result.output
    assert "perfect   100.00 %" in result.output
    assert json.loads(path.read_text())["perfect_rate"] == 1


def test_evaluate_without_a_codec_asks_for_the_representation():
    result = CliRunner().invoke(app, ["evaluate", "aflow-prototypes", "--codec", "none"])
    assert result.exit_code == 2
    assert "--representation" in result.output
