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
FONT = "DejaVu Sans, Verdana, sans-serif"

WHAT = {
    "crystal": "a crystal: lattice, fractional coordinates, species",
    "config": "typed settings; kind chooses the class",
    "parallel": "processes of this machine, MPI ranks, a Dask cluster",
    "io": "files in and out, whole or not there",
    "geometry": "Niggli cells, symmetry, the lattice behind a window's atoms",
    "representations": "crystal → field of voxels",
    "networks": "field ⇄ latent",
    "atom_finders": "field → atoms",
    "embedding": "crystal → one vector to compare",
    "heads": "what surrounds the sites → a property",
    "codecs": "one class for each pairing of representation and network; LatentSet",
    "priors": "distributions over latents: fit, sample",
    "latent_space": "interpolate and alter crystals by their latents",
    "datasets": "sources of crystals, splits, stores of painted fields",
    "evaluation": "how well crystals come back",
    "bulk": "any number of crystals on any number of workers, shard by shard",
    "training": "the loop, optimisers, checkpoints, recipes",
    "viz": "figures for print, pages to turn crystals in",
    "app": "the page in the browser: server, jobs, pages",
    "cli": "the verbs of the command line",
    "testing": "contract suites and hypothesis strategies, for plug-ins too",
}
"""Rooms from the lowest to the highest, and what is in them."""

FAMILIES = {
    "#66717f": ("crystal", "config", "parallel", "io", "geometry"),
    "#3c5fb0": ("representations", "networks", "atom_finders", "embedding", "heads", "codecs"),
    "#7a4fa3": ("priors", "latent_space"),
    "#2a8f83": ("datasets", "evaluation", "bulk", "training"),
    "#b8862b": ("viz", "app", "cli", "testing"),
}
"""Colour → rooms."""


def layers() -> list[list[str]]:
    """Return the rooms from the highest layer to the lowest; those of one layer do not know each other."""
    settings = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(c for c in settings["contracts"] if c["type"] == "layers")
    return [re.split(r"\s*[|:]\s*", layer) for layer in contract["layers"]]


def picture(rows: list[list[str]]) -> str:
    """Draw a line for each room, the highest layer on top; rooms of one layer stand in one frame."""
    height, gap, left, width, right = 34, 8, 46, 158, 700
    total = 16 + sum(map(len, rows)) * (height + gap)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {total}" font-family="{FONT}" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<path d="M20 12V{total - 22}" stroke="{ORANGE}" stroke-width="2"/>',
        f'<path d="M14 {total - 24}h12l-6 12z" fill="{ORANGE}"/>',
        f'<g transform="translate(14 {total / 2:g}) rotate(-90)">{_text(0, 0, "imports", ORANGE, "middle")}</g>',
    ]
    y = 8
    for row in rows:
        if len(row) > 1:
            tall = len(row) * (height + gap) - gap + 8
            frame = f'width="{right - left}" height="{tall}" rx="8" fill="none" stroke="{SOFT}" stroke-dasharray="3 3"'
            parts.append(f'<rect x="{left - 6}" y="{y - 4}" {frame}/>')
            parts.append(_text(right - 14, y + tall - 14, "do not import each other", SOFT, "end"))
        for name in row:
            parts += _room(name, left, y, width, height)
            y += height + gap
    return "\n".join([*parts, "</svg>", ""])


def _room(name: str, x: int, y: int, width: int, height: int) -> list[str]:
    """Draw the box of a room and what is in it."""
    color = next((color for color, names in FAMILIES.items() if name in names), INK)
    box = f'width="{width}" height="{height}" rx="6" fill="{color}" fill-opacity="0.13" stroke="{color}"'
    return [
        f'<rect x="{x}" y="{y}" {box}/>',
        f'<g font-weight="bold">{_text(x + width / 2, y + 22, name, INK, "middle")}</g>',
        _text(x + width + 14, y + 22, WHAT.get(name, ""), SOFT),
    ]


def _text(x: float, y: float, text: str, color: str, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture(layers()))
