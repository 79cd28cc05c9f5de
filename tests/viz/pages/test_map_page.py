"""The page of a map holds points, values and crystals, packed; chemiscope's file holds the same; nothing is loaded."""

import gzip
import json
import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.columns import Entry
from xtalcodec.viz.chemiscope import write_chemiscope
from xtalcodec.viz.crystal_map import crystal_map
from xtalcodec.viz.pages import map_page
from xtalcodec.viz.pages.map_page import write_map_page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def cell(sites, name):
    random = np.random.default_rng(sites)
    lattice = 5 * np.eye(3) + random.normal(size=(3, 3))
    return Crystal(lattice, random.random((sites, 3)), random.integers(1, 90, sites), name)


@pytest.fixture(scope="module")
def crystals():
    """Some cells at random with a value, a disordered crystal with none, and one whose name is hostile."""
    some = [replace(cell(k + 1, f"cell {k}"), properties={"gap": 0.1 * k}) for k in range(9)]
    table = np.zeros((1, 119))
    table[0, [0, 29, 79]] = 0.1, 0.5, 0.4
    alloy = Crystal(3.8 * np.eye(3), np.array([[0.25, 0.5, 1.0]]), np.array([29]), "alloy", occupancies=table)
    return [*some, alloy, cell(4, HOSTILE)]


@pytest.fixture(scope="module")
def drawn(crystals):
    vectors = np.random.default_rng(0).normal(size=(len(crystals), 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return crystal_map([Entry.of(one) for one in crystals], vectors, ["crystal_system"])


@pytest.fixture
def page(drawn, tmp_path):
    assert write_map_page(drawn, tmp_path / "map.html", "Title", "Notes.") == 0
    return (tmp_path / "map.html").read_text(encoding="utf-8")


def data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])


def numbers(text, kind):
    return np.frombuffer(b64decode(text), kind)


def test_points_and_values_come_out_as_they_went_in(page, drawn, crystals):
    kept = data(page)["map"]
    assert kept["names"] == [one.name for one in crystals]
    assert kept["formulas"] == [one.formula for one in crystals]
    np.testing.assert_allclose(numbers(kept["places"], "<f4").reshape(-1, 2), drawn.layout.places, atol=1e-6)
    np.testing.assert_array_equal(numbers(kept["alike"], "<u4").reshape(drawn.alike.shape), drawn.alike)
    names = [column["name"] for column in kept["columns"]]
    assert names[:2] == ["crystal_system", "gap"]
    system, gap = kept["columns"][:2]
    assert [system["categories"][k] for k in numbers(system["values"], "<i4")] == [
        drawn.columns[0].text(k) for k in range(len(crystals))
    ]
    np.testing.assert_allclose(numbers(gap["values"], "<f4"), drawn.columns[1].values, atol=1e-6)
    assert (gap["least"], gap["most"], gap["known"]) == (0.0, pytest.approx(0.8), 9)
    assert gap["range"] == [pytest.approx(0.008), pytest.approx(0.792)]


def test_crystals_come_out_within_a_65536th_of_the_cell(page, crystals):
    kept = data(page)["crystals"]
    assert kept["counts"] == [len(one) for one in crystals]
    fractions = numbers(kept["fractions"], "<u2").reshape(-1, 3) / 65536
    apart = fractions - np.concatenate([one.frac_coords for one in crystals])
    assert abs(apart - np.round(apart)).max() <= 0.5 / 65536 + 1e-12
    np.testing.assert_array_equal(numbers(kept["numbers"], "u1"), np.concatenate([one.numbers for one in crystals]))
    lattices = numbers(kept["lattices"], "<f4").reshape(-1, 3, 3)
    np.testing.assert_allclose(lattices, [one.lattice for one in crystals], rtol=1e-6, atol=1e-6)
    assert kept["shares"] == {"9": [[[29, 0.5], [79, 0.4], [0, 0.1]]]}


def test_the_largest_crystals_are_points_alone_where_the_page_would_be_too_large(
    drawn, crystals, tmp_path, monkeypatch
):
    monkeypatch.setattr(map_page, "MOST_BYTES", sum(36 + 7 * len(one) for one in crystals) - 1)
    assert write_map_page(drawn, tmp_path / "map.html", "Title", "Notes.") == 1
    kept = data((tmp_path / "map.html").read_text())
    largest = int(np.argmax([len(one) for one in crystals]))
    assert [k for k, count in enumerate(kept["crystals"]["counts"]) if not count] == [largest]
    assert len(kept["map"]["names"]) == len(crystals)


def test_hostile_names_are_inert_and_nothing_is_loaded(page):
    assert HOSTILE not in page
    assert """Content-Security-Policy" content="default-src 'none'; """ in page
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r"<[^>]*\s(src|srcset|href|data|on\w+)\s*=", markup)


def test_chemiscope_gets_structures_and_properties(drawn, crystals, tmp_path):
    write_chemiscope(drawn, tmp_path / "map.json.gz", "Title", "Notes.")
    kept = json.loads(gzip.decompress((tmp_path / "map.json.gz").read_bytes()))
    assert kept["meta"] == {"name": "Title", "description": "Notes."}
    for one, crystal in zip(kept["structures"], crystals, strict=True):
        assert (one["size"], one["names"]) == (len(crystal), crystal.symbols)
        places = np.array([one["x"], one["y"], one["z"]]).T
        np.testing.assert_allclose(places, crystal.frac_coords @ crystal.lattice, atol=1e-4)
        np.testing.assert_allclose(one["cell"], crystal.lattice.ravel(), atol=1e-4)
    properties = kept["properties"]
    assert {len(one["values"]) for one in properties.values()} == {len(crystals)}
    assert np.isnan(properties["gap"]["values"][9])
    chart = kept["settings"]["map"]
    assert {chart["x"]["property"], chart["y"]["property"], chart["symbol"]} <= set(properties)
    with pytest.raises(ValueError, match=r"neither .json nor .json.gz"):
        write_chemiscope(drawn, tmp_path / "map.zip", "Title", "Notes.")
