"""One HTML page with a map of crystals and the crystal that is chosen on it, in 3-D; it opens offline."""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.columns import Column
from xtalcodec.viz.crystal_map import CrystalMap
from xtalcodec.viz.pages.page import elements, fill_page, sectors, tiles_html

MOST_BYTES = 8_500_000
"""Of crystals within a page, three quarters of what they take as text: with the points it stays below 15 MB."""

RANGE = 1, 99
"""Percentiles of the values that colours go from and to, so that single extremes leave some colour to the others."""


def write_map_page(drawn: CrystalMap, path: str | Path, title: str, notes: str) -> int:
    """Write a map as one self-contained HTML file, and return how many crystals are on it as points alone.

    Those are the ones with most sites, where all of them would make the page too large; and all, of an index.

    Parameters
    ----------
    drawn
        The map.
    path
        The file to write; it is replaced in one step.
    title
        Heading of the page.
    notes
        A sentence or two under the heading: which codec, which data.
    """
    crystals = [entry.crystal for entry in drawn.entries]
    kept = _kept(crystals)
    known = {z for crystal in kept if crystal is not None for z in crystal.elements}
    data = {"map": map_data(drawn), "elements": elements(known), "crystals": packed_crystals(kept)}
    of = ("crystals", "elements count") if drawn.of == "crystal" else ("structures", "whatever the elements")
    tiles = [("Crystals", f"{len(crystals):,}", ""), ("Vectors of", *of)]
    without = sum(crystal is None for crystal in kept)
    if without:
        tiles.append(("Points alone", f"{without:,}", "without their atoms"))
    styles = ["page.css", "map.css", "map_page.css"]
    scripts = ["sectors.js", "scene.js", "surface.js", "cell.js", "map_picture.js", "map.js", "map_page.js"]
    texts = {"title": title, "notes": notes}
    fill_page(path, "map_page.html", styles, scripts, texts, {"summary": tiles_html(tiles)}, data)
    return without


def map_data(drawn: CrystalMap) -> dict[str, Any]:
    """Points, colours and neighbours of a map, as the scripts read them."""
    return {
        "names": [entry.name for entry in drawn.entries],
        "formulas": [entry.formula for entry in drawn.entries],
        "sites": [entry.sites for entry in drawn.entries],
        "places": _packed(drawn.layout.places, "<f4"),
        "axes": list(drawn.layout.axes),
        "columns": [_column(one) for one in drawn.columns],
        "count": drawn.alike.shape[1],
        "alike": _packed(drawn.alike, "<u4"),
        "likeness": _packed(drawn.likeness, "<f4"),
    }


def _column(one: Column) -> dict[str, Any]:
    about = {"name": one.name, "label": one.label, "known": one.known}
    if one.categories is not None:
        return about | {"categories": list(one.categories), "values": _packed(one.values, "<i4")}
    there = one.values[np.isfinite(one.values)]
    low, high = np.percentile(there, RANGE).tolist() if len(there) else (0.0, 1.0)
    if low == high and len(there):  # most of them are the same
        low, high = float(there.min()), float(there.max())
    ends = {"least": float(there.min()), "most": float(there.max())} if len(there) else {"least": 0.0, "most": 1.0}
    return about | {"categories": None, "range": [low, high], **ends, "values": _packed(one.values, "<f4")}


def packed_crystals(crystals: Sequence[Crystal | None]) -> dict[str, Any]:
    """Put crystals close together: fractions of the cell in 16 bits (0.0002 Å in 10 Å), a byte for each element.

    Sites are one crystal's after another's; `counts` says how many are whose, 0 of one that is left out. `shares` has
    the sectors of disordered crystals alone, by their places.
    """
    there = [crystal for crystal in crystals if crystal is not None]
    fractions = [np.floor(65536 * (crystal.frac_coords % 1.0) + 0.5) % 65536 for crystal in there]
    shares = {k: sectors(one.occupancies) for k, one in enumerate(crystals) if one is not None and not one.is_ordered}
    return {
        "counts": [0 if crystal is None else len(crystal) for crystal in crystals],
        "lattices": _packed(np.array([crystal.lattice for crystal in there]).reshape(-1), "<f4"),
        "fractions": _packed(np.concatenate([np.zeros((0, 3)), *fractions]).reshape(-1), "<u2"),
        "numbers": _packed(np.concatenate([np.zeros(0), *(crystal.numbers for crystal in there)]), "u1"),
        "shares": shares,
    }


def _kept(crystals: Sequence[Crystal | None]) -> list[Crystal | None]:
    """Leave out those with most sites, where all together would be more than `MOST_BYTES`."""
    size = np.array([0 if crystal is None else 36 + 7 * len(crystal) for crystal in crystals])
    order = np.argsort(size, kind="stable")
    fits = np.zeros(len(size), dtype=bool)
    fits[order] = np.cumsum(size[order]) <= MOST_BYTES
    return [crystal if fit else None for crystal, fit in zip(crystals, fits, strict=True)]


def _packed(values: Shaped[np.ndarray, "..."], kind: str) -> str:
    """Numbers of a NumPy type, in base64."""
    return b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()
