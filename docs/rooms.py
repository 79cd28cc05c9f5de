"""Draw the rooms of the package in the order in which they may import: `python docs/rooms.py`.

The order is the one that `make lint` checks: the layers of import-linter's contract in pyproject.toml.
"""

import re
import tomllib
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
PICTURE = HERE / "images" / "rooms.svg"

INK, SOFT, ORANGE = "#1b2530", "#66717f", "#d9622b"

WHAT = {
    "crystal": "a crystal: lattice, fractional coordinates, species",
    "config": "typed settings; kind chooses the class",
    "parallel": "processes of this machine, or MPI ranks",
    "io": "files in and out, whole or not there",
    "geometry": "Niggli cells, symmetry, the lattice behind a window's atoms",
    "representations": "crystal → field of voxels",
    "networks": "field ⇄ latent",
    "atom_finders": "field → atoms",
    "codecs": "one class for each pairing of representation and network; LatentSet",
    "priors": "distributions over latents: fit, sample",
    "latent_space": "interpolate and alter crystals by their latents",
    "datasets": "sources of crystals, splits, stores of painted fields",
    "evaluation": "how well crystals come back",
    "training": "the loop, optimisers, checkpoints, recipes",
    "viz": "figures for print, pages to turn crystals in",
    "cli": "the verbs of the command line",
    "testing": "contract suites and hypothesis strategies, for plug-ins too",
}
"""Rooms from the lowest to the highest, and what is in them."""

FAMILIES = {
    "#66717f": ("crystal", "config", "parallel", "io", "geometry"),
    "#3c5fb0": ("representations", "networks", "atom_finders", "codecs"),
    "#7a4fa3": ("priors", "latent_space"),
    "#2a8f83": ("datasets", "evaluation", "training"),
    "#b8862b": ("viz", "cli", "testing"),
}
"""Colour → rooms."""


def layers() -> list[list[str]]:
    """Return the rooms from the highest layer to the lowest; those of one layer do not know each other."""
    settings = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["tool"].get("importlinter", {})
    for contract in settings.get("contracts", []):
        if contract["type"] == "layers":
            names = [re.split(r"\s*[|:]\s*", layer.strip()) for layer in contract["layers"]]
            return [[name.strip("() ").removeprefix("xtalcodec.") for name in layer] for layer in names]
    return [[name] for name in reversed(WHAT)]


def picture(rows: list[list[str]]) -> str:
    """Draw a row for each layer, the highest on top."""
    height, gap, left, width = 34, 8, 46, 158
    colors = {name: color for color, names in FAMILIES.items() for name in names}
    most = max(len(row) for row in rows)
    right = left + most * (width + gap)
    total = 16 + len(rows) * (height + gap)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right + 440} {total}" '
        'font-family="DejaVu Sans, Verdana, sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<path d="M20 12V{total - 22}" stroke="{ORANGE}" stroke-width="2"/>'
        f'<path d="M14 {total - 24}h12l-6 12z" fill="{ORANGE}"/>',
        f'<text transform="translate(14 {total / 2:g}) rotate(-90)" text-anchor="middle" fill="{ORANGE}">imports</text>',
    ]
    for k, row in enumerate(rows):
        y = 8 + k * (height + gap)
        for j, name in enumerate(row):
            x, color = left + j * (width + gap), colors.get(name, INK)
            parts.append(
                f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{color}" fill-opacity="0.13" '
                f'stroke="{color}"/><text x="{x + width / 2:g}" y="{y + 22}" text-anchor="middle" font-weight="bold" '
                f'fill="{INK}">{escape(name)}</text>'
            )
        text = " · ".join(WHAT.get(name, "") for name in row)
        x = left + len(row) * (width + gap) + 6
        parts.append(f'<text x="{x}" y="{y + 22}" fill="{SOFT}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture(layers()))
