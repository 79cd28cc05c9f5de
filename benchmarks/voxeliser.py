"""Windows per second of the voxeliser on one core, against the paper's loop and against molgrid.

python benchmarks/voxeliser.py [--data crystals.parquet] [--crystals 200] [--out numbers.json]

Takes crystals evenly spread over the data and a random repeating window on each (10 Å, 30 points, σ = 1 Å),
one at a time and in batches: the atoms are found, then painted. The loop is the paper's way in plain Python,
at each voxel over each site of the cell at its periodic distance by pymatgen; it is timed on a few crystals,
on every k-th voxel (`--voxels` of them in all), and scaled up to 30³. Both ways and molgrid give the same
field, or this stops. Times are of this process on the core; ours are the best of `--repeats`.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import importlib.metadata
import importlib.util
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets import load
from xtalcodec.representations.repeating import Repeating, RepeatingConfig
from xtalcodec.representations.window_field import View, ViewBatch, density, density_nearest, species_map

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="aflow-prototypes", help="crystals to work on")
parser.add_argument("--crystals", type=int, default=200)
parser.add_argument("--loop-crystals", type=int, default=20, help="crystals that the loop is timed on")
parser.add_argument("--voxels", type=int, default=200, help="voxels that the loop is timed on, per crystal")
parser.add_argument("--batch", type=int, default=16, help="windows of a batch, where batches are timed")
parser.add_argument("--repeats", type=int, default=7)
parser.add_argument("--out", type=Path, default=None, help="write the numbers here as JSON")
options = parser.parse_args()
torch.set_num_threads(1)

representation = Repeating(RepeatingConfig())
window = representation.field


def seconds(work: Callable[[], object]) -> float:
    """Core time of one call, the best of some."""
    times = []
    for _ in range(options.repeats):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)


def loop(crystal: Crystal, view: View, voxels: np.ndarray) -> np.ndarray:
    """The paper's way: each voxel, each site, at its nearest periodic distance by pymatgen."""
    structure = Crystal(view.lattice, crystal.frac_coords, crystal.numbers).to_pymatgen()
    points = np.linspace(0, window.edge, window.points)
    values = []
    for voxel in voxels:
        place = structure.lattice.get_fractional_coords(points[voxel] - view.offset)
        value = 0.0
        for site in structure:
            distance, _ = site.distance_and_image_from_frac_coords(place)
            value += site.specie.Z * math.exp(-(distance**2) / (2 * window.sigma**2))
        values.append(value * window.peak)
    return np.array(values)


def molgrid_seconds(views: list[View]) -> list[float]:
    """Core time of molgrid for the same fields, which it must give to 1e-5 of their peaks.

    Its Gaussian is exp(−2 d²/r²): r is 2σ, cut at 2.85 r = 5.7 σ.
    """
    import molgrid

    maker = molgrid.GridMaker(window.spacing, window.edge, gaussian_radius_multiple=window.reach / (2 * window.sigma))
    middle, times = molgrid.float3(*[window.edge / 2] * 3), []
    for view in views:
        radii = np.full(len(view.numbers), 2 * window.sigma, dtype=np.float32)
        types = view.numbers[:, None].astype(np.float32)
        atoms = molgrid.CoordinateSet(view.positions.astype(np.float32), types, radii)
        field = torch.zeros(1, *[window.points] * 3)
        start = time.thread_time()
        maker.forward(middle, atoms, molgrid.tensor_as_grid(field))
        times.append(time.thread_time() - start)
        ours = density(ViewBatch.collate([view]), window)
        torch.testing.assert_close(field * window.peak, ours, rtol=0, atol=1e-5 * ours.max().item())
    return times


def choose() -> tuple[list[Crystal], int]:
    """Return crystals that fit, evenly spread over the data, and how many do not."""
    crystals, unusable = load(options.data)
    if not crystals:
        parser.error(f"no crystals in {options.data}: {unusable[0].reason if unusable else 'it is empty'}")
    spread = [crystals[k] for k in np.unique(np.linspace(0, len(crystals) - 1, options.crystals).round().astype(int))]
    good = []
    for crystal in spread:
        try:
            representation.view(crystal, np.random.default_rng(0))
            good.append(crystal)
        except CrystalError:
            continue
    return good, len(spread) - len(good)


crystals, misfits = choose()
views = [representation.view(crystal, np.random.default_rng(k)) for k, crystal in enumerate(crystals)]
batches = [ViewBatch.collate([view]) for view in views]
rng = np.random.default_rng(0)


def window_of(k: int) -> torch.Tensor:
    """From a crystal to the field of a random window."""
    return density(ViewBatch.collate([representation.view(crystals[k], rng)]), window)


def batch_of(start: int) -> torch.Tensor:
    """From some crystals to the fields of random windows: all atoms first, then all fields."""
    some = crystals[start : start + options.batch]
    return density(ViewBatch.collate([representation.view(crystal, rng) for crystal in some]), window)


with torch.inference_mode():
    batched = [seconds(lambda k=k: batch_of(k)) for k in range(0, len(crystals), options.batch)]
    whole = [seconds(lambda k=k: window_of(k)) for k in range(len(crystals))]
    painting = [seconds(lambda a=a: density(a, window)) for a in batches]
    labels = [seconds(lambda a=a: species_map(a, window)) for a in batches]
    loops, fast = [], []
    every = max(1, window.points**3 // options.voxels)
    voxels = np.stack(np.unravel_index(np.arange(0, window.points**3, every), [window.points] * 3), 1)
    for k in np.linspace(0, len(crystals) - 1, options.loop_crystals).round().astype(int):
        start = time.thread_time()
        values = loop(crystals[k], views[k], voxels)
        loops.append((time.thread_time() - start) * window.points**3 / len(voxels))
        fast.append(whole[k])
        near = density_nearest(batches[k], window)[0].numpy()
        assert np.allclose(near[tuple(voxels.T)], values, rtol=0, atol=2e-6 * near.max())  # noqa: S101

result = {
    "data": options.data,
    "crystals": len(crystals),
    "do_not_fit": misfits,
    "mean_atoms_painted": float(np.mean([len(view.numbers) for view in views])),
    "windows_per_second": len(whole) / sum(whole),
    "windows_per_second_in_batches": len(whole) / sum(batched),
    "windows_per_second_atoms_known": len(painting) / sum(painting),
    "species_maps_per_second": len(labels) / sum(labels),
    "loop_seconds_per_window": float(np.mean(loops)),
    "loop_timed_on": f"{len(loops)} crystals, {len(voxels)} of {window.points**3} voxels each",
    "over_loop": sum(loops) / sum(fast),
}
if importlib.util.find_spec("molgrid") is None:
    result["molgrid"] = "not installed (pip install molgrid; 0.5.5 needs NumPy 1)"
elif int(np.__version__.split(".")[0]) > 1 and importlib.metadata.version("molgrid") <= "0.5.5":
    result["molgrid"] = (
        f"not run: molgrid {importlib.metadata.version('molgrid')} needs NumPy 1, here is {np.__version__}"
    )
else:
    times = molgrid_seconds(views[:: max(1, len(views) // 20)])
    result["molgrid"] = f"{importlib.metadata.version('molgrid')}, on {len(times)} windows"
    result["molgrid_windows_per_second"] = len(times) / sum(times)
    result["over_molgrid_atoms_known"] = result["windows_per_second_atoms_known"] * sum(times) / len(times)
for key, value in result.items():
    print(f"{key:32} {value:.4g}" if isinstance(value, float) else f"{key:32} {value}")
if options.out:
    options.out.write_text(json.dumps(result, indent=2) + "\n")
