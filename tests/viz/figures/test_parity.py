"""What stands in the parity figures, counted one by one."""

import numpy as np
import pytest

from xtalcodec.viz.figures.parity import counts_and_species, density_parity, distances


def counted(axes):
    """{(x, y): count} of the squares of a histogram."""
    (mesh,) = (c for c in axes.collections if type(c).__name__ == "QuadMesh")
    corners = mesh.get_coordinates()
    middles = 0.5 * (corners[:-1, :-1] + corners[1:, 1:])
    array = mesh.get_array()
    shown = ~np.ma.getmaskarray(array)
    return {tuple(m): int(c) for m, c in zip(middles[shown].tolist(), np.asarray(array)[shown], strict=True)}


def test_counts_and_species_of_every_window_that_fits(rows):
    left, right = counts_and_species(rows, "caption").axes[:2]
    assert counted(left) == {(3.0, 3.0): 5, (3.0, 2.0): 1}
    # The last window's Sr is right, its Ti became V, its O was not found.
    assert counted(right) == {(38, 38): 6, (22, 22): 5, (22, 23): 1, (8, 8): 5, (8, 0): 1}
    assert "83.33 %" in left.get_title()
    assert "88.89 %" in right.get_title()


def test_large_counts_share_squares(window_row):
    grid = np.stack(np.meshgrid(*[np.arange(5) * 2.0 + 1] * 3), -1).reshape(-1, 3)
    axes = counts_and_species([window_row(grid, [6] * 125)], "caption").axes[0]
    assert sum(counted(axes).values()) == 1
    ((x, y),) = counted(axes)
    assert abs(x - 125) < 2
    assert x == y


def test_distances_both_ways_are_those_of_a_double_loop(rows):
    fitting = [row for row in rows if row.fits]
    figure = distances(rows, "caption", paper=True)
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    for line, (one, other) in zip(marks, (("true", "decoded"), ("decoded", "true")), strict=True):
        found = sorted(
            min(np.linalg.norm(a - b) for b in getattr(row, other).positions)
            for row in fitting
            for a in getattr(row, one).positions
        )
        middle = found[int(np.ceil(0.5 * (len(found) - 1)))]
        assert line.get_ydata()[3] == pytest.approx(middle)
        assert line.get_ydata()[-1] == pytest.approx(found[-1])
    paper = next(line for line in axes.lines if line.get_marker() == "D")
    np.testing.assert_allclose(paper.get_ydata(), [0.052, 0.097, 0.18, 0.25, 0.5])
    assert not [line for line in distances(rows, "", paper=False).axes[0].lines if line.get_marker() == "D"]


def test_windows_without_a_decoded_atom_are_told(window_row):
    full, empty = window_row([[5, 5, 5.0]], [14], 0.1), window_row([[5, 5, 5.0]], [14], 0.1, [])
    title = distances([full, empty], "caption", paper=False).axes[0].get_legend().get_title().get_text()
    assert title == "true → decoded: 50.0 % without any atom"
    alone = distances([empty], "caption", paper=False).axes[0]
    assert "100.0 %" in alone.get_legend().get_title().get_text()


def test_density_counts_every_voxel_of_every_window_that_fits(rows):
    axes = density_parity(rows, "caption").axes[0]
    squares = counted(axes)
    assert sum(squares.values()) == 6 * 30**3
    width = min(x for x, _ in squares) * 2
    off = sum(n for (x, y), n in squares.items() if abs(x - y) > width)
    expected = sum((np.abs(r.true_density - r.decoded_density) > 2 * width).sum() for r in rows if r.fits)
    assert off >= expected > 0
    assert "MSE" in axes.get_title()
