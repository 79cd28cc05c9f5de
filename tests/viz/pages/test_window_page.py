"""The page of windows holds what was measured and runs nothing but its own scripts."""

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256

import numpy as np
import pytest

from xtalcodec.viz.pages.window_page import SHOWN, write_window_page


@pytest.fixture
def page(tmp_path):
    def make(rows, title="Title", notes="Notes."):
        write_window_page(rows, tmp_path / "page.html", 10.0, title, notes)
        return (tmp_path / "page.html").read_text(encoding="utf-8")

    return make


def data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])


def test_densities_come_out_of_the_page_as_they_went_in(page, rows):
    kept = data(page(rows))
    assert [row["name"] for row in kept["rows"]] == [*(f"good{k}" for k in range(5)), "bad"]
    for packed, field in zip(
        kept["rows"][-1]["densities"], (rows[0].true_density, rows[0].decoded_density), strict=True
    ):
        values = packed["low"] + packed["step"] * np.frombuffer(b64decode(packed["values"]), "<u2").reshape([30] * 3)
        np.testing.assert_allclose(values, field, atol=0.51 * packed["step"])
    assert kept["edge"] == 10.0
    assert set(kept["elements"]) == {"38", "22", "8", "23"}


def test_atoms_counts_and_species_of_each_window(page, rows):
    bad, good = data(page(rows))["rows"][-1], data(page(rows))["rows"][0]
    assert (bad["count"], bad["species"]) == (False, 1)
    assert (good["count"], good["species"]) == (True, 3)
    assert bad["atoms"][1] == {"numbers": [38, 23], "positions": [[2.3, 3.0, 4.0], [6.3, 7.0, 5.0]]}


def test_scores_are_of_all_but_only_some_are_shown(page, window_row):
    many = [window_row([[5, 5, 5.0]], [14], 0.001 * k, name=f"{k}") for k in range(60)]
    text = page(many)
    assert len(data(text)["rows"]) == SHOWN
    assert "<dd>60 <small>of 60</small>" in text
    assert f"{SHOWN} crystals are shown" in text


def test_flat_density_and_hostile_names(page, window_row):
    empty = window_row([[5, 5, 5.0]], [14], decoded_numbers=[], name="</script><script>alert(1)</script>")
    text = page([empty], title="<b>")
    assert "alert(1)</script>" not in text
    assert "&lt;b&gt;" in text
    assert data(text)["rows"][0]["densities"][1]["step"] == 1.0


def test_only_its_own_scripts_run(page, rows):
    text = page(rows)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 2
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#x27;", "'")
    assert policy.startswith("default-src 'none'; ")
    for script in scripts:
        assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy


def test_page_of_nothing_that_fits(page, rows):
    text = page([row for row in rows if not row.fits])
    assert data(text)["rows"] == []
    assert "<dd>— <small>median, e²/Å⁶</small>" in text
