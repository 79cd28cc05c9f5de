"""How printed figures look: sizes, colours, and how they are written."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtalcodec.io.atomic import atomic

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK, SOFT, LINE = "#17202b", "#5b6878", "#dfe4ea"
BLUE, ORANGE, GREEN, PURPLE = "#2357d6", "#d9622b", "#16794a", "#8a4fbf"
"""Colours of the pages, dark enough for thin lines on paper."""

WIDTH = 7.2
"""Inches: two columns of a journal."""

FORMATS = ("png", "pdf")
DOTS = 220
"""Per inch, of pictures made of pixels."""

SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "figure.titlesize": 9,
    "text.color": INK,
    "pdf.fonttype": 42,
}


@contextmanager
def print_style() -> Iterator[None]:
    """Draw and write as in print, and leave what others set as it was."""
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS):
        yield


def new_figure(width: float, height: float, caption: str = "") -> "Figure":
    """Empty figure of so many inches that writes without a screen; what it shows stands above it.

    Parameters
    ----------
    width, height
        Inches.
    caption
        What the whole shows, above it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    if caption:
        wrapped = "\n".join(textwrap.wrap(caption, int(16.5 * width), break_on_hyphens=False))
        figure.suptitle(wrapped, x=0.01, ha="left", fontsize=8, color=SOFT)
    return figure


def sequential() -> "Colormap":
    """From nothing, white, to most: of densities and counts."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = ["#ffffff", "#d5e3f5", "#8fb4e3", "#4478c9", "#1f3f8f", "#121f4a"]
    return LinearSegmentedColormap.from_list("xtalcodec", shades)


def diverging() -> "Colormap":
    """Blue below nothing, orange above: of differences."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("xtalcodec difference", [BLUE, "#a9bdf0", "#ffffff", "#f2bd9f", ORANGE])


def save(figure: "Figure", folder: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a figure in every format; the same figure gives the same bytes.

    Parameters
    ----------
    figure
        To write.
    folder
        For the files.
    name
        Of the files, without a suffix.
    formats
        png, pdf or both.
    """
    paths = []
    with print_style():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # what has found its place keeps it, in every format
        for suffix in formats:
            path = folder / f"{name}.{suffix}"
            with atomic(path) as temporary:
                metadata = {"CreationDate": None} if suffix == "pdf" else {}
                figure.savefig(temporary, dpi=DOTS, metadata=metadata)
            paths.append(path)
    return paths
