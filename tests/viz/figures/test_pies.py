"""Pies of shared sites, against angles and colours done by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.geometry.elements import radius
from xtalcodec.viz.elements import colors
from xtalcodec.viz.figures.pies import draw_pies, sectors, site_radii
from xtalcodec.viz.figures.scene import SPHERE, Camera, draw_atoms, frame_axes
from xtalcodec.viz.figures.style import new_figure

EDGE = 10.0


def site(**shares):
    """One row of occupancies; what is missing to 1 is empty."""
    from ase.data import atomic_numbers

    row = np.zeros(119)
    for symbol, share in shares.items():
        row[atomic_numbers[symbol]] = share
    row[0] = 1 - row.sum()
    return row.round(12)


def picture(draw):
    """Colour at x, y Å from the middle, 0 to 1."""
    figure = new_figure(3.0, 3.0)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    frame_axes(axes, EDGE)
    draw(axes)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba()) / 255

    def at(x, y):
        across, up = axes.transData.transform((x, y))
        return pixels[len(pixels) - 1 - int(up), int(across), :3]

    return at


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=8), st.floats(0, 0.9))
def test_sectors_fill_the_turn(parts, empty):
    row = np.zeros(119)
    row[1 : len(parts) + 1] = np.array(parts) / sum(parts) * (1 - empty)
    row[0] = 1 - row[1:].sum()
    found = sectors(row)
    assert found[0][1] == 0
    assert found[-1][2] == pytest.approx(1)
    for (_, _, end), (_, start, _) in pairwise(found):
        assert end == pytest.approx(start)
    for z, start, end in found:
        assert end - start == pytest.approx(row[z])


def test_a_pie_is_a_clock_that_begins_with_the_largest_share():
    """Half gold from the top to the right and down, three tenths copper, and at the upper left a fifth of nothing."""
    row = site(Au=0.5, Cu=0.3)
    at = picture(lambda axes: draw_pies(axes, np.zeros((1, 2)), row[None], np.array([3.0]), np.zeros(1)))
    gold, copper = colors(np.array([79, 29]))
    np.testing.assert_allclose(at(1.5, 0.3), gold, atol=0.01)
    np.testing.assert_allclose(at(1.0, -2.0), gold, atol=0.01)
    np.testing.assert_allclose(at(-1.5, -1.0), copper, atol=0.01)
    np.testing.assert_allclose(at(-1.0, 1.5), 1, atol=0.01)
    np.testing.assert_allclose(at(3.2, 0), 1, atol=0.01)


def test_near_sites_hide_far_ones_whatever_is_on_them():
    shares = np.array([site(Cu=0.5, Au=0.5), site(O=1)])
    gold, copper, oxygen = colors(np.array([79, 29, 8]))

    def seen(azimuth):
        positions = np.array([[5.0, 4.0, 5.0], [5.0, 6.0, 5.0]])
        return picture(lambda axes: draw_atoms(axes, positions, np.array([29, 8]), EDGE, Camera(azimuth, 0.0), shares))(
            0.2, -0.1
        )

    def nearest(color):
        return min(("Au", gold), ("Cu", copper), ("O", oxygen), key=lambda pair: abs(pair[1] - color).sum())[0]

    assert {nearest(seen(0.0)), nearest(seen(180.0))} == {"Cu", "O"}


def test_the_radius_of_a_site_is_the_mean_of_its_atoms():
    half = site_radii(np.array([site(Cu=0.25, Au=0.25), site(O=1)]))
    assert half.tolist() == pytest.approx([(radius(29) + radius(79)) / 2, radius(8)])
    assert 0 < SPHERE < 1
