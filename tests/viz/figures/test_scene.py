"""What the camera sees, against geometry done by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.viz.figures.scene import (
    ALPHA,
    SHADES,
    Camera,
    _lit,
    draw_atoms,
    draw_surfaces,
    frame_axes,
    levels,
    surfaces,
)
from xtalcodec.viz.figures.style import new_figure

EDGE, SIGMA = 10.0, 1.0
PEAK = 30 / (2 * np.pi * SIGMA**2) ** 1.5


def pixel(draw, x, y):
    """Colour at x, y Å from the middle of a picture, 0 to 1."""
    figure = new_figure(3.0, 3.0)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    frame_axes(axes, EDGE)
    draw(axes)
    figure.canvas.draw()
    picture = np.asarray(figure.canvas.buffer_rgba()) / 255
    across, up = axes.transData.transform((x, y))
    return picture[len(picture) - 1 - int(up), int(across), :3]


@given(st.floats(-400, 400), st.floats(-80, 80))
def test_projecting_turns_and_changes_no_distance(azimuth, elevation):
    axes = Camera(azimuth, elevation).project(np.eye(3) * 3 + 5.0, 10.0) / 3
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1), "no mirror image"


def test_seen_from_the_front_x_is_right_z_is_up_and_y_is_away():
    points = np.array([[6.0, 5, 5], [5, 6, 5], [5, 5, 6]])
    np.testing.assert_allclose(Camera(0.0, 0.0).project(points, 10.0), [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)
    assert Camera(0.0, 90.0).project(points, 10.0)[2, 2] == pytest.approx(1), "from above, z comes towards the reader"


def test_surface_of_one_atom_is_a_sphere(painted):
    value = 0.3
    (surface,) = surfaces(painted([[5.0, 5.2, 4.9]], [30]), EDGE, [value])
    radius = SIGMA * np.sqrt(2 * np.log(PEAK / value))
    distance = np.linalg.norm(surface.vertices - [5.0, 5.2, 4.9], axis=1)
    np.testing.assert_allclose(distance, radius, atol=0.03)
    triangles, _ = _lit(surface, EDGE, Camera(33.0, 21.0), SHADES[0])
    u, v = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    area = 0.5 * np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum()
    assert area == pytest.approx(np.pi * radius**2, rel=0.02), "what faces the reader covers a disc once"


def test_surface_is_closed_along_the_faces_of_the_cube(painted):
    (surface,) = surfaces(painted([[0.0, 9.8, 5.0]], [30]), EDGE, [0.3])
    assert surface.vertices.min() >= 0
    assert surface.vertices.max() <= EDGE
    edges = Counter(tuple(sorted((f[k], f[k - 1]))) for f in surface.faces.tolist() for k in range(3))
    assert set(edges.values()) == {2}


def test_levels_lie_in_the_range_and_what_is_not_crossed_has_no_surface(painted):
    density = painted([[5.0, 5, 5]], [30])
    assert all(density.min() < value < density.max() for value in levels(density))
    assert surfaces(density, EDGE, [float(density.max()) * 1.01, -1.0]) == [None, None]
    assert surfaces(np.zeros((30, 30, 30)), EDGE) == [None, None]


def test_near_atoms_hide_far_ones():
    positions, numbers = np.array([[5.0, 2, 5], [5, 8, 5]]), np.array([8, 13])

    def color(azimuth):
        # Below the middle, where no glint is.
        return pixel(lambda axes: draw_atoms(axes, positions, numbers, EDGE, Camera(azimuth, 0.0)), -0.1, -0.25)

    red, grey = color(0.0), color(180.0)
    assert red[0] > 2 * red[1], "oxygen is red"
    assert np.ptp(grey) < 0.1, "aluminium is grey"


def test_veil_lies_once_over_what_is_in_it(painted):
    density = painted([[5.0, 2, 5], [5.0, 8, 5]], [30, 30])

    def color(found):
        return pixel(lambda axes: draw_surfaces(axes, found, EDGE, Camera(0.0, 0.0)), 0, 0)

    veil = surfaces(density, EDGE, [0.3])
    colors = _lit(veil[0], EDGE, Camera(0.0, 0.0), SHADES[0])[1]
    seen = color(veil)  # of two spheres behind one another the near one alone
    below, above = (1 - ALPHA[0]) + ALPHA[0] * colors.min(0), (1 - ALPHA[0]) + ALPHA[0] * colors.max(0)
    assert (seen >= below - 0.01).all()
    assert (seen <= above + 0.01).all()
    bare, veiled = color([None, *surfaces(density, EDGE, [1.0])]), color(surfaces(density, EDGE, [0.3, 1.0]))
    assert np.abs(veiled - ((1 - ALPHA[0]) * bare + (seen - (1 - ALPHA[0])))).max() < 0.02
