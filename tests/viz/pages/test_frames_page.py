"""The page of frames holds their densities and atoms on one scale, and loads nothing."""

import json
import re
from base64 import b64decode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xtalcodec.viz.figures.frames import Frame
from xtalcodec.viz.pages.frames_page import write_frames_page
from xtalcodec.viz.pages.page import packed_density

HOSTILE = "</script><script>alert(1)</script><img src=http://x onerror=alert(2)> {{library}}"


@pytest.fixture
def frames(painted):
    places = np.array([[2.0, 3, 4], [6, 7, 5.5]])
    series = [np.array([38, 8]), np.array([56, 8])]
    return [
        Frame(painted(places, z), places, z, 10.0, f"{share} %  {name}")
        for share, name, z in zip((0, 100), ("SrO", "BaO"), series, strict=True)
    ]


@pytest.fixture
def page(tmp_path):
    def make(frames, title="Title", notes="Notes."):
        write_frames_page(frames, tmp_path / "page.html", title, notes)
        return (tmp_path / "page.html").read_text(encoding="utf-8")

    return make


def data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])


def unpacked(packed):
    numbers = np.frombuffer(b64decode(packed["values"]), "<u2").reshape(packed["size"])
    return packed["low"] + packed["step"] * numbers


def blank(title="", edge=10.0):
    return Frame(np.zeros((4, 4, 4)), np.zeros((0, 3)), np.zeros(0, dtype=np.int64), edge, title)


def test_frames_come_out_of_the_page_as_they_went_in(page, frames):
    kept = data(page(frames))
    assert set(kept["elements"]) == {"38", "56", "8"}
    for row, frame in zip(kept["rows"], frames, strict=True):
        assert (row["title"], row["edge"]) == (frame.title, 10.0)
        assert row["atoms"] == {
            "numbers": frame.numbers.tolist(),
            "positions": frame.positions.tolist(),
            "shares": None,
        }
        assert row["highest"] == frame.density.max()
        np.testing.assert_allclose(unpacked(row["density"]), frame.density, rtol=0, atol=np.ptp(frame.density) / 65535)


def test_a_frame_with_shared_sites_has_their_sectors(page):
    table = np.zeros((1, 119))
    table[0, [0, 29, 79]] = 0.1, 0.5, 0.4
    nothing = np.zeros((4, 4, 4))
    kept = data(page([Frame(nothing, np.full((1, 3), 5.0), np.array([29]), 10.0, occupancies=table)]))
    assert kept["rows"][0]["atoms"]["shares"] == [[[29, 0.5], [79, 0.4], [0, 0.1]]]
    assert set(kept["elements"]) == {"29", "79"}


@given(arrays(np.float64, (3, 3, 3), elements=st.floats(-1e3, 1e3)))
def test_a_density_unpacks_within_a_65535th_of_its_range(density):
    error = np.abs(unpacked(packed_density(density)) - density).max()
    assert error <= np.ptp(density) / 65535 + 1e-12


def test_one_scale_holds_all_frames(page, frames):
    low, high = data(page(frames))["range"]
    assert low == min(frame.density.min() for frame in frames)
    assert high == max(frame.density.max() for frame in frames)


def test_frames_of_nothing_have_a_scale_and_names(page):
    kept = data(page([blank(), blank("named")]))
    assert kept["range"] == [0.0, 1.0]
    assert [row["title"] for row in kept["rows"]] == ["frame 1", "named"]
    with pytest.raises(ValueError, match="no frame"):
        page([])


@pytest.mark.parametrize("place", ["title", "notes", "frame"])
def test_hostile_text_is_inert(page, place):
    tame = page([blank("tame")])
    text = page([blank(HOSTILE if place == "frame" else "tame")], **({} if place == "frame" else {place: HOSTILE}))
    for tag in ("<script", "</script", "<img"):
        assert text.count(tag) == tame.count(tag)
    if place == "frame":
        assert data(text)["rows"][0]["title"] == HOSTILE


def test_nothing_is_loaded(page, frames):
    text = page(frames)
    assert """Content-Security-Policy" content="default-src 'none'; """ in text
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert "http:" not in markup
    assert "https:" not in markup
    assert not re.search(r"<[^>]*\s(src|srcset|href|data|on\w+)\s*=", markup)
    assert not re.search(r"@import|url\(", re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1])


def test_a_page_is_replaced_in_one_step(page, tmp_path):
    before = page([blank("before")])
    with (tmp_path / "page.html").open(encoding="utf-8") as reader:
        after = page([blank("after")])
        assert reader.read() == before
    with pytest.raises(ValueError, match="not JSON compliant"):
        page([blank("fails", edge=float("inf"))])
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == after
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
