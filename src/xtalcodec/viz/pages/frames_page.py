"""One HTML page with densities and atoms of frames, to be turned with the mouse; it opens offline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xtalcodec.viz.figures.frames import Frame
from xtalcodec.viz.pages.page import elements, fill_page, packed_density, placed_atoms, sectors, tiles_html


def write_frames_page(frames: Sequence[Frame], path: str | Path, title: str, notes: str) -> None:
    """Write density and atoms of each frame as one self-contained HTML file.

    The level of the surface and the colours are the same in all frames, so that they can be compared.

    Parameters
    ----------
    frames
        In the order of the list; one without a title is named by its place.
    path
        The file to write; it is replaced in one step.
    title
        Heading of the page.
    notes
        A sentence or two under the heading: which codec, which crystals.
    """
    if not frames:
        raise ValueError("no frame to draw")
    low = min(float(frame.density.min()) for frame in frames)
    high = max(float(frame.density.max()) for frame in frames)
    tiles = (
        ("Frames", f"{len(frames):,}", ""),
        ("Window", f"{max(frame.edge for frame in frames):g} Å", "edge of the cube"),
        ("Density", f"{high:.2f} e/Å³", "largest of all frames"),
    )
    data = {
        "elements": elements({int(z) for frame in frames for z in frame.elements}),
        "range": [low, high if high > low else low + 1.0],
        "rows": [_row(frame, k) for k, frame in enumerate(frames, 1)],
    }
    styles, scripts = (
        ["page.css", "window_page.css", "frames_page.css"],
        ["sectors.js", "scene.js", "surface.js", "cube.js", "frames_page.js"],
    )
    texts = {"title": title, "notes": notes}
    fill_page(path, "frames_page.html", styles, scripts, texts, {"summary": tiles_html(tiles)}, data)


def _row(frame: Frame, place: int) -> dict[str, Any]:
    return {
        "title": frame.title or f"frame {place}",
        "edge": frame.edge,
        "density": packed_density(frame.density),
        "highest": float(frame.density.max()),
        "atoms": placed_atoms(frame.positions, frame.numbers) | {"shares": sectors(frame.occupancies)},
    }
