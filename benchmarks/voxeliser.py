"""Windows per second of the voxeliser on one core, against the paper's loop and against molgrid.

python benchmarks/voxeliser.py [--data crystals.parquet] [--crystals 200] [--out numbers.json]

Takes crystals evenly spread over the data and a random repeating window on each (10 Å, 30 points, σ = 1 Å),
one at a time: the atoms are found, then painted. The loop is the paper's way in plain Python, at each voxel
over each site of the cell at its periodic distance by pymatgen; it is timed on a few crystals, on every
k-th voxel (`--voxels` of them in all), and scaled up to 30³. Times are of this process on the core, so that
others on the machine count little; each is the best of `--repeats`.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import importlib.util
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.data import load
from xtalcodec.fields.repeating import Repeating, RepeatingConfig
from xtalcodec.fields.window import Atoms, View, density, density_nearest, species_map

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="aflow-prototypes", help="crystals to work on")
parser.add_argument("--crystals", type=int, default=200)
parser.add_argument("--loop-crystals", type=int, default=5, help="crystals that the loop is timed on")
parser.add_argument("--voxels", type=int, default=200, help="voxels that the loop is timed on, per crystal")
parser.add_argument("--repeats", type=int, default=7)
parser.add_argument("--out", type=Path, default=None, help="write the numbers here as JSON")
options = parser.parse_args()
torch.set_num_threads(1)

space = Repeating(RepeatingConfig())
window = space.window


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


def time_molgrid(views: list[View]) -> float | str:
    """Return windows per second of molgrid on its own Gaussians, or why there are none."""
    if importlib.util.find_spec("molgrid") is None:
        return "not installed (no wheel for this Python or machine: pip install molgrid)"
    import molgrid

    maker = molgrid.GridMaker(resolution=window.spacing, dimension=window.edge)
    batches = []
    for view in views:
        radii = molgrid.MGrid1f(len(view.numbers))
        radii.tonumpy()[:] = 1.0
        types = view.numbers[:, None].astype(np.float32)
        coordinates = molgrid.CoordinateSet(view.positions.astype(np.float32), types, radii.tonumpy())
        grid = molgrid.MGrid4f(1, *maker.spatial_grid_dimensions())
        batches.append((coordinates, grid))
    middle = molgrid.float3(*[window.edge / 2] * 3)
    times = [seconds(lambda c=c, g=g: maker.forward(middle, c, g.cpu())) for c, g in batches]
    return len(times) / sum(times)


def choose() -> tuple[list[Crystal], int]:
    """Return crystals that fit, evenly spread over the data, and how many do not."""
    crystals, _ = load(options.data)
    spread = [crystals[k] for k in np.unique(np.linspace(0, len(crystals) - 1, options.crystals).round().astype(int))]
    good = []
    for crystal in spread:
        try:
            space.view(crystal, np.random.default_rng(0))
            good.append(crystal)
        except CrystalError:
            continue
    return good, len(spread) - len(good)


crystals, misfits = choose()
views = [space.view(crystal, np.random.default_rng(k)) for k, crystal in enumerate(crystals)]
batches = [Atoms.collate([view]) for view in views]


def window_of(k: int) -> torch.Tensor:
    """From a crystal to its field."""
    return density(Atoms.collate([space.view(crystals[k], np.random.default_rng(k))]), window)


with torch.inference_mode():
    whole = [seconds(lambda k=k: window_of(k)) for k in range(len(crystals))]
    painting = [seconds(lambda a=a: density(a, window)) for a in batches]
    labels = [seconds(lambda a=a: species_map(a, window)) for a in batches]
    ratios, loops = [], []
    every = max(1, window.points**3 // options.voxels)
    voxels = np.stack(np.unravel_index(np.arange(0, window.points**3, every), [window.points] * 3), 1)
    for k in np.linspace(0, len(crystals) - 1, options.loop_crystals).round().astype(int):
        start = time.thread_time()
        values = loop(crystals[k], views[k], voxels)
        loops.append((time.thread_time() - start) * window.points**3 / len(voxels))
        ratios.append(loops[-1] / whole[k])
        near = density_nearest(batches[k], window)[0].numpy()
        assert np.allclose(near[tuple(voxels.T)], values, rtol=0, atol=2e-6 * near.max())  # noqa: S101

result = {
    "data": options.data,
    "crystals": len(crystals),
    "do_not_fit": misfits,
    "mean_atoms_painted": float(np.mean([len(view.numbers) for view in views])),
    "windows_per_second": len(whole) / sum(whole),
    "windows_per_second_atoms_known": len(painting) / sum(painting),
    "species_maps_per_second": len(labels) / sum(labels),
    "loop_seconds_per_window": float(np.mean(loops)),
    "loop_timed_on": f"{len(loops)} crystals, {len(voxels)} of {window.points**3} voxels each",
    "over_loop": float(np.mean(loops) * len(whole) / sum(whole)),
    "over_loop_same_crystals": [round(x) for x in ratios],
    "molgrid_windows_per_second": time_molgrid(views),
}
for key, value in result.items():
    print(f"{key:32} {value:.4g}" if isinstance(value, float) else f"{key:32} {value}")
if options.out:
    options.out.write_text(json.dumps(result, indent=2) + "\n")
