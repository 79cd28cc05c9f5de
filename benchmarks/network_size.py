"""Learning curves of networks of several widths: how many held-out crystals come back, against crystals seen.

python benchmarks/network_size.py --data train.parquet --val val.parquet [--widths 96 192] [--steps 9000] [--out images]

Every network is trained from scratch on the same crystals in the same order, and read once (unchecked, not refined);
at the end all held-out crystals are read, once and checked. A training that was killed goes on, and one that is done
is only drawn: several can run side by side, one width each.
"""

import argparse
from pathlib import Path

import torch

from xtalcodec.datasets import load
from xtalcodec.evaluation.reconstruction import reconstruct, summary
from xtalcodec.training.loop import train
from xtalcodec.training.recipe import load as recipe
from xtalcodec.viz.figures.learning import read_curve
from xtalcodec.viz.figures.style import BLUE, GREEN, ORANGE, WIDTH, new_figure, print_style, save

PANELS = {"val/match_rate": "matched (%)", "val/rmse": "RMS displacement over (V/N)¹ᐟ³, matched (%)"}
HEAD = 32
"""Width of an attention head."""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", nargs="+", default=["aflow-prototypes"], help="crystals to learn from")
parser.add_argument("--val", default="aflow-prototypes", help="crystals held out")
parser.add_argument("--recipe", default="mp", help="what is trained")
parser.add_argument("--widths", type=int, nargs="+", default=[96, 192], help=f"of the networks; multiples of {HEAD}")
parser.add_argument("--steps", type=int, default=3000)
parser.add_argument("--patches", type=int, default=2048, help="in a batch")
parser.add_argument("--sample", type=int, default=200, help="held-out crystals that are read at every checkpoint")
parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--out", type=Path, default=None, help="folder of the picture")
options = parser.parse_args()
torch.set_num_threads(options.threads)

data, val = [crystal for source in options.data for crystal in load(source)[0]], load(options.val)[0]
curves = {}
for width in options.widths:
    settings = [
        f"codec.network.width={width}",
        f"codec.network.heads={width // HEAD}",
        f"optimiser.steps={options.steps}",
        f"optimiser.patches={options.patches}",
        f"sample={options.sample}",
        "average=0.99",
    ]
    out = options.runs / f"{options.recipe}-{width}"
    codec = train(recipe(options.recipe, settings), data, val, out, resume=True, device="cpu")
    weights = sum(p.numel() for p in codec.network.parameters())
    curves[f"width {width}: {weights / 1e6:.1f} million weights"] = curve = read_curve(out) or {}
    print(f"width {width}, {weights:,} weights")
    for row in zip(*(curve[key] for key in PANELS), strict=True):
        print(f"{row[0][0]:9.0f} crystals  " + "  ".join(f"{point[1]:.4f}" for point in row))
    for check, how in ((False, "read once"), (True, "checked")):
        scores = summary(reconstruct(codec, val, refine=False, check=check), codec)
        print(f"all {len(val)}, {how}: " + "  ".join(f"{key} {scores[key]:.4f}" for key in ("match_rate", "rmse")))
if options.out:
    with print_style():
        figure = new_figure(WIDTH, 2.8, f"{options.sample} held-out crystals, read once")
        for axes, (key, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
            for (name, curve), color in zip(curves.items(), (ORANGE, BLUE, GREEN), strict=False):
                crystals, score = curve[key].T
                axes.plot(crystals / 1000, 100 * score, color=color, lw=1.2, label=name)
            axes.set(xlabel="thousands of crystals seen", title=title)
        axes.set(yscale="log", yticks=[1, 2, 5], yticklabels=["1", "2", "5"])
        axes.minorticks_off()
        axes.legend()
    save(figure, options.out, "network_size", ["png"])
