"""How often the crystal comes back from the true atoms of a window alone, against the length of its cell.

python benchmarks/lattices.py [--data crystals.parquet] [--limit 300] [--edges 10 15 20] [--json out.json]

Each crystal is cut by a cube of random orientation and offset; the window's atoms are given to
`geometry.window_lattice.search.crystal_from_window` as they are, and damaged: moved by Gaussian noise of
0.05 Å along each axis, 2 % taken away, 2 % given another species (half of them one of the crystal's own), and all
three.
Matched: StructureMatcher, stol 0.5, angle_tol 10°, ltol 0.3, as everywhere here. A window that is refused is
not matched. Crystals are sorted by the longest vector of their primitive Niggli-reduced cell.
"""

import argparse
import json
import os
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import moyopy
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.spatial.transform import Rotation

from xtalcodec.crystal import Crystal
from xtalcodec.datasets import load
from xtalcodec.evaluation.displacement import rms_displacement
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.window_lattice.folding import window_of
from xtalcodec.geometry.window_lattice.search import LatticeError, crystal_from_window

BOUNDS = (0, 4, 5, 6, 7, 8, 10, 12, 15, np.inf)
DAMAGES = {
    "clean": (0.0, 0.0, 0.0),
    "noise": (0.05, 0.0, 0.0),
    "missing": (0.0, 0.02, 0.0),
    "wrong": (0.0, 0.0, 0.02),
    "all": (0.05, 0.02, 0.02),
}
"""Noise along each axis in Å, share of atoms missing, share with a wrong species."""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="aflow-prototypes", help="crystals to cut")
parser.add_argument("--limit", type=int, default=None, help="so many crystals, evenly spaced in the data")
parser.add_argument("--edges", type=float, nargs="+", default=[10, 15, 20], help="lengths of the window, Å")
parser.add_argument("--damage", nargs="+", choices=list(DAMAGES), default=list(DAMAGES))
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--json", type=Path, default=None, help="write the numbers here")
options = parser.parse_args()


def longest(crystal: Crystal) -> float:
    """Longest vector of the primitive Niggli-reduced cell, Å."""
    cell = moyopy.Cell(crystal.lattice.tolist(), crystal.frac_coords.tolist(), crystal.numbers.tolist())
    basis = np.array(moyopy.MoyoDataset(cell, symprec=0.01).prim_std_cell.basis)
    primitive, _ = niggli(Crystal(basis, np.zeros((1, 3)), np.ones(1, dtype=np.int64)))
    return float(np.linalg.norm(primitive.lattice, axis=1).max())


def damaged(
    positions: np.ndarray, numbers: np.ndarray, damage: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Move atoms, take some away, give some another species."""
    noise, missing, wrong = DAMAGES[damage]
    positions = positions + rng.normal(size=positions.shape) * noise
    numbers = numbers.copy()
    for k in np.flatnonzero(rng.random(len(numbers)) < wrong):
        own = np.setdiff1d(numbers, numbers[k])
        others = own if len(own) and rng.random() < 0.5 else np.setdiff1d(np.arange(1, 95), numbers[k])
        numbers[k] = rng.choice(others)
    stays = rng.random(len(numbers)) >= missing
    return positions[stays], numbers[stays]


def outcome(crystal: Crystal, edge: float, damage: str, seed: list[int]) -> dict[str, object]:
    """Cut one window and see what comes back."""
    rng = np.random.default_rng(seed)
    turned = crystal.lattice @ Rotation.random(random_state=rng).as_matrix()
    positions, numbers = window_of(turned, crystal.frac_coords, crystal.numbers, edge, rng.random(3) @ turned)
    positions, numbers = damaged(positions, numbers, damage, rng)
    start = time.process_time()
    row: dict[str, object] = {"rms": None, "reason": ""}
    try:
        back = crystal_from_window(positions, numbers, edge)
    except LatticeError as error:
        row["reason"] = str(error)
    row["seconds"] = time.process_time() - start
    if not row["reason"]:
        row["rms"] = rms_displacement(crystal, back)
    return row


def group(length: float) -> str:
    """Name of the bin that a length falls in."""
    k = int(np.searchsorted(BOUNDS, length - 1e-6))
    return f"{BOUNDS[k - 1]:g}–{BOUNDS[k]:g}" if BOUNDS[k] < np.inf else f">{BOUNDS[k - 1]:g}"


def scores(rows: list[dict[str, object]]) -> dict[str, float]:
    """Rates over all rows: matched, refused, and wrong without saying so; milliseconds per window."""
    refused = np.mean([bool(r["reason"]) for r in rows])
    matched = np.mean([r["rms"] is not None for r in rows])
    rms = [r["rms"] for r in rows if r["rms"] is not None]
    return {
        "n": len(rows),
        "matched": float(matched),
        "refused": float(refused),
        "wrong": float(1 - matched - refused),
        "rmse": float(np.mean(rms)) if rms else None,
        "milliseconds": float(1e3 * np.mean([r["seconds"] for r in rows])),
    }


crystals, _ = load(options.data)
if options.limit and options.limit < len(crystals):
    crystals = [crystals[k] for k in np.linspace(0, len(crystals) - 1, options.limit).astype(int)]
lengths = [longest(crystal) for crystal in crystals]
groups = [f"{a:g}–{b:g}" if b < np.inf else f">{a:g}" for a, b in pairwise(BOUNDS)]

result: dict[str, object] = {"data": Path(options.data).name, "crystals": len(crystals), "seed": options.seed}
console = Console(width=max(160, Console().width))
for edge in options.edges:
    table = Table(title=f"matched, window of {edge:g} Å, {len(crystals)} crystals of {Path(options.data).name}")
    for column in ("damage", *groups, "≤ 6", "all", "refused", "wrong", "RMSE", "ms"):
        table.add_column(column, justify="right")
    for damage in options.damage:
        rows = defaultdict(list)
        for k, crystal in enumerate(track(crystals, f"{edge:g} Å, {damage}", console=console, transient=True)):
            row = outcome(crystal, edge, damage, [options.seed, k])
            for name in (group(lengths[k]), "all", *(["≤ 6"] if lengths[k] <= 6 else [])):
                rows[name].append({"name": crystal.name, "length": lengths[k], **row})
        parts = {name: scores(rows[name]) for name in (*groups, "≤ 6", "all") if name in rows}
        missed = [{key: r[key] for key in ("name", "length", "reason")} for r in rows["all"] if r["rms"] is None]
        result[f"{edge:g} {damage}"] = {**parts, "missed": missed}
        whole = parts["all"]
        table.add_row(
            damage,
            *(f"{parts[g]['matched']:.1%} ({parts[g]['n']})" if g in parts else "–" for g in (*groups, "≤ 6", "all")),
            f"{whole['refused']:.1%}",
            f"{whole['wrong']:.1%}",
            f"{whole['rmse']:.4f}",
            f"{whole['milliseconds']:.1f}",
        )
    console.print(table)
if options.json:
    options.json.write_text(json.dumps(result, indent=2) + "\n")
