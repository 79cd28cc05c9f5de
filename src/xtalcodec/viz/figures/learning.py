"""The learning curve of a training: what it noted, and how it is drawn."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from xtalcodec.codecs.stored import CURVE
from xtalcodec.viz.figures.style import BLUE, GREEN, ORANGE, PURPLE, SOFT, WIDTH, new_figure, print_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = dict[str, Float[np.ndarray, "points 2"]]
"""What was noted → crystals seen and the value, in order."""

COLORS = (BLUE, ORANGE, GREEN, PURPLE, "#1496a8", "#b3305f", "#7a6a1f", SOFT)

RATES = {"match_rate": "crystals matched", "count_rate": "number of sites right"}
RATES |= {"count_per_window": "number of atoms right", "species_per_atom": "species right"}
RATES |= {"composition_rate": "composition right", "right_species": "species right (training)"}

BANDS = {"density_mse": "density MSE (e²/Å⁶)", "distance": "distance to nearest decoded atom (Å)"}
"""What is noted as 20th, 50th and 80th percentile over held-out crystals, or their atoms."""

PAPER_MSE = 0.0057
"""e²/Å⁶: Hoffmann et al. 2019, unit cells, median over the validation set at the best epoch."""


def read_curve(folder: Path) -> Curve | None:
    """Return what the training in a folder noted; None of a codec that came without.

    Raises
    ------
    ValueError
        A line that is no JSON object with numbers; the message tells which.
    """
    path = folder / CURVE
    if not path.is_file():
        return None
    noted: dict[str, list[tuple[float, float]]] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            values = json.loads(line)
            crystals = float(values["crystals"])
            for name in values.keys() - {"step", "crystals"}:
                noted.setdefault(name, []).append((crystals, float(values[name])))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}, line {number}: not what a training notes ({error})") from error
    return {name: np.array(points, dtype=np.float64) for name, points in sorted(noted.items())} or None


def learning_curve(curve: Curve, caption: str, paper: bool) -> "Figure":
    """Draw every panel that there is something for: losses, density error, distance, rates.

    Parameters
    ----------
    curve
        What was noted.
    caption
        What the whole shows.
    paper
        Whether the paper's density error, of unit cells, may stand beside.
    """
    panels = _panels(curve, paper)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with print_style():
        figure = new_figure(WIDTH if columns == 2 else WIDTH / 2, 2.5 * rows + 0.3, caption)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, draw in zip(grid, panels, strict=False):
            draw(axes)
            axes.set_xlabel("crystals seen")
            axes.xaxis.set_major_formatter(_thousands)
        for axes in grid[len(panels) :]:
            axes.remove()
    return figure


def _panels(curve: Curve, paper: bool) -> "list[Callable[[Axes], None]]":
    """Panels with something to show, in order."""
    panels: list[Callable[[Axes], None]] = []
    losses = [name for name in curve if name.startswith("train/") and name.removeprefix("train/") not in RATES]
    if losses:
        panels.append(lambda axes: _losses(axes, {name.removeprefix("train/"): curve[name] for name in losses}))
    for name, label in BANDS.items():
        parts = [curve.get(f"val/{name}_{q}") for q in (20, 50, 80)]
        if parts[1] is not None:
            mark = PAPER_MSE if paper and name == "density_mse" else None
            panels.append(partial(_band, parts=parts, label=label, mark=mark))
    rates = [name for name in curve if name.partition("/")[2] in RATES]
    if rates:
        panels.append(lambda axes: _rates(axes, {name: curve[name] for name in rates}))
    return panels


def _losses(axes: "Axes", terms: Curve) -> None:
    """Terms of the loss on training batches: running median, and the band from the 20th to the 80th percentile."""
    for color, (name, points) in zip(COLORS, terms.items(), strict=False):
        positive = points[points[:, 1] > 0]
        if not len(positive):
            continue
        low, middle, high = running_percentiles(positive[:, 1])
        axes.plot(positive[:, 0], middle, color=color, lw=1, label=name)
        axes.fill_between(positive[:, 0], low, high, color=color, alpha=0.2, lw=0)
    axes.set(yscale="log", ylabel="loss term", title="training batches: median, 20–80 %")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.25)  # room for the names
    axes.legend(loc="upper left", ncols=4, columnspacing=1, handlelength=1.2)


def running_percentiles(values: Float[np.ndarray, " points"]) -> Float[np.ndarray, "3 points"]:
    """20th, 50th and 80th percentile of each value's neighbourhood: a twentieth of all, five at least."""
    reach = max(2, len(values) // 40)
    near = [values[max(0, k - reach) : k + reach + 1] for k in range(len(values))]
    return np.array([np.percentile(part, (20, 50, 80)) for part in near]).T


def _band(axes: "Axes", parts: Sequence[Any], label: str, mark: float | None) -> None:
    """Median with the band from the 20th to the 80th percentile, of held-out crystals."""
    low, middle, high = parts
    axes.plot(*middle.T, color=BLUE, lw=1.2, marker="o", ms=2.5, label="median")
    if low is not None and high is not None and len(low) == len(high) == len(middle):
        axes.fill_between(middle[:, 0], low[:, 1], high[:, 1], color=BLUE, alpha=0.2, lw=0, label="20–80 %")
    if mark is not None:
        axes.axhline(mark, color=ORANGE, lw=0.8, ls="--", label=f"Hoffmann et al. 2019: {mark:g}")
    axes.set(yscale="log", ylabel=label, title="held-out crystals")
    axes.legend()


def _rates(axes: "Axes", rates: Curve) -> None:
    """Shares of held-out crystals, and of training atoms."""
    for color, (name, points) in zip(COLORS, rates.items(), strict=False):
        kind, _, what = name.partition("/")
        style: dict[str, Any] = {"ls": ":", "lw": 1.2} if kind == "train" else {"lw": 1.2, "marker": "o", "ms": 2.5}
        axes.plot(points[:, 0], 100 * points[:, 1], color=color, label=RATES[what], **style)
    axes.set(ylabel="share (%)", title="held-out crystals; dotted: training")
    axes.legend()


def _thousands(value: float, _place: int | None = None) -> str:
    return f"{value / 1000:g} k" if value >= 1000 else f"{value:g}"
