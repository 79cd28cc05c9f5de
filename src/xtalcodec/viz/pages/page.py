"""One HTML page with every crystal before and after, in 3-D; it opens offline and asks nothing of the network."""

import html
import json
import math
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.reconstruction import DISPLACED, Reconstruction
from xtalcodec.geometry.elements import radius, symbol
from xtalcodec.io.atomic import atomic
from xtalcodec.viz.elements import hex_color, in_order

LIBRARY = "vendor/3Dmol.js"
"""What draws in three dimensions: 3Dmol.js 2.5.5 as its authors built it (BSD-3-Clause, see the file beside it)."""


def write_page(rows: Sequence[Reconstruction], path: str | Path, title: str, notes: str) -> None:
    """Write originals and reconstructions side by side as one self-contained HTML file.

    Parameters
    ----------
    rows
        Crystals in the order of the list; one without a decoded crystal shows its reason.
    path
        The file to write; it is replaced in one step, so a reader never sees half a page.
    title
        Heading of the page.
    notes
        A sentence or two under the heading: which codec, which data, which protocol.
    """
    texts = {"title": title, "notes": notes}
    data = {"elements": elements(_numbers(rows)), "rows": [_row(row) for row in rows]}
    scripts = ["sectors.js", "scene.js", "cell.js", "page.js"]
    fill_page(path, "page.html", ["page.css"], scripts, texts, {"summary": _summary(rows)}, data)


def fill_page(
    path: str | Path,
    template: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    texts: Mapping[str, str],
    markup: Mapping[str, str],
    data: Any,
) -> None:
    """Write a page that opens offline and runs nothing but its own scripts.

    Parameters
    ----------
    path
        The file; it is replaced in one step, so a reader never sees half a page.
    template
        File of this folder, the <main> of shell.html; both may have placeholders, as {{title}}.
    styles, scripts
        Files of this folder, put one after another.
    texts
        What stands for {{title}}, {{notes}} and further placeholders, shown as it is.
    markup
        The same as HTML: {{summary}}, the tiles of the header, and more.
    data
        For the scripts, as JSON.
    """
    style, script = ("".join(map(package_file, names)) for names in (styles, scripts))
    library = package_file(LIBRARY)
    parts = {
        **{name: html.escape(text) for name, text in texts.items()},
        **markup,
        "policy": _policy(library, script),
        "style": style,
        "data": _json(data),
        "library": library,
        "script": script,
    }
    # One pass, so that what a part holds is never taken for another placeholder.
    whole = package_file("shell.html").replace("{{main}}", package_file(template))
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], whole)
    with atomic(path) as temporary:
        temporary.write_bytes(page.encode(errors="replace"))


def package_file(name: str) -> str:
    """Return the text of a file of this folder."""
    return files("xtalcodec.viz.pages").joinpath(name).read_text(encoding="utf-8")


def _policy(*scripts: str) -> str:
    """Content security policy: these scripts run, no other does, and nothing is loaded."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"


def _json(value: Any) -> str:
    """JSON that may stand inside <script>: ASCII, and no character that HTML gives a meaning."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _summary(rows: Sequence[Reconstruction]) -> str:
    """Tiles of the header; rows without a decoded crystal stay in every denominator."""
    n = len(rows)
    matched = sum(row.matched for row in rows)
    composition = sum(row.same_composition for row in rows)
    failed = sum(row.decoded is None for row in rows)
    rms = [row.rms_angstrom for row in rows if row.matched and row.rms_angstrom is not None]
    displaced = sum(row.displaced for row in rows)
    far = f", {displaced:,} with a site over {DISPLACED:g} Å off" if displaced else ""
    mean = f"{sum(rms) / len(rms):.4f} Å" if rms else "—"
    tiles = (
        ("Crystals", f"{n:,}", ""),
        ("Match rate", _percent(matched, n), f"{matched:,} of {n:,}{far}"),
        ("Mean RMS displacement", mean, f"over {len(rms):,} matched"),
        ("Composition right", _percent(composition, n), f"{composition:,} of {n:,}"),
        ("Not decoded", f"{failed:,}", "counted as unmatched"),
    )
    return tiles_html((*tiles, *_disorder(rows)))


def _disorder(rows: Sequence[Reconstruction]) -> Iterator[tuple[str, str, str]]:
    """Tile of the disordered crystals, where there are any."""
    disordered = sum(not row.original.is_ordered for row in rows)
    if disordered:
        off = [row.occupancy_error for row in rows if row.occupancy_error is not None]
        mean = f"{sum(off) / len(off):.3f}" if off else "—"
        yield "Occupancies off by", mean, f"over {len(off):,} of {disordered:,} disordered"


def tiles_html(tiles: Iterable[tuple[str, str, str]]) -> str:
    """Tiles of the header as HTML: what, how much, and what else there is to say."""
    tile = '<div class="tile"><dt>{}</dt><dd>{} <small>{}</small></dd></div>'
    return "".join(tile.format(*map(html.escape, texts)) for texts in tiles)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "—"


def _numbers(rows: Iterable[Reconstruction]) -> set[int]:
    """Elements in the rows, by Z."""
    crystals = (crystal for row in rows for crystal in (row.original, row.decoded) if crystal is not None)
    return {z for crystal in crystals for z in crystal.elements}


def elements(numbers: Iterable[int]) -> dict[str, tuple[str, str, float]]:
    """Symbol, colour and radius in Å of each element."""
    return {str(z): (symbol(z), hex_color(z), radius(z)) for z in sorted(numbers)}


def packed_density(field: Float[np.ndarray, "nx ny nz"]) -> dict[str, Any]:
    """16 bits a point, little-endian, in base64, the last axis the fastest: value = low + step × number."""
    values = np.asarray(field, dtype=np.float64)
    low = float(values.min())
    step = float(values.max() - low) / 65535 or 1.0
    numbers = np.round((values - low) / step).astype("<u2")
    return {"size": list(values.shape), "low": low, "step": step, "values": b64encode(numbers.tobytes()).decode()}


def placed_atoms(positions: Float[np.ndarray, "atoms 3"], numbers: Int[np.ndarray, " atoms"]) -> dict[str, Any]:
    """Atomic numbers, and positions to 0.0001 Å."""
    return {"numbers": numbers.tolist(), "positions": np.round(positions, 4).tolist()}


def _row(row: Reconstruction) -> dict[str, Any]:
    decoded = row.decoded
    return {
        "name": row.original.name,
        "groups": [row.space_group, row.space_group_decoded],
        "crystals": [crystal_data(row.original), None if decoded is None else crystal_data(decoded)],
        "matched": row.matched,
        "rms": _number(row.rms_angstrom),
        "largest": _number(row.largest_angstrom),
        "displaced": row.displaced,
        "composition": row.same_composition,
        "occupancy": _number(row.occupancy_error),
        "confidence": _number(row.confidence),
        "reason": row.reason,
    }


def crystal_data(crystal: Crystal) -> dict[str, Any]:
    """Give a crystal with its sites in the cell; five decimals are 1e-4 Å in a cell of 10 Å."""
    wrapped = np.round(crystal.frac_coords - np.floor(crystal.frac_coords), 5) % 1
    return {
        "formula": crystal.formula,
        "lattice": np.round(crystal.lattice, 4).tolist(),
        "numbers": crystal.numbers.tolist(),
        "sites": wrapped.tolist(),
        "shares": sectors(crystal.occupancies),
    }


def sectors(occupancies: Float[np.ndarray, "sites 119"] | None) -> list[list[tuple[int, float]]] | None:
    """Pairs of Z and share of every site, the largest first; what is empty has Z 0 and comes last.

    They sum to one within their four decimals; a full site is one pair. None where no site is shared.
    """
    if occupancies is None:
        return None
    return [[(z, round(float(row[z]), 4)) for z in in_order(row)] for row in occupancies.round(4)]


def _number(x: float | None) -> float | None:
    """Six digits, and None for what JSON cannot hold."""
    return None if x is None or not math.isfinite(x) else float(f"{x:.6g}")
