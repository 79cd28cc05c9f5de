"""One HTML page with true and decoded density and atoms of windows, to be turned with the mouse; it opens offline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.evaluation.windows import WindowRow, density_mse, same_count, species, window_summary
from xtalcodec.viz.pages.page import elements, fill_page, packed_density, placed_atoms, tiles_html

SHOWN = 24
"""Crystals on a page: densities are what makes it large."""


def write_window_page(rows: Sequence[WindowRow], path: str | Path, edge: float, title: str, notes: str) -> None:
    """Write what windows held and what was decoded as one self-contained HTML file.

    Parameters
    ----------
    rows
        What was measured; the scores are of all, at most `SHOWN` that fit are drawn, evenly over their error.
    path
        The file to write; it is replaced in one step.
    edge
        Of the window, Å.
    title
        Heading of the page.
    notes
        A sentence or two under the heading: which codec, which data.
    """
    fitting = sorted((row for row in rows if row.fits), key=density_mse)
    places = sorted({round(k) for k in np.linspace(0, len(fitting) - 1, min(SHOWN, len(fitting)))})
    chosen = [fitting[k] for k in places]
    numbers = {int(z) for row in chosen for atoms in (row.true, row.decoded) for z in atoms.numbers}
    data = {"elements": elements(numbers), "edge": edge, "rows": [_row(row) for row in chosen]}
    texts = {"title": title, "notes": f"{notes} {len(chosen)} crystals are shown, from the best to the worst density."}
    styles, scripts = (
        ["page.css", "window_page.css"],
        ["sectors.js", "scene.js", "surface.js", "cube.js", "window_page.js"],
    )
    fill_page(path, "window_page.html", styles, scripts, texts, {"summary": _summary(rows)}, data)


def _summary(rows: Sequence[WindowRow]) -> str:
    """Tiles of the header."""
    scores = window_summary(rows)
    mse, distance = scores["density_mse_percentiles"], scores["true_to_decoded_percentiles"]

    def percent(share: float | None) -> str:
        return "—" if share is None else f"{100 * share:.1f} %"

    return tiles_html(
        (
            ("Crystals that fit", f"{scores['fit']:,}", f"of {scores['n']:,}"),
            ("Density MSE", f"{mse['50']:.2g}" if mse else "—", "median, e²/Å⁶"),
            ("Distance", f"{distance['50']:.3f} Å" if distance else "—", "median, true to decoded"),
            ("Number of atoms right", percent(scores["count_per_window"]), "of windows"),
            ("Species right", percent(scores["species_per_atom"]), "of true atoms"),
            ("Match rate", percent(scores["match_rate"]), "of all crystals"),
        )
    )


def _row(row: WindowRow) -> dict[str, Any]:
    """One crystal: densities as whole numbers, which differ from the true values by less than what can be seen."""
    original = row.reconstruction.original
    true, decoded = species(row)
    return {
        "name": original.name,
        "formula": original.formula,
        "mse": float(f"{density_mse(row):.3g}"),
        "count": same_count(row),
        "species": int((true == decoded).sum()),
        "densities": [packed_density(np.asarray(field)) for field in (row.true_density, row.decoded_density)],
        "atoms": [placed_atoms(atoms.positions, atoms.numbers) for atoms in (row.true, row.decoded)],
    }
