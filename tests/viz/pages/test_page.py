"""The page holds every crystal, runs nothing but its own scripts and loads nothing."""

import json
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.reconstruction import Reconstruction
from xtalcodec.viz.pages.page import sectors, write_page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & {{library}} <!-- \u2028 \udc80"


class Page(HTMLParser):
    """Elements with their attributes, the text of scripts, and the text that is shown."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self.text, self.open = [], [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        while self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.text += data

    @property
    def data(self):
        return json.loads(self.scripts[0])


def perovskite(name="perovskite", shift=0.0):
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]) + shift
    return Crystal(3.9 * np.eye(3), sites, np.array([38, 22, 8, 8, 8]), name)


def row(name="perovskite", **changes):
    values = {
        "original": perovskite(name),
        "decoded": perovskite(name, 1e-4),
        "space_group": "Pm-3m",
        "space_group_decoded": "Pm-3m",
        "matched": True,
        "rms": 0.001,
        "rms_angstrom": 0.0022,
        "same_count": True,
        "same_composition": True,
        "confidence": 0.97,
    }
    return Reconstruction(**(values | changes))


def failed(name="failure", reason="no atom found in the decoded field"):
    changes = {"decoded": None, "matched": False, "rms": None, "rms_angstrom": None}
    return row(name, **changes, same_composition=False, same_count=False, space_group_decoded="", reason=reason)


@pytest.fixture
def page(tmp_path):
    def make(rows, title="Title", notes="Notes"):
        write_page(rows, tmp_path / "page.html", title, notes)
        return Page((tmp_path / "page.html").read_text(encoding="utf-8"))

    return make


def test_page_carries_every_crystal(page):
    names = [f"crystal-{k}" for k in range(300)]
    data = page([row(name) for name in names]).data
    assert [r["name"] for r in data["rows"]] == names
    before, after = data["rows"][7]["crystals"]
    assert before["formula"] == after["formula"] == "SrTiO3"
    assert before["numbers"] == [38, 22, 8, 8, 8]
    assert np.allclose(after["sites"], perovskite(shift=1e-4).frac_coords)
    assert set(data["elements"]) == {"38", "22", "8"}
    assert data["elements"]["8"] == ["O", "#ff0d0d", 0.66]


def test_page_of_300_crystals_is_small(tmp_path):
    rng = np.random.default_rng(0)
    crystal = Crystal(10 * np.eye(3), rng.random((30, 3)), rng.integers(19, 36, 30))
    write_page([row(original=crystal, decoded=crystal)] * 300, tmp_path / "page.html", "Title", "Notes")
    assert (tmp_path / "page.html").stat().st_size < 8e6


@pytest.mark.parametrize("place", ["name", "title", "notes", "reason", "space_group", "space_group_decoded"])
def test_hostile_text_stays_text(page, place):
    rows = [row(HOSTILE) if place == "name" else failed(reason=HOSTILE) if place == "reason" else row()]
    if place.startswith("space_group"):
        rows = [row(**{place: HOSTILE})]
    tame, made = page([row()]), page(rows, **({place: HOSTILE} if place in ("title", "notes") else {}))
    assert [tag for tag, _ in made.elements] == [tag for tag, _ in tame.elements]
    assert made.scripts[1:] == tame.scripts[1:]
    if place in ("title", "notes"):
        assert HOSTILE.replace("\udc80", "?") in made.text
    else:
        kept = made.data["rows"][0]
        assert HOSTILE in (kept["name"], kept["reason"], *kept["groups"])
        assert "<" not in made.scripts[0]


def test_nothing_is_loaded_and_only_its_own_scripts_run(page):
    made = page([row()])
    loads = {"src", "srcset", "href", "data", "action", "poster", "background"}
    assert not [(tag, attributes) for tag, attributes in made.elements if loads & set(attributes)]
    assert not [attributes for _, attributes in made.elements if any(name.startswith("on") for name in attributes)]
    policy = next(a["content"] for _, a in made.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy
    for script in made.scripts[1:]:
        assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert "3Dmol" in made.scripts[1][:400], "what draws is in the file"


def test_crystal_that_was_not_decoded_is_shown_with_its_reason(page):
    kept = page([row(), failed(reason="its cell needs 2000 patches")]).data["rows"][1]
    assert kept["crystals"][0]["formula"] == "SrTiO3"
    assert kept["crystals"][1] is None
    assert kept["reason"] == "its cell needs 2000 patches"
    assert not kept["matched"]


def test_failures_stay_in_the_denominator(page):
    missed = row(matched=False, rms=None, rms_angstrom=None, same_composition=True)
    text = page([row(rms_angstrom=0.01), row(rms_angstrom=0.03), missed, failed()]).text
    for shown in ("50.0 % 2 of 4", "0.0200 Å over 2 matched", "75.0 % 3 of 4", "Not decoded1 "):
        assert shown in text


def test_page_without_crystals_says_nothing_it_does_not_know(page):
    made = page([])
    assert made.data == {"elements": {}, "rows": []}
    assert "Match rate— 0 of 0" in made.text


def test_sites_lie_in_the_cell_and_unknown_numbers_are_null(page):
    outside = Crystal(4 * np.eye(3), np.array([[-1e-17, 0.9999999, 7.25], [-0.5, 0.2, 1.0]]), np.array([100, 1]))
    kept = page([row(original=outside, confidence=float("nan"), rms_angstrom=float("inf"))]).data
    assert kept["rows"][0]["crystals"][0]["sites"] == [[0, 0, 0.25], [0.5, 0.2, 0]]
    assert kept["rows"][0]["confidence"] is None
    assert kept["rows"][0]["rms"] is None
    assert kept["elements"]["100"][2] > 1, "an element without a tabulated radius is still an atom's size"


def mixed(name="mixed"):
    """A salt with a mixed anion site and, in one place of two, vacancies among the cations."""
    sites = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0], [0, 0.5, 0]]
    shares = [[(11, 0.9)], [(11, 1.0)], [(17, 0.2), (53, 0.7999999)], [(35, 1.0)]]
    return Crystal.of_shares(4 * np.eye(3), np.array(sites), shares, name)


def test_sectors_of_a_shared_site_sum_to_one_largest_first_and_empty_last(page):
    data = page([row(original=mixed(), decoded=mixed(), occupancy_error=0.01234567)]).data
    kept = data["rows"][0]["crystals"][0]["shares"]
    assert kept == [[[11, 0.9], [0, 0.1]], [[11, 1]], [[53, 0.8], [17, 0.2]], [[35, 1]]]
    assert set(data["elements"]) == {"11", "17", "35", "53"}, "also of those that no site is named by"
    assert data["rows"][0]["occupancy"] == 0.0123457


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=8), st.floats(0, 0.99))
def test_sectors_of_any_site_sum_to_one(parts, empty):
    table = np.zeros((1, 119))
    table[0, 1 : len(parts) + 1] = np.array(parts) / sum(parts) * (1 - empty)
    table[0, 0] = 1 - table[0, 1:].sum()
    (site,) = sectors(table)
    assert sum(share for _, share in site) == pytest.approx(1, abs=5e-5 * 9)
    filled = [share for z, share in site if z]
    assert all(one >= other - 0.011 for one, other in pairwise(filled)), "largest first, but for decoding's error"
    assert 0 not in [z for z, _ in site[:-1]]


def test_ordered_crystals_have_no_sectors_and_no_tile(page):
    made = page([row()])
    assert made.data["rows"][0]["crystals"][0]["shares"] is None
    assert made.data["rows"][0]["occupancy"] is None
    assert "Occupancies off by" not in made.text
    disordered = page([row(), row(original=mixed(), occupancy_error=0.02), failed(), row(original=mixed())])
    assert "Occupancies off by0.020 over 1 of 2 disordered" in disordered.text


def test_page_is_replaced_whole(page, tmp_path, monkeypatch):
    page([row("old")])

    def write_half(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(OSError, match="disk full"):
        page([row("new")])
    assert '"name":"old"' in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
