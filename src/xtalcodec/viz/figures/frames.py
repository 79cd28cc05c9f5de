"""Densities and atoms in a cube, one after another: side by side on paper, or turning in a film."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from xtalcodec.geometry.elements import symbol
from xtalcodec.io.atomic import atomic
from xtalcodec.viz.elements import hex_color
from xtalcodec.viz.figures.scene import LEVELS, Camera, draw_atoms, draw_cube, draw_surfaces, frame_axes, surfaces
from xtalcodec.viz.figures.style import INK, SOFT, new_figure, print_style, sequential

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

SLICES = (0.25, 0.5, 0.75)
"""Where slices across z are taken, over the cube's edge."""

RATE = 20
"""Pictures of a film per second."""

FILM = (960, 512)
"""Pixels; the codecs of films want multiples of 16."""

FILMS = (".gif", ".mp4")


@dataclass(frozen=True, slots=True)
class Frame:
    """Density and atoms of one window."""

    density: Float[np.ndarray, "n n n"]
    """e/Å³, on points that include both faces of the cube."""
    positions: Float[np.ndarray, "atoms 3"]
    """Å, from the cube's corner."""
    numbers: Int[np.ndarray, " atoms"]
    """Atomic numbers Z."""
    edge: float
    """Å: length of the cube's edges."""
    title: str = ""
    occupancies: Float[np.ndarray, "atoms 119"] | None = None
    """Of each atom's site by Z, in column 0 of what is empty; None where no site is shared."""

    @property
    def elements(self) -> Int[np.ndarray, " elements"]:
        """Atomic numbers of what is shown, each once."""
        if self.occupancies is None:
            return np.unique(self.numbers)
        return np.flatnonzero(self.occupancies[:, 1:].sum(0)) + 1


def strip(frames: Sequence[Frame], titles: Sequence[str], caption: str = "") -> "Figure":
    """Frames as columns: density, atoms, and slices of the density across z on one colour scale.

    Parameters
    ----------
    frames
        From left to right.
    titles
        Above the columns.
    caption
        What the whole shows.
    """
    if not frames:
        raise ValueError("no frame to draw")
    if len(frames) != len(titles):
        raise ValueError(f"{len(frames)} frames, but {len(titles)} titles")
    rows, columns = 2 + len(SLICES), len(frames)
    top = max(float(frame.density.max()) for frame in frames)
    with print_style():
        figure = new_figure(0.9 + 1.35 * columns, 1.35 * rows + 0.7, caption)
        grid = figure.subplots(rows, columns, squeeze=False)
        for column, frame, title in zip(grid.T, frames, titles, strict=True):
            column[0].set_title(title)
            draw_density(column[0], frame)
            draw_structure(column[1], frame)
            for axes, share in zip(column[2:], SLICES, strict=True):
                image = draw_slice(axes, frame.density, frame.edge, share, sequential(), top, 0.0)
        outer_labels(grid[2:])
        for share, axes in zip(SLICES, grid[2:, 0], strict=True):
            axes.set_ylabel(f"z = {share * frames[0].edge:.3g} Å\ny (Å)")
        for axes, label in zip(grid[:2, 0], (f"density\nat {shares()}\nof its range", "atoms"), strict=True):
            axes.text(-0.12, 0.5, label, rotation=90, transform=axes.transAxes, ha="center", va="center")
        bar = figure.colorbar(image, ax=grid[2:], fraction=0.03, pad=0.01, aspect=35)
        bar.set_label("density (e/Å³)")
        name_elements(figure, np.concatenate([frame.elements for frame in frames]))
    return figure


def shares() -> str:
    """Where surfaces are drawn, in words."""
    return " and ".join(f"{100 * level:.0f}" for level in LEVELS) + " %"


def draw_density(
    axes: "Axes", frame: Frame, camera: Camera | None = None, values: Sequence[float] | None = None
) -> None:
    """Surfaces of equal density in the cube, at given values in e/Å³ or at the density's own `levels`.

    Parameters
    ----------
    axes
        To draw on.
    frame
        What is shown.
    camera
        Where it is seen from.
    values
        e/Å³ of the surfaces; chosen from the density if not given.
    """
    camera = camera or Camera()
    frame_axes(axes, frame.edge)
    draw_cube(axes, frame.edge, camera)
    draw_surfaces(axes, surfaces(frame.density, frame.edge, values), frame.edge, camera)


def draw_structure(axes: "Axes", frame: Frame, camera: Camera | None = None) -> None:
    """Atoms in the cube.

    Parameters
    ----------
    axes
        To draw on.
    frame
        What is shown.
    camera
        Where it is seen from.
    """
    camera = camera or Camera()
    frame_axes(axes, frame.edge)
    draw_cube(axes, frame.edge, camera)
    draw_atoms(axes, frame.positions, frame.numbers, frame.edge, camera, frame.occupancies)


def draw_slice(
    axes: "Axes",
    field: Float[np.ndarray, "n n n"],
    edge: float,
    share: float,
    shades: "Colormap",
    top: float,
    low: float,
) -> "AxesImage":
    """Draw a field in the plane z = share × edge, shaded from `low` to `top`.

    Parameters
    ----------
    axes
        To draw on.
    field
        Density, e/Å³.
    edge
        Of the cube, Å.
    share
        Where z is cut, as a share of the edge.
    shades
        Colours.
    top, low
        Values at the ends of the colours.
    """
    points = len(field)
    half = 0.5 * edge / (points - 1)  # a voxel's middle is its point
    image = axes.imshow(
        field[:, :, round(share * (points - 1))].T,
        origin="lower",
        extent=(-half, edge + half, -half, edge + half),
        cmap=shades,
        vmin=low,
        vmax=top,
        interpolation="nearest",
    )
    axes.set(xticks=[0, edge / 2, edge], yticks=[0, edge / 2, edge])
    return image


def outer_labels(grid: np.ndarray) -> None:
    """Label axes that all show the same on the left and below only."""
    for axes in grid[:, 1:].flat:
        axes.set_yticklabels([])
    for axes in grid[:-1].flat:
        axes.set_xticklabels([])
    for axes in grid[-1]:
        axes.set_xlabel("x (Å)")
    for axes in grid[:, 0]:
        axes.set_ylabel("y (Å)")


def name_elements(figure: "Figure", numbers: Int[np.ndarray, " atoms"], size: float = 7) -> None:
    """Legend of the elements below a figure, lightest first.

    Parameters
    ----------
    figure
        To draw on.
    numbers
        Atomic numbers that are shown.
    size
        Of the letters, points.
    """
    from matplotlib.lines import Line2D

    present = np.unique(numbers[numbers > 0]).tolist()
    if not present:
        return
    style: dict[str, Any] = {
        "marker": "o",
        "linestyle": "none",
        "markeredgecolor": SOFT,
        "markeredgewidth": 0.4,
        "markersize": 0.85 * size,
    }
    handles = [Line2D([], [], color=hex_color(z), label=symbol(z), **style) for z in present]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 14), handletextpad=0.1, fontsize=size
    )


def movie(
    frames: Sequence[Frame],
    path: Path,
    *,
    turns: float = 1.0,
    seconds: float = 6.0,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write a film of density and atoms that turn together, from the first frame to the last.

    Parameters
    ----------
    frames
        Each is shown for as long as any other.
    path
        .gif or .mp4.
    turns
        About z, over the whole film.
    seconds
        How long it takes.
    progress
        Called with the number of pictures drawn since the last call.

    Raises
    ------
    ValueError
        No frame, no time, or a file of another kind.
    """
    path = Path(path)
    if path.suffix.lower() not in FILMS:
        raise ValueError(f"{path.name}: films are {' or '.join(FILMS)}, not {path.suffix or 'a file without a suffix'}")
    if not frames or round(seconds * RATE) < 1:
        raise ValueError("a film needs at least one frame and some time")
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    pictures = _pictures(frames, turns, round(seconds * RATE), progress)
    with atomic(path) as temporary:
        write(pictures, temporary)


def _pictures(
    frames: Sequence[Frame], turns: float, count: int, progress: Callable[[int], None] | None
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Pictures of a film: drawn twice as large and averaged, so that edges are smooth."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    width, height = FILM
    found = [surfaces(frame.density, frame.edge) for frame in frames]
    with print_style():
        figure = new_figure(width / 100, height / 100)
        figure.set_dpi(200)
        canvas = FigureCanvasAgg(figure)
        panels = figure.subplots(1, 2)
        caption = figure.suptitle(" ", fontsize=13, color=INK)
        name_elements(figure, np.concatenate([frame.elements for frame in frames]), 12.0)
        canvas.draw()
        figure.set_layout_engine("none")  # nothing moves but what is turned
        for k in range(count):
            which = k * len(frames) // count
            frame, camera = frames[which], Camera(Camera().azimuth + 360 * turns * k / count)
            for axes in panels:
                for drawn in list(axes.collections):
                    drawn.remove()
                frame_axes(axes, frame.edge)
                draw_cube(axes, frame.edge, camera)
            draw_surfaces(panels[0], found[which], frame.edge, camera)
            draw_atoms(panels[1], frame.positions, frame.numbers, frame.edge, camera, frame.occupancies)
            caption.set_text(frame.title or " ")
            canvas.draw()
            yield np.asarray(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").reduce(2))
            if progress:
                progress(1)


def _write_gif(pictures: Iterator[UInt8[np.ndarray, "height width 3"]], path: Path) -> None:
    from PIL import Image

    # Few pixels of a colour, as of an element that a legend names alone, are no reason to lose it.
    images = [Image.fromarray(picture).quantize(256, Image.Quantize.MAXCOVERAGE) for picture in pictures]
    images[0].save(path, save_all=True, append_images=images[1:], duration=1000 // RATE, loop=0)


def _write_mp4(pictures: Iterator[UInt8[np.ndarray, "height width 3"]], path: Path) -> None:
    from imageio_ffmpeg import write_frames

    writer = write_frames(str(path), FILM, fps=RATE, codec="libx264", quality=8)
    writer.send(None)
    for picture in pictures:
        writer.send(np.ascontiguousarray(picture))
    writer.close()
