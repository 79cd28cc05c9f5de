"""Strips and films."""

from itertools import pairwise

import numpy as np
import pytest
from imageio_ffmpeg import count_frames_and_secs
from PIL import Image, ImageSequence

from xtalcodec.viz.figures import frames as pictures
from xtalcodec.viz.figures.frames import FILM, RATE, Frame, movie, strip
from xtalcodec.viz.figures.style import save


@pytest.fixture
def two(painted):
    places = np.array([[2.0, 3, 4], [6, 7, 5]])
    return [
        Frame(painted(places + k, z), places + k, np.array(z), 10.0, f"step {k}")
        for k, z in enumerate(([38, 8], [56, 8]))
    ]


def test_strip_shows_every_frame_and_slices_on_one_scale(two):
    figure = strip(two, ["left", "right"], "what it is")
    shown = [image for axes in figure.axes for image in axes.images]
    top = max(frame.density.max() for frame in two)
    assert len(shown) == 6
    assert {image.get_clim() for image in shown} == {(0, top)}
    layers = [frame.density[:, :, k] for k in (7, 14, 22) for frame in two]
    for image, layer in zip(shown, layers, strict=True):
        np.testing.assert_array_equal(image.get_array(), layer.T)
        np.testing.assert_allclose(image.get_extent(), np.array([0, 10, 0, 10]) + np.array([-1, 1, -1, 1]) * 5 / 29)
    titles = [axes.get_title() for axes in figure.axes]
    assert [title for title in titles if title] == ["left", "right"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["O", "Sr", "Ba"]


def test_strip_of_what_holds_no_atom_and_of_nothing(two):
    empty = Frame(np.zeros((30, 30, 30)), np.zeros((0, 3)), np.zeros(0, dtype=np.int64), 10.0)
    assert not strip([empty], [""]).legends
    with pytest.raises(ValueError, match="no frame"):
        strip([], [])
    with pytest.raises(ValueError, match="2 frames, but 1 titles"):
        strip(two, ["one"])


@pytest.mark.usefixtures("coarse")
def test_the_same_figure_gives_the_same_files(two, tmp_path):
    paths = [save(strip(two, ["a", "b"]), tmp_path / folder, "strip") for folder in ("first", "second")]
    assert [p.name for p in paths[0]] == ["strip.png", "strip.pdf"]
    for first, second in zip(*paths, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_gif_turns_for_as_long_as_asked(two, tmp_path):
    done = []
    movie(two, tmp_path / "film.gif", turns=0.5, seconds=0.2, progress=done.append)
    with Image.open(tmp_path / "film.gif") as film:
        images = [np.asarray(image.convert("RGB"), dtype=int) for image in ImageSequence.Iterator(film)]
        assert film.info["duration"] == 1000 // RATE
    assert len(images) == len(done) == round(0.2 * RATE)
    assert images[0].shape == (FILM[1], FILM[0], 3)
    assert all(np.abs(a - b).max() > 50 for a, b in pairwise(images))


def test_mp4_is_a_film_of_that_length(two, tmp_path):
    movie(two, tmp_path / "film.mp4", seconds=0.15)
    count, seconds = count_frames_and_secs(str(tmp_path / "film.mp4"))
    assert count == 3
    assert seconds == pytest.approx(0.15, abs=0.06)


def test_film_of_another_kind_or_of_nothing_is_refused(two, tmp_path):
    with pytest.raises(ValueError, match=r"film.avi: films are \.gif or \.mp4, not \.avi"):
        movie(two, tmp_path / "film.avi")
    with pytest.raises(ValueError, match="at least one frame"):
        movie([], tmp_path / "film.gif")
    with pytest.raises(ValueError, match="some time"):
        movie(two, tmp_path / "film.gif", seconds=0.0)


def test_film_that_fails_leaves_nothing(two, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(pictures, "draw_atoms", fail)
    with pytest.raises(OSError, match="disk full"):
        movie(two, tmp_path / "film.gif", seconds=0.1)
    assert not list(tmp_path.iterdir())
