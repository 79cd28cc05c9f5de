"""Figures of crystals that were made: elements that were hit, paths, odds, energies, and samples beside controls."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xtalcodec.geometry.elements import cell_in_table, symbol
from xtalcodec.viz.figures.frames import Frame, draw_structure, name_elements
from xtalcodec.viz.figures.style import (
    BLUE,
    GREEN,
    INK,
    LINE,
    ORANGE,
    SOFT,
    WIDTH,
    new_figure,
    print_style,
    sequential,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SURE = 0.5
"""Confidence below which a step is not to be believed."""

COLORS = BLUE, GREEN, ORANGE


def periodic_table(hits: Sequence[Mapping[int, int]], labels: Sequence[str], caption: str = "") -> "Figure":
    """How often each element was hit, as a periodic table; below an element is a box for each kind of hit.

    Parameters
    ----------
    hits
        Times by atomic number, of each kind of hit; elements in none are left white.
    labels
        Of the kinds, from left to right.
    caption
        What the whole shows.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    scale = Normalize(0, max([1, *(n for kind in hits for n in kind.values())]))
    shade, share = sequential(), 1 / len(hits)
    with print_style():
        figure = new_figure(WIDTH, 4.0, caption)
        axes = figure.subplots()
        for z in range(1, 104):
            row, column = cell_in_table(z)
            for k, kind in enumerate(hits):
                color = shade(scale(kind.get(z, 0)))
                axes.add_patch(Rectangle((column + k * share, -row), share * 0.94, 0.5, fc=color, ec=LINE, lw=0.4))
            axes.text(column + 0.47, 0.72 - row, symbol(z), ha="center", va="center", color=INK)
        for k, label in enumerate(labels):
            axes.text(3.2 + 3.2 * k, -0.55, f"{'left' if k == 0 else 'right'}: {label}", color=SOFT)
        axes.set(xlim=(0.9, 19.05), ylim=(-9.1, 0.1), aspect="equal")
        axes.axis("off")
        bar = figure.colorbar(ScalarMappable(scale, shade), ax=axes, shrink=0.6, pad=0.01)
        bar.set_label("times")
    return figure


def film_strip(
    frames: Sequence[Frame], titles: Sequence[str], confidence: Sequence[float], caption: str = ""
) -> "Figure":
    """Atoms of every step of a path in a row, above how sure the decoder is of each.

    Parameters
    ----------
    frames
        From one end to the other.
    titles
        Above them.
    confidence
        0 to 1.
    caption
        What the whole shows.
    """
    import numpy as np

    with print_style():
        figure = new_figure(max(WIDTH, 1.05 * len(frames)), 2.7, caption)
        grid = figure.add_gridspec(2, len(frames), height_ratios=[1.5, 1])
        for k, (frame, title) in enumerate(zip(frames, titles, strict=True)):
            axes = figure.add_subplot(grid[0, k])
            axes.set_title(title)
            draw_structure(axes, frame)
        below = figure.add_subplot(grid[1, :])
        steps = range(len(frames))
        below.axhline(SURE, color=LINE, lw=1)
        below.plot(steps, confidence, color=BLUE, marker="o", ms=4)
        below.set(xlim=(-0.5, len(frames) - 0.5), ylim=(0, 1.02), xticks=[], ylabel="confidence")
        name_elements(figure, np.concatenate([frame.elements for frame in frames]))
    return figure


def odds(times: Mapping[str, int], tries: int, caption: str = "") -> "Figure":
    """How often each outcome came, the most frequent on top.

    Parameters
    ----------
    times
        By the outcome.
    tries
        All of them, those without an outcome included.
    caption
        What the whole shows.
    """
    rows = sorted(times.items(), key=lambda row: row[1])
    with print_style():
        figure = new_figure(0.7 * WIDTH, 0.8 + 0.24 * len(rows), caption)
        axes = figure.subplots()
        axes.barh([name for name, _ in rows], [100 * n / tries for _, n in rows], color=BLUE, height=0.7)
        for k, (_, n) in enumerate(rows):
            axes.text(100 * n / tries + 0.5, k, f"{n} of {tries}", va="center", color=SOFT, fontsize=7)
        axes.set_xlabel("share of the tries (%)")
    return figure


def ranking(names: Sequence[str], before: Sequence[float], after: Sequence[float], caption: str = "") -> "Figure":
    """Energies of samples of one composition, as they decoded and relaxed, the lowest on top.

    Parameters
    ----------
    names
        Of the samples, in order.
    before, after
        eV/atom.
    caption
        What the whole shows.
    """
    least, rows = min(after), range(len(names))[::-1]
    with print_style():
        figure = new_figure(0.8 * WIDTH, 0.9 + 0.24 * len(names), caption)
        axes = figure.subplots()
        _dumbbells(axes, [1000 * (e - least) for e in before], [1000 * (e - least) for e in after], rows)
        axes.set_yticks(list(rows), names)
        axes.set_xlabel("energy above the lowest (meV/atom)")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2)
    return figure


def _dumbbells(axes: "Axes", before: Sequence[float], after: Sequence[float], rows: Sequence[int]) -> None:
    for k, row in enumerate(rows):
        axes.plot([before[k], after[k]], [row, row], color=LINE, lw=2, zorder=1)
    axes.scatter(before, rows, color=ORANGE, s=22, zorder=2, label="as decoded")
    axes.scatter(after, rows, color=BLUE, s=22, zorder=3, label="relaxed")


def controls(scores: Mapping[str, Mapping[str, float]], caption: str = "") -> "Figure":
    """Scores of samples beside those of their controls.

    Parameters
    ----------
    scores
        Name of the set (samples first) → name of the score → share, 0 to 1.
    caption
        What the whole shows.
    """
    names = list(next(iter(scores.values())))
    width = 0.8 / len(scores)
    with print_style():
        figure = new_figure(WIDTH, 2.6, caption)
        axes = figure.subplots()
        for k, (label, values) in enumerate(scores.items()):
            places = [j + (k - (len(scores) - 1) / 2) * width for j in range(len(names))]
            heights = [100 * values[name] for name in names]
            axes.bar(places, heights, width * 0.92, color=COLORS[k], label=label)
            for x, y in zip(places, heights, strict=True):
                axes.text(x, y + 1, f"{y:.3g}", ha="center", color=SOFT, fontsize=6.5)
        axes.set_xticks(range(len(names)), names)
        axes.set(ylim=(0, 118), ylabel="share (%)")
        axes.legend(ncol=len(scores), loc="upper right")
    return figure
