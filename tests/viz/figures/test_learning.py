"""The learning curve, from the file that training writes."""

import json

import numpy as np
import pytest

from xtalcodec.viz.figures.learning import PAPER_MSE, learning_curve, read_curve, running_percentiles


@pytest.fixture
def run(tmp_path):
    lines = []
    for step in range(50, 2001, 50):
        terms = {"train/heat": 5 + 100 / step, "train/kl": 0.003, "train/right_species": 1 - 10 / step}
        lines.append({"step": step, "crystals": 16 * step, **terms})
        if step % 500 == 0:
            bands = {f"val/density_mse_{q}": q / step for q in (20, 50, 80)}
            bands |= {f"val/distance_{q}": 0.1 * q / step for q in (20, 50, 80)}
            lines.append({"step": step, "crystals": 16 * step, "val/match_rate": step / 4000, **bands})
    (tmp_path / "curve.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_every_value_is_read_with_the_crystals_seen(run):
    curve = read_curve(run)
    assert len(curve["train/heat"]) == 40
    np.testing.assert_allclose(curve["val/match_rate"], [[8000 * k, k / 8] for k in (1, 2, 3, 4)])


def test_a_codec_without_notes_has_no_curve(tmp_path):
    assert read_curve(tmp_path) is None
    (tmp_path / "curve.jsonl").write_text("")
    assert read_curve(tmp_path) is None


@pytest.mark.parametrize("line", ['{"step": 50, "crys', "[1, 2]", '{"step": 50}', '{"crystals": 1, "train/x": "much"}'])
def test_a_broken_line_is_named(run, line):
    path = run / "curve.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ValueError, match=r"curve\.jsonl, line 45: not what a training notes"):
        read_curve(run)


def test_a_panel_for_each_kind_with_the_band_of_held_out_crystals(run):
    figure = learning_curve(read_curve(run), "caption", paper=True)
    losses, mse, distance, rates = figure.axes
    assert [text.get_text() for text in losses.get_legend().get_texts()] == ["heat", "kl"]
    np.testing.assert_allclose(mse.lines[0].get_ydata(), [50 / s for s in (500, 1000, 1500, 2000)])
    band = mse.collections[0].get_paths()[0].vertices
    assert {(8000.0, 20 / 500), (8000.0, 80 / 500)} <= {tuple(point) for point in band.tolist()}
    assert "Å" in distance.get_ylabel()
    assert len(rates.lines) == 2
    assert any(np.allclose(line.get_ydata(), PAPER_MSE) for line in mse.lines)


def test_only_what_there_is_is_drawn_and_the_paper_stands_beside_unit_cells_only(run):
    curve = read_curve(run)
    some = {name: points for name, points in curve.items() if "distance" not in name and "rate" not in name}
    figure = learning_curve(some, "caption", paper=False)
    assert len(figure.axes) == 3
    assert not any(np.allclose(line.get_ydata(), PAPER_MSE) for line in figure.axes[1].lines)


def test_running_percentiles_are_those_of_the_neighbourhood():
    values = np.random.default_rng(0).normal(size=100)
    found = running_percentiles(values)
    for k in (0, 1, 50, 99):
        near = sorted(values[j] for j in range(100) if abs(j - k) <= 2)
        assert found[1, k] == pytest.approx(near[len(near) // 2] if len(near) % 2 else np.mean(near[1:3]))
    assert (found[0] <= found[1]).all()
    assert (found[1] <= found[2]).all()
