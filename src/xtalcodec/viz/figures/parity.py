"""What was decoded against what is true: counts, species, distances both ways, density voxel by voxel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.evaluation.windows import PERCENTILES, WindowRow, nearest, species, window_summary
from xtalcodec.viz.figures.style import BLUE, INK, ORANGE, WIDTH, new_figure, print_style, sequential

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER_DISTANCES = {20: 0.052, 50: 0.097, 80: 0.18, 90: 0.25, 95: 0.5}
"""Percentile → Å from an atom to the nearest decoded one: Hoffmann et al. 2019, unit cells, 300 latent numbers."""

CELLS = {"windows": 60, "atoms": 120, "voxels": 160}
"""Most bins along an axis of a histogram of these; every Z has its own."""


def counts_and_species(rows: Sequence[WindowRow], caption: str) -> "Figure":
    """True against decoded number of atoms in a window, and Z of every true atom against its decoded one's.

    An atom that was not found is decoded as Z = 0, a window without any has 0 atoms.
    """
    fitting = [row for row in rows if row.fits]
    scores = window_summary(rows)
    counts = np.array([[len(row.true.numbers), len(row.decoded.numbers)] for row in fitting]).reshape(-1, 2)
    numbers = np.concatenate([np.stack(species(row), 1) for row in fitting])
    with print_style():
        figure = new_figure(WIDTH, 3.4, caption)
        left, right = figure.subplots(1, 2)
        _integers(left, counts, "windows")
        left.set(xlabel="true number of atoms", ylabel="decoded number of atoms")
        left.set_title(f"as many atoms, each near a true one: {_percent(scores['count_per_window'])}")
        _integers(right, numbers, "atoms")
        right.set(xlabel="true Z", ylabel="decoded Z (0: none near)")
        right.set_title(f"right species: {_percent(scores['species_per_atom'])}")
    return figure


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _integers(axes: "Axes", pairs: Int[np.ndarray, "n 2"], of: str) -> None:
    """Histogram of pairs of integers, dark where many are; what is right lies on the diagonal."""
    top = int(pairs.max()) + 1
    width = -(-(top + 1) // CELLS[of])
    edges = np.arange(-0.5, top + width, width)
    _histogram(axes, _count(pairs[:, 0], pairs[:, 1], edges), edges, _bins(of, width))


def _count(x: np.ndarray, y: np.ndarray, edges: Float[np.ndarray, " edges"]) -> Float[np.ndarray, "x y"]:
    """How many pairs fall into each square."""
    return np.histogram2d(x, y, bins=[edges, edges])[0]


def _bins(of: str, width: int) -> str:
    return of if width == 1 else f"{of} per bin of {width} × {width}"


def _histogram(axes: "Axes", count: Float[np.ndarray, "x y"], edges: Float[np.ndarray, " edges"], of: str) -> None:
    """Two-dimensional histogram on a logarithmic scale, with the diagonal."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogLocator

    shown = np.ma.masked_equal(count.T, 0)
    norm = LogNorm(0.4, max(10.0, float(count.max())))  # white is for none, so one is darker than the scale's foot
    axes.plot(edges[[0, -1]], edges[[0, -1]], color=ORANGE, lw=0.6, zorder=1)
    mesh = axes.pcolormesh(edges, edges, shown, cmap=sequential(), norm=norm, rasterized=True, zorder=2)
    axes.set(aspect="equal", xlim=edges[[0, -1]], ylim=edges[[0, -1]])
    locator = LogLocator(subs=(1, 2, 5) if count.max() < 200 else (1,))
    bar = axes.figure.colorbar(mesh, ax=axes, fraction=0.045, pad=0.02, ticks=locator, format=_plain)
    bar.ax.set_ylim(1, None)
    bar.minorticks_off()
    bar.set_label(of)


def _plain(value: float, _place: int | None = None) -> str:
    return f"{value:,.0f}".replace(",", " ")


def distances(rows: Sequence[WindowRow], caption: str, paper: bool) -> "Figure":
    """Percentiles of the distance between true and decoded atoms, both ways.

    Parameters
    ----------
    rows
        What was measured.
    caption
        What the whole shows.
    paper
        Whether the paper's own numbers, of unit cells, may stand beside.
    """
    fitting = [row for row in rows if row.fits]
    ways = {
        "true → decoded": [nearest(r.true.positions, r.decoded.positions)[0] for r in fitting],
        "decoded → true": [nearest(r.decoded.positions, r.true.positions)[0] for r in fitting],
    }
    with print_style():
        figure = new_figure(WIDTH * 0.62, 3.1, caption)
        axes = figure.subplots()
        axes.set(yscale="log", xlabel="percentile of atoms", ylabel="distance to the nearest (Å)")
        lost = []
        for (name, parts), color in zip(ways.items(), (BLUE, ORANGE), strict=True):
            lost.append(_one_way(axes, np.concatenate(parts), name, color))
        if paper:
            label = "Hoffmann et al. 2019,\nunit cells, 300 numbers"
            style: dict[str, Any] = {"marker": "D", "ms": 4.5, "ls": "none", "mfc": "none", "mec": INK, "mew": 0.8}
            axes.plot(list(PAPER_DISTANCES), list(PAPER_DISTANCES.values()), label=label, **style)
        axes.set(xlim=(3, 101), xticks=PERCENTILES)
        axes.set_xticks(PERCENTILES, [str(q) if q != 98 else "" for q in PERCENTILES])
        axes.grid(visible=True, which="major", axis="y", color="#dfe4ea", lw=0.5)
        axes.legend(loc="upper left", title="; ".join(text for text in lost if text) or None, title_fontsize=6.5)
    return figure


def _one_way(axes: "Axes", values: Float[np.ndarray, " atoms"], name: str, color: str) -> str:
    """Draw one curve, and tell what is infinitely far and so cannot be on it."""
    if not len(values):
        return f"{name}: no atom"
    fine = np.arange(5, 99.01, 0.25)
    floor = 1e-5  # Å: what is exact to the last bit still has a place on the scale
    curve, marks = (np.maximum(np.percentile(values, q, method="higher"), floor) for q in (fine, PERCENTILES))
    seen, marked = np.isfinite(curve), np.isfinite(marks)
    axes.plot(fine[seen], curve[seen], color=color, lw=1, label=f"{name}, {len(values)} atoms")
    axes.plot(np.array(PERCENTILES)[marked], marks[marked], color=color, marker="o", ms=3, ls="none")
    far = float(np.mean(~np.isfinite(values)))
    return f"{name}: {100 * far:.1f} % without any atom" if far else ""


def density_parity(rows: Sequence[WindowRow], caption: str) -> "Figure":
    """True against decoded density, voxel by voxel, of all that fit."""
    fitting = [row for row in rows if row.fits]
    fields = [(np.asarray(row.true_density), np.asarray(row.decoded_density)) for row in fitting]
    top = max(float(field.max()) for pair in fields for field in pair)
    low = min(0.0, *(float(field.min()) for pair in fields for field in pair))
    edges = np.linspace(low, top, CELLS["voxels"] + 1)
    count = np.sum([_count(true.ravel(), decoded.ravel(), edges) for true, decoded in fields], 0)
    parts = window_summary(rows)["density_mse_percentiles"]
    with print_style():
        figure = new_figure(WIDTH * 0.55, 3.5, caption)
        axes = figure.subplots()
        _histogram(axes, count, edges, "voxels")
        axes.set(xlabel="true density (e/Å³)", ylabel="decoded density (e/Å³)")
        axes.set_title(f"MSE {parts['50']:.2g} e²/Å⁶ in the median,\n{parts['20']:.2g} to {parts['80']:.2g} (20–80 %)")
    return figure
