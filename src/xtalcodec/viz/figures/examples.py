"""A few crystals as they are and as they come back, chosen by how well: slices, surfaces and atoms side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtalcodec.evaluation.windows import WindowRow, density_mse
from xtalcodec.viz.figures.frames import (
    SLICES,
    Frame,
    draw_density,
    draw_slice,
    draw_structure,
    name_elements,
    outer_labels,
    shares,
)
from xtalcodec.viz.figures.scene import levels
from xtalcodec.viz.figures.style import WIDTH, diverging, new_figure, print_style, sequential

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RANKS = (10, 50, 80, 95)
"""Percentiles of density MSE at which crystals are shown: good ones, usual ones and bad ones."""


@dataclass(frozen=True, slots=True)
class Example:
    """A crystal before and after."""

    row: WindowRow
    true: Frame
    decoded: Frame
    mse: float
    """e²/Å⁶."""
    rank: int
    """Share of crystals, in percent, with an MSE no larger."""

    @property
    def label(self) -> str:
        """Formula, error and rank, in three short lines."""
        return f"{self.row.reconstruction.original.formula}\nMSE {self.mse:.1e}\npercentile {self.rank}"


def examples(rows: Sequence[WindowRow], edge: float, ranks: Sequence[int] = RANKS) -> list[Example]:
    """Crystals at percentiles of density MSE, the best first, none twice.

    Parameters
    ----------
    rows
        What was measured; those that do not fit have nothing to show.
    edge
        Of the window, Å.
    ranks
        Percentiles.
    """
    fitting = sorted((row for row in rows if row.fits), key=density_mse)
    places = dict.fromkeys(round(rank / 100 * (len(fitting) - 1)) for rank in ranks)
    chosen = []
    for place in places if fitting else ():
        row = fitting[place]
        rank = round(100 * (place + 1) / len(fitting))
        fields, atoms = (row.true_density, row.decoded_density), (row.true, row.decoded)
        true, decoded = (
            Frame(np.asarray(field, dtype=np.float64), a.positions, a.numbers, edge)
            for field, a in zip(fields, atoms, strict=True)
        )
        chosen.append(Example(row, true, decoded, density_mse(row), rank))
    return chosen


def slices(chosen: Sequence[Example], caption: str) -> "Figure":
    """Slices across z of true and decoded density on one scale, and of their difference on its own."""
    top = max(float(frame.density.max()) for x in chosen for frame in (x.true, x.decoded))
    differences = [x.decoded.density - x.true.density for x in chosen]
    off = float(np.median([np.abs(d).max() for d in differences])) or 1.0  # the worst is left to saturate
    with print_style():
        figure = new_figure(WIDTH + 1.6, 0.84 * len(chosen) + 0.95, caption)
        # Three columns for each slice, and a narrow empty one between.
        widths = [1, 1, 1, 0.12] * len(SLICES)
        everything = figure.subplots(len(chosen), len(widths) - 1, squeeze=False, width_ratios=widths[:-1])
        for axes in everything[:, 3::4].flat:
            axes.remove()
        grid = np.delete(everything, np.s_[3::4], axis=1)
        for line, x, difference in zip(grid, chosen, differences, strict=True):
            for k, share in enumerate(SLICES):
                edge = x.true.edge
                whole = draw_slice(line[3 * k], x.true.density, edge, share, sequential(), top, 0.0)
                draw_slice(line[3 * k + 1], x.decoded.density, edge, share, sequential(), top, 0.0)
                part = draw_slice(line[3 * k + 2], difference, edge, share, diverging(), off, -off)
        outer_labels(grid)
        for axes, x in zip(grid[:, 0], chosen, strict=True):
            axes.set_ylabel(f"{x.label}\ny (Å)", fontsize=6.5)
        for k, axes in enumerate(grid[0]):
            place = f"z = {SLICES[k // 3] * chosen[0].true.edge:.3g} Å" if k % 3 == 1 else ""
            axes.set_title(f"{place}\n{('true', 'decoded', 'difference')[k % 3]}", fontsize=7.5)
        for image, label, extend in ((whole, "density (e/Å³)", "neither"), (part, "decoded − true (e/Å³)", "both")):
            bar = figure.colorbar(image, ax=grid, location="right", fraction=0.02, aspect=35, pad=0.01, extend=extend)
            bar.set_label(label)
    return figure


def isosurfaces(chosen: Sequence[Example], caption: str) -> "Figure":
    """Surfaces of equal density and atoms, true and decoded side by side; surfaces at the true density's values."""
    with print_style():
        caption += f"; cubes of {chosen[0].true.edge:g} Å, surfaces at {shares()} of the true density’s range"
        figure = new_figure(WIDTH, 1.75 * len(chosen) + 0.7, caption)
        grid = figure.subplots(len(chosen), 4, squeeze=False)
        for line, x in zip(grid, chosen, strict=True):
            values = levels(x.true.density)
            draw_density(line[0], x.true, values=values)
            draw_density(line[1], x.decoded, values=values)
            draw_structure(line[2], x.true)
            draw_structure(line[3], x.decoded)
            for axes, frame in zip(line[2:], (x.true, x.decoded), strict=True):
                axes.text(0.5, -0.02, f"{len(frame.numbers)} atoms", transform=axes.transAxes, ha="center", fontsize=7)
            line[0].text(-0.1, 0.5, x.label, rotation=90, transform=line[0].transAxes, ha="center", va="center")
        for axes, title in zip(
            grid[0], ("true density", "decoded density", "true atoms", "decoded atoms"), strict=True
        ):
            axes.set_title(title)
        name_elements(figure, np.concatenate([f.numbers for x in chosen for f in (x.true, x.decoded)]))
    return figure
