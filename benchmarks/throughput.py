"""Crystals per second and peak memory of training, encoding and decoding; the painter against a plain loop.

python benchmarks/throughput.py [--data crystals.parquet] [--codec mp] [--threads 2]

Training is timed on whole steps of the recipe (batch, painting, both passes, optimisers) after a warm-up.
The painter is compared, in the same run, with a loop over atoms and images in NumPy.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="aflow-prototypes", help="crystals to work on")
parser.add_argument("--codec", default="mp")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=60, help="training time")
parser.add_argument("--out", type=Path, default=None, help="write the numbers here as JSON")
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402

from xtalcodec import Codec  # noqa: E402
from xtalcodec.datasets import load  # noqa: E402
from xtalcodec.representations.batch import CrystalBatch  # noqa: E402
from xtalcodec.training.loop import train  # noqa: E402
from xtalcodec.training.recipe import load as load_recipe  # noqa: E402

torch.set_num_threads(options.threads)


def seconds(function: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def memory() -> float:
    """Peak resident memory of this process so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def loop_density(codec: Codec, crystal: object, weights: np.ndarray) -> np.ndarray:
    """The same field by a loop over atoms and images: what the separable painter is compared with."""
    grid = codec.representation.grid(codec.representation.patches(crystal))
    points = np.stack(np.meshgrid(*(np.arange(n) for n in grid), indexing="ij"), -1)
    sigma = codec.representation.config.sigma
    field = np.zeros((*grid, weights.shape[1]))
    for x, w in zip(crystal.frac_coords * grid, weights, strict=True):
        for image in np.ndindex(3, 3, 3):
            square = ((points - x - (np.array(image) - 1) * grid) ** 2).sum(-1)
            field += np.exp(-square / (2 * sigma**2))[..., None] * w
    return field / (2 * np.pi * sigma**2) ** 1.5


crystals, _ = load(options.data)
codec = Codec.from_pretrained(options.codec)
usable = []
for crystal in crystals:
    try:
        codec.place(crystal)
        usable.append(crystal)
    except ValueError:
        continue
usable = usable[:1000]
result = {"crystals": len(usable), "mean_sites": float(np.mean([len(c) for c in usable])), "threads": options.threads}

codec.encode(usable[:50], refine=False)  # warm up
result["encode_per_second"] = len(usable) / seconds(lambda: codec.encode(usable, refine=False))
latents = codec.encode(usable, refine=False)
result["decode_per_second"] = len(usable) / seconds(lambda: codec.decode_crystals(latents))
result["decode_unchecked_per_second"] = len(usable) / seconds(lambda: codec.decode_crystals(latents, check=False))
result["encode_refined_per_second"] = len(usable) / seconds(lambda: codec.encode(usable))
result["memory_codec_gib"] = memory()

placed = codec.place(max(usable, key=len))
reduced, patches = placed.crystal, placed.patches
batch = CrystalBatch.collate([reduced])
with torch.no_grad():
    weights = codec.network.weights(batch.numbers)
    painted = codec.representation.paint(batch, weights, patches)
    fast = min(seconds(lambda: codec.representation.paint(batch, weights, patches)) for _ in range(5))
slow = seconds(lambda: loop_density(codec, reduced, weights[0].numpy()))
assert np.allclose(painted[0].numpy(), loop_density(codec, reduced, weights[0].numpy()), atol=1e-5)  # noqa: S101
result["painter_over_loop"] = slow / fast

with tempfile.TemporaryDirectory() as folder:
    recipe = load_recipe("mp", ["sample=0", "checkpoint_minutes=1000"])
    out = Path(folder)
    train(recipe, usable, usable[:1], out, minutes=options.seconds / 60, device="cpu")
    about = json.loads((out / "training.json").read_text())
result["train_per_second"] = about["crystals"] / about["seconds"]
result["train_steps"] = about["step"]
result["memory_train_gib"] = memory()

for key, value in result.items():
    print(f"{key:28} {value:.4g}" if isinstance(value, float) else f"{key:28} {value}")
if options.out:
    options.out.write_text(json.dumps(result, indent=2) + "\n")
