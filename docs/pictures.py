"""Make the two pictures of the documentation: `python docs/pictures.py`.

The crystal is orthorhombic perovskite, CaTiO₃; what is shown of its field and of the decoder's targets
is what the package computes.
"""

import math
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from drawing import (
    BLUE,
    COLORS,
    GREEN,
    HEAT,
    INK,
    ORANGE,
    SOFT,
    SYMBOLS,
    Example,
    View,
    arrow_patch,
    example,
    mix,
    pins,
    read_back,
    ruled,
)
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import FancyBboxPatch, Rectangle

from xtalcodec.representations.periodic import PeriodicConfig

IMAGES = Path(__file__).parent / "images"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.color": INK,
    "mathtext.fontset": "dejavusans",
    "axes.linewidth": 0.8,
    "axes.edgecolor": SOFT,
}


def representation(shown: Example) -> None:
    """From the crystal to the field and back."""
    patch = PeriodicConfig().patch
    figure = plt.figure(figsize=(16, 5.75))
    left = (0.0, 0.205, 0.41, 0.609, 0.813)
    width = (0.185, 0.185, 0.155, 0.155, 0.185)
    back, worst = read_back(shown)
    below = f"10$^{{{math.ceil(math.log10(max(worst, 1e-9)))}}}$"
    a, b, c = np.linalg.norm(shown.reduced.lattice, axis=1)
    grid = " × ".join(map(str, shown.heat.shape))
    texts = (
        ("1  Crystal", "CaTiO$_3$, $Pnma$, 20 sites,\nin the setting of the file"),
        (
            "2  Niggli cell, patches, voxels",
            f"{a:.2f} × {b:.2f} × {c:.2f} Å\n{' × '.join(map(str, shown.patches))} patches, {grid} voxels",
        ),
        ("3  Painted field", "normalised Gaussians on the torus;\nhere one channel per element"),
        ("4  Targets of the decoder", "heat, and offsets from voxels to\ntheir nearest atom: the true values"),
        ("5  Atoms", f"positions from 4, elements from 3,\nin the given cell; within {below} Å"),
    )
    for x, w, (title, text) in zip(left, width, texts, strict=True):
        figure.text(x + w / 2, 0.945, title, ha="center", va="center", fontsize=13.5, weight="bold")
        figure.text(x + w / 2, 0.065, text, ha="center", va="center", color=SOFT, linespacing=1.35)
    edges = {"color": INK, "lw": 1.1}
    for k, crystal in ((0, shown.given), (1, shown.reduced), (4, back)):
        view = View(figure.add_axes((left[k], 0.13, width[k], 0.78)), crystal.lattice)
        view.cell(**edges)
        view.atoms(crystal, 0.6 if k == 1 else 1)
        if k == 1:
            view.faces(shown.patches, patch)
    for row, layer in enumerate((shown.heat.shape[2] // 4, 0)):
        low = 0.535 - 0.4 * row
        label = f"slice z = {'1/4' if layer else '0'}"
        field = figure.add_axes((left[2] + 0.008, low, width[2] - 0.008, 0.365))
        ruled(field, mix(shown.density)[:, :, layer], patch, label)
        target = figure.add_axes((left[3] + 0.008, low, width[3] - 0.008, 0.365))
        warm = ruled(target, shown.heat[:, :, layer], patch, "", cmap=HEAT, vmin=0, vmax=1)
        pins(target, shown, layer)
    bar = figure.colorbar(warm, cax=figure.add_axes((left[3] + width[3] + 0.007, 0.135, 0.006, 0.17)), ticks=[0, 1])
    bar.ax.set_title("heat", fontsize=9.5, color=SOFT, pad=5)
    bar.ax.tick_params(labelsize=9.5, length=0, colors=SOFT)
    for k, x in enumerate((0.196, 0.394, 0.5885, 0.803)):
        figure.add_artist(arrow_patch((x - 0.011, 0.52), (x + 0.011, 0.52), ORANGE if k == 2 else INK))
        if k == 2:
            figure.text(x, 0.56, "network", ha="center", color=ORANGE, fontsize=10, weight="bold")
    for k, (z, color) in enumerate(COLORS.items()):
        x = 0.024 + 0.042 * k
        figure.add_artist(plt.Line2D([x], [0.875], marker="o", ms=9, color=color, lw=0))
        figure.text(x + 0.009, 0.875, SYMBOLS[z], va="center", fontsize=11)
    figure.savefig(IMAGES / "representation.png", dpi=100)
    plt.close(figure)


class Diagram:
    """Boxes and arrows on a sheet of 160 × 72 units."""

    def __init__(self) -> None:
        """Make the sheet."""
        self.figure = plt.figure(figsize=(16, 7.2))
        self.ax = self.figure.add_axes((0, 0, 1, 1), xlim=(0, 160), ylim=(0, 72))
        self.ax.axis("off")

    def text(self, x: float, y: float, text: str, **style: object) -> None:
        """Write centred text."""
        self.ax.text(x, y, text, **({"ha": "center", "va": "center", "linespacing": 1.35} | style))

    def shape(self, x: float, y: float, text: str) -> None:
        """Write the shape of a tensor."""
        self.text(x, y, text, color=SOFT, fontsize=10, family="DejaVu Sans Mono")

    def box(self, x: float, y: float, w: float, h: float, text: str, color: str, fill: float = 0.1) -> None:
        """Draw a box around its middle."""
        paint = (*to_rgb(color), fill)
        look = {"boxstyle": "round,pad=0,rounding_size=1.1", "fc": paint, "ec": color, "lw": 1.2}
        self.ax.add_patch(FancyBboxPatch((x - w / 2, y - h / 2), w, h, **look))
        self.text(x, y, text)

    def stack(self, x: float, y: float, title: str, color: str) -> None:
        """Draw transformer layers, the first in front."""
        for k in (2, 1, 0):
            look = {"boxstyle": "round,pad=0,rounding_size=1.1", "fc": "white", "ec": color, "lw": 1.2}
            self.ax.add_patch(FancyBboxPatch((x - 12 + 0.9 * k, y - 7 + 0.9 * k), 24, 14, zorder=3 - k, **look))
        for dy, text in ((3.1, "attention + bias"), (-3.1, "MLP")):
            look = {"boxstyle": "round,pad=0,rounding_size=0.9", "fc": (*to_rgb(color), 0.14), "ec": "none"}
            self.ax.add_patch(FancyBboxPatch((x - 10.5, y + dy - 2.5), 21, 5, zorder=4, **look))
            self.text(x, y + dy, text, zorder=5)
        self.text(x + 0.9, y + 11.2, title, color=color, weight="bold", fontsize=11.5)

    def arrow(self, *points: tuple[float, float], color: str = INK, **style: object) -> None:
        """Draw an arrow through points."""
        for p, q in pairwise(points[:-1]):
            self.ax.plot([p[0], q[0]], [p[1], q[1]], color=color, lw=style.get("lw", 1.7), solid_capstyle="round")
        self.ax.add_patch(arrow_patch(points[-2], points[-1], color, **style))

    def picture(self, x: float, y: float, size: float) -> Axes:
        """Make axes for a picture around its middle."""
        ax = self.figure.add_axes(((x - size / 2) / 160, (y - size / 2) / 72, size / 160, size / 72))
        ax.set(xticks=[], yticks=[])
        return ax


def patches_apart(ax: Axes, image: np.ndarray, patch: int) -> None:
    """Show a slice with its patches pulled apart."""
    step = patch * 1.25
    for i in range(image.shape[0] // patch):
        for j in range(image.shape[1] // patch):
            part = image[i * patch : (i + 1) * patch, j * patch : (j + 1) * patch]
            left, low = i * step, j * step
            ax.imshow(
                part.swapaxes(0, 1),
                origin="lower",
                extent=(left, left + patch, low, low + patch),
                interpolation="nearest",
            )
            ax.add_patch(Rectangle((left, low), patch, patch, fill=False, ec=SOFT, lw=0.8))
    ax.set(xlim=(-0.2, step * 3 - 0.8), ylim=(-0.2, step * 3 - 0.8))
    ax.axis("off")


def torus(ax: Axes) -> None:
    """Show a displacement of patches that goes around the torus."""
    for i in range(4):
        for j in range(3):
            ends = (i, j) in ((0, 1), (3, 2))
            ax.add_patch(Rectangle((i, j), 1, 1, fc="#f9e2a0" if ends else "white", ec=SOFT, lw=0.8))
    ax.add_patch(arrow_patch((0.5, 1.5), (-0.55, 2.5), ORANGE, mutation_scale=11, lw=1.5))
    ax.add_patch(arrow_patch((4.5, 1.6), (3.55, 2.5), ORANGE, mutation_scale=11, lw=1.5))
    ax.set(xlim=(-0.8, 4.8), ylim=(-1.3, 4.3))
    ax.axis("off")


def network(shown: Example) -> None:
    """From the field to the latent and from the latent to atoms."""
    d = Diagram()
    encoder(d, shown, 55)
    latent(d, 55, 18)
    bias(d, 36.5)
    decoder(d, shown, 18)
    d.text(
        158,
        5.2,
        "t patches, voxels = t · patch³; other sizes by their names in PatchConfig",
        color=SOFT,
        fontsize=10,
        ha="right",
    )
    d.figure.savefig(IMAGES / "network.png", dpi=100)
    plt.close(d.figure)


def encoder(d: Diagram, shown: Example, y: float) -> None:
    """Draw the upper row, left to right."""
    patch, layer = PeriodicConfig().patch, shown.heat.shape[2] // 4
    image = mix(shown.density)[:, :, layer]
    ruled(d.picture(10.5, y, 15), image, patch, "")
    patches_apart(d.picture(36, y, 16.8), image, patch)
    for x, title, shape in ((10.5, "Field", "nx × ny × nz × channels"), (36, "Patches", "t × (patch³ · channels)")):
        d.text(x, y + 11.2, title, weight="bold", fontsize=11.5)
        d.shape(x, y - 10.6, shape)
    d.box(60, y, 12, 8, "linear", BLUE)
    d.shape(60, y + 6.3, "t × width")
    d.box(60, y - 13, 12, 5.4, "lattice", SOFT, 0.07)
    d.arrow((60, y - 10), (60, y - 4.6), color=SOFT)
    d.stack(89, y, "Encoder:  encoder_layers ×", BLUE)
    d.box(117.5, y, 14, 8, "norm, linear", BLUE)
    d.shape(117.5, y + 6.3, "t × 2·latent")
    for start, end in ((18.6, 26.9), (45.2, 53.4), (66.6, 76.2), (103.4, 109.8)):
        d.arrow((start, y), (end, y))


def latent(d: Diagram, up: float, down: float) -> None:
    """Draw the code between the rows; the values of its numbers are for show."""
    x, y = 143, (up + down) / 2
    values = np.random.default_rng(3).uniform(0.1, 0.9, (9, 8))
    colors = LinearSegmentedColormap.from_list("latent", [BLUE, "#f4f5f7", ORANGE])(values)
    for (k, j), _ in np.ndenumerate(values):
        d.ax.add_patch(Rectangle((x - 6.4 + 1.6 * j, y + 5.6 - 1.6 * k), 1.45, 1.45, fc=colors[k, j], ec="none"))
    d.text(x, y + 9.3, "Latent", weight="bold", fontsize=11.5)
    d.shape(x, y - 9, "t × latent")
    d.arrow((125.1, up), (x, up), (x, y + 11))
    d.text(144.6, up - 3.3, "mean", color=SOFT, fontsize=10, ha="left")
    d.text(144.6, up - 5.6, "(+ noise in training)", color=SOFT, fontsize=10, ha="left")
    d.arrow((x, y - 10.6), (x, down), (125.1, down))


def bias(d: Diagram, y: float) -> None:
    """Draw what attention knows of where patches are."""
    d.box(89, y, 40, 11.6, "", ORANGE, 0.07)
    torus(d.picture(76.2, y, 10.6))
    d.text(
        95.6, y + 0.2, "torus bias: one number per\nlayer, head and displacement,\nfrom a small network", fontsize=10
    )
    for end in (y + 11, y - 9.4):
        d.arrow((89, y + math.copysign(6.3, end - y)), (89, end), color=ORANGE)


def decoder(d: Diagram, shown: Example, y: float) -> None:
    """Draw the lower row, right to left."""
    patch, layer = PeriodicConfig().patch, shown.heat.shape[2] // 4
    d.box(117.5, y, 14, 8, "linear", GREEN)
    d.shape(117.5, y - 6.3, "t × width")
    d.box(117.5, y + 13, 14, 5.4, "lattice", SOFT, 0.07)
    d.arrow((117.5, y + 10), (117.5, y + 4.6), color=SOFT)
    d.arrow((109.9, y), (103.6, y))
    d.stack(89, y, "", GREEN)
    d.text(89, y - 10, "Decoder:  decoder_layers ×", color=GREEN, weight="bold", fontsize=11.5)
    high, low = y + 7, y - 9.5
    d.box(64, high, 13, 7, "geometry:\nnorm, linear", GREEN)
    d.box(64, low, 13, 7, "appearance:\nnorm, linear", GREEN)
    for level in (high, low):
        d.arrow((76.4, y), (73.4, y), (73.4, level), (71.1, level))
        d.arrow((56.9, level), (53.1, level))
        d.arrow((37.3, level), (34.4, level))
    heat = d.picture(45.2, high, 13)
    ruled(heat, shown.heat[:, :, layer], patch, "", cmap=HEAT, vmin=0, vmax=1)
    pins(heat, shown, layer)
    d.text(45.2, high + 8.2, "Heat, offsets", weight="bold", fontsize=11.5)
    d.shape(45.2, high - 8.1, "voxels × (1 + 3), targets shown")
    d.box(45.2, low, 14.6, 7, "", SOFT, 0.07)
    d.text(45.2, low, "Features", weight="bold", fontsize=11.5)
    d.shape(45.2, low - 5.3, "voxels × features")
    d.box(26.6, high, 14.6, 8.6, "positions:\nneighbours\nvote", GREEN)
    d.box(26.6, low, 14.6, 8.6, "features there\n→ element", GREEN)
    d.arrow((26.6, high - 5), (26.6, low + 5.1))
    view = View(d.picture(8.6, y - 1, 16.5), shown.reduced.lattice)
    view.cell(color=INK, lw=0.8)
    view.atoms(shown.reduced)
    d.text(8.6, y + 10.2, "Atoms", weight="bold", fontsize=11.5)
    d.shape(8.6, y - 11.6, "sites")
    for level, end in ((high, y + 2.2), (low, y - 4)):
        d.arrow((18.7, level), (15.6, end))


if __name__ == "__main__":
    mpl.use("Agg")
    with mpl.rc_context(STYLE):
        shown = example()
        representation(shown)
        network(shown)
