"""Figures of crystals that were made show the numbers that they were given."""

import numpy as np
import pytest

from xtalcodec.viz.figures import made
from xtalcodec.viz.figures.frames import Frame


def test_a_periodic_table_is_dark_where_hits_are():
    figure = made.periodic_table([{38: 4, 56: 1}, {22: 4}], ("A", "B"))
    axes = figure.axes[0]
    shades = {(round(p.get_x(), 2), round(p.get_y())): sum(p.get_facecolor()[:3]) for p in axes.patches}
    strontium, barium, titanium = (2.0, -5), (2.0, -6), (4.5, -4)
    assert shades[strontium] < shades[barium] < 3.0
    assert shades[titanium] == shades[strontium]
    assert sum(shade < 3.0 for shade in shades.values()) == 3, "all others are white"
    assert len(shades) == 2 * 103
    assert {text.get_text() for text in axes.texts} >= {"H", "Sr", "Lr", "left: A", "right: B"}


def test_odds_are_shares_of_all_tries():
    figure = made.odds({"Ba": 1, "Sr": 12}, 20)
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [5.0, 60.0]
    assert [text.get_text() for text in axes.texts] == ["1 of 20", "12 of 20"]


def test_energies_are_ranked_from_the_lowest():
    figure = made.ranking(["a", "b"], [-6.9, -6.5], [-7.0, -6.8])
    before, after = figure.axes[0].collections
    np.testing.assert_allclose(before.get_offsets(), [[100, 1], [500, 0]])
    np.testing.assert_allclose(after.get_offsets(), [[0, 1], [200, 0]], atol=1e-9)


def test_controls_stand_beside_samples():
    scores = {"samples": {"valid": 0.9, "new": 0.3}, "held out": {"valid": 1.0, "new": 0.4}}
    bars = made.controls(scores).axes[0].patches
    assert [bar.get_height() for bar in bars] == pytest.approx([90, 30, 100, 40])
    assert bars[0].get_x() < bars[2].get_x() < bars[1].get_x()


def test_a_film_strip_has_every_step_and_its_confidence():
    frame = Frame(np.zeros((4, 4, 4)), np.array([[1.0, 1, 1]]), np.array([11]), 4.0)
    figure = made.film_strip([frame, frame], ["0 %", "100 %"], [0.9, 0.4])
    *steps, curve = figure.axes
    assert [axes.get_title() for axes in steps] == ["0 %", "100 %"]
    np.testing.assert_allclose(curve.lines[-1].get_ydata(), [0.9, 0.4])
