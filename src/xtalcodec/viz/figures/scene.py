"""Atoms and surfaces of equal density in a cube, as a camera far away sees them.

Everything is projected here and drawn flat, the farthest first: vectors stay vectors in print, and a
turning picture is projected again, not made again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.geometry.elements import radii
from xtalcodec.viz.elements import colors
from xtalcodec.viz.figures.pies import draw_pies, site_radii
from xtalcodec.viz.figures.style import ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = (0.2, 0.55)
"""Surfaces are drawn where the density is this far from its least value to its largest: a veil, and cores within.

Not from nothing: with Gaussians of 1 Å a dense crystal's density nowhere comes near to nothing.
"""

ALPHA = (0.25, 1.0)
SHADES = ("#7fa3ea", ORANGE)
"""How the surfaces look, in the order of `LEVELS`."""

SPHERE = 0.5
"""Radius of a drawn atom over its covalent radius."""

LIGHT = np.array([-0.45, 0.6, 0.66])
"""Where light comes from: to the right, up, to the camera; length 1."""

EDGE = "#8b97a6"
CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])


@dataclass(frozen=True, slots=True)
class Surface:
    """Triangles where the density has one value."""

    vertices: Float[np.ndarray, "points 3"]
    """Å, from the cube's corner."""
    faces: Int[np.ndarray, "faces 3"]


@dataclass(frozen=True, slots=True)
class Camera:
    """Viewing direction in degrees: the cube is turned about z, then tipped towards the reader."""

    azimuth: float = 28.0
    elevation: float = 16.0

    def project(self, points: Float[np.ndarray, "*n 3"], edge: float) -> Float[np.ndarray, "*n 3"]:
        """Å to the right, up, and towards the reader, from the middle of the cube."""
        turn, tip = np.radians([self.azimuth, self.elevation])
        right = np.array([np.cos(turn), np.sin(turn), 0])
        away = np.array([-np.sin(turn), np.cos(turn), 0])
        up = np.array([0, 0, 1])
        axes = np.array([right, np.cos(tip) * up + np.sin(tip) * away, np.sin(tip) * up - np.cos(tip) * away])
        return (points - edge / 2) @ axes.T


def levels(density: Float[np.ndarray, "n n n"]) -> tuple[float, ...]:
    """Values in e/Å³ whose surfaces show a density."""
    low, high = float(density.min()), float(density.max())
    return tuple(low + share * (high - low) for share in LEVELS)


def surfaces(
    density: Float[np.ndarray, "n n n"], edge: float, values: Sequence[float] | None = None
) -> list[Surface | None]:
    """Surfaces of equal density; None for a value that the density does not cross.

    Where the density leaves the cube its surface is closed along the cube's face.

    Parameters
    ----------
    density
        On points that include both faces of the cube.
    edge
        Of the cube, Å.
    values
        In e/Å³; `levels` of the density if not given.
    """
    from skimage.measure import marching_cubes

    spacing = edge / (len(density) - 1)
    outside = min(0.0, float(density.min())) - 1e-6
    closed = np.pad(density, 1, constant_values=outside)
    found: list[Surface | None] = []
    for value in levels(density) if values is None else values:
        if not outside < value < density.max():
            found.append(None)
            continue
        vertices, faces, _, _ = marching_cubes(closed, value)
        inside = np.clip((vertices - 1) * spacing, 0, edge)
        found.append(Surface(inside.astype(np.float64), faces.astype(np.int64)))
    return found


def frame_axes(axes: "Axes", edge: float) -> None:
    """Make room for the cube, whichever way it is turned about z, and hide the axes."""
    axes.set(xlim=(-0.74 * edge, 0.74 * edge), ylim=(-0.7 * edge, 0.7 * edge), aspect="equal")
    axes.set_axis_off()


def draw_cube(axes: "Axes", edge: float, camera: Camera) -> None:
    """Edges of the cube: those behind first, so that they lie under what is in it.

    Parameters
    ----------
    axes
        To draw on.
    edge
        Of the cube, Å.
    camera
        Where it is seen from.
    """
    from matplotlib.collections import LineCollection

    corners = camera.project(CORNERS * edge, edge)
    farthest = corners[:, 2].argmin()
    pairs = [(i, j) for i in range(8) for j in range(i) if np.abs(CORNERS[i] - CORNERS[j]).sum() == 1]
    for behind in (True, False):
        lines = [corners[[i, j], :2] for i, j in pairs if (farthest in (i, j)) == behind]
        dashes, order = ("dotted", 1) if behind else ("solid", 3)
        drawn = LineCollection(lines, colors=EDGE, linewidths=0.5, linestyles=dashes, zorder=order)
        axes.add_collection(drawn, autolim=False)


def draw_surfaces(axes: "Axes", found: Sequence[Surface | None], edge: float, camera: Camera) -> None:
    """Surfaces in the order of `LEVELS`, shaded; the veil lies over the cores, which are inside of it.

    They are pixels in print too: ten thousand triangles would show their seams.

    Parameters
    ----------
    axes
        To draw on.
    found
        Surfaces, in the order of `LEVELS`.
    edge
        Of the cube, Å.
    camera
        Where it is seen from.
    """
    from matplotlib.collections import PolyCollection

    for k in reversed(range(len(found))):
        surface = found[k]
        if surface is None:
            continue
        triangles, rgb = _lit(surface, edge, camera, SHADES[k])
        polygons = PolyCollection(
            cast("Any", triangles), facecolors=rgb, edgecolors="none", antialiaseds=False, rasterized=True, zorder=2
        )
        if ALPHA[k] < 1:
            polygons.set_agg_filter(partial(_fade, ALPHA[k]))
        axes.add_collection(polygons, autolim=False)


def _lit(
    surface: Surface, edge: float, camera: Camera, shade: str
) -> tuple[Float[np.ndarray, "shown 3 2"], Float[np.ndarray, "shown 3"]]:
    """Triangles that face the reader, the farthest first, and their colours."""
    from matplotlib.colors import to_rgb

    corners = camera.project(surface.vertices, edge)[surface.faces]
    across = np.cross(corners[:, 2] - corners[:, 0], corners[:, 1] - corners[:, 0])
    length = np.linalg.norm(across, axis=1)
    facing = across[:, 2] > 1e-3 * np.maximum(length, 1e-9)
    corners, across = corners[facing], across[facing] / length[facing, None]
    order = corners[..., 2].mean(1).argsort()
    light = 0.55 + 0.5 * np.clip(across[order] @ LIGHT, 0, 1)
    return corners[order, :, :2], np.clip(light[:, None] * np.array(to_rgb(shade)), 0, 1)


def _fade(
    alpha: float, picture: Float[np.ndarray, "height width 4"], _dpi: Any
) -> tuple[Float[np.ndarray, "height width 4"], int, int]:
    """Make what was drawn as one layer translucent, so that nothing of it shows twice.

    Matplotlib may filter a layer more than once: then this changes nothing more.
    """
    faded = picture.copy()
    faded[..., 3] = np.minimum(faded[..., 3], alpha)
    return faded, 0, 0


def draw_atoms(
    axes: "Axes",
    positions: Float[np.ndarray, "atoms 3"],
    numbers: Int[np.ndarray, " atoms"],
    edge: float,
    camera: Camera,
    occupancies: Float[np.ndarray, "atoms 119"] | None = None,
) -> None:
    """Atoms as spheres: discs with a glint, the farthest first, paler the farther they are; shared sites as pies.

    Parameters
    ----------
    axes
        To draw on.
    positions
        Å from the cube's corner.
    numbers
        Atomic numbers.
    edge
        Of the cube, Å.
    camera
        Where it is seen from.
    occupancies
        Of each atom's site by Z, in column 0 what is empty; None where none is shared.
    """
    from matplotlib.collections import EllipseCollection

    if not len(numbers):
        return
    seen = camera.project(positions, edge)
    order = seen[:, 2].argsort()
    haze = np.clip(0.25 - 0.3 * seen[order, 2:] / edge, 0, 0.5)
    if occupancies is not None:
        shares = occupancies[order]
        draw_pies(axes, seen[order, :2], shares, SPHERE * site_radii(shares), haze[:, 0])
        return
    seen, size, rgb = seen[order], SPHERE * radii(numbers)[order], colors(numbers)[order]
    rgb = rgb + (1 - rgb) * haze
    # Disc and glint of one atom after another: one collection, so that a near disc hides a far glint.
    place = np.stack([seen[:, :2], seen[:, :2] + 0.32 * size[:, None] * LIGHT[:2]], 1).reshape(-1, 2)
    across = np.stack([2 * size, 0.7 * size], 1).ravel()
    glint = np.hstack([rgb + (1 - rgb) * 0.55, np.ones((len(rgb), 1))])
    disc = np.hstack([rgb, np.ones((len(rgb), 1))])
    rim = np.hstack([0.45 * rgb, np.ones((len(rgb), 1))])
    discs = EllipseCollection(
        across,
        across,
        np.zeros(len(across)),
        units="xy",
        offsets=place,
        offset_transform=axes.transData,
        facecolors=np.stack([disc, glint], 1).reshape(-1, 4),
        edgecolors=np.stack([rim, glint], 1).reshape(-1, 4),
        linewidths=np.tile([0.4, 0.0], len(rgb)),
        clip_on=False,
        zorder=2,
    )
    axes.add_collection(discs, autolim=False)
