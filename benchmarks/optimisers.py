"""Learning curves of the paper's settings (hoffmann-paper) and of AdamW's: same networks, data and time.

python benchmarks/optimisers.py --data train.parquet --val val.parquet [--minutes 10] [--scale 0.125]
"""

import argparse
from pathlib import Path

import torch

from xtalcodec.datasets import load
from xtalcodec.training.loop import train
from xtalcodec.training.recipe import load as recipe
from xtalcodec.viz.figures.learning import read_curve, running_percentiles
from xtalcodec.viz.figures.style import BLUE, ORANGE, WIDTH, new_figure, print_style, save

RECIPES = {"hoffmann-paper": ORANGE, "hoffmann": BLUE}
SETTINGS = {
    "hoffmann-paper": [],
    "hoffmann": [
        "optimiser.kind=adamw",
        "optimiser.lr_adamw=1e-3",
        "optimiser.warmup=100",
        "optimiser.decay=true",
        "optimiser.clip=1",
        "codec.network.kl_weight=1e-3",
        "codec.network.start_logit=-6",
    ],
}
"""What is laid over `hoffmann-paper`: AdamW, warm-up and decay, hardly any KL, logits that start low."""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="aflow-prototypes", help="crystals to learn from")
parser.add_argument("--val", default="aflow-prototypes", help="crystals held out")
parser.add_argument("--minutes", type=float, default=10.0, help="training time of each")
parser.add_argument("--scale", type=float, default=0.125, help="width of the networks, over the paper's")
parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings, which go on if killed")
parser.add_argument("--out", type=Path, default=None, help="folder of the picture")
options = parser.parse_args()
torch.set_num_threads(1)

data, val = (load(source)[0] for source in (options.data, options.val))
for name in RECIPES:
    settings = [f"codec.network.scale={options.scale}", "checkpoint_minutes=1.0", "sample=40"]
    settings += SETTINGS[name]
    train(
        recipe("hoffmann-paper", settings),
        data,
        val,
        options.runs / name,
        resume=True,
        minutes=options.minutes,
        device="cpu",
    )

curves = {name: read_curve(options.runs / name) or {} for name in RECIPES}
for name, curve in curves.items():
    error = curve["val/density_mse_50"]
    print(f"{name:16} {error[-1, 0]:6.0f} views  held-out density MSE, median: {error[0, 1]:.4g} → {error[-1, 1]:.4g}")
if options.out:
    with print_style():
        figure = new_figure(WIDTH, 2.8, f"width × {options.scale:g}, {options.minutes:g} minutes on one core each")
        for axes, key, title in zip(
            figure.subplots(1, 2),
            ("train/density", "val/density_mse_50"),
            ("training batches: mean square error", "held-out crystals: median of it"),
            strict=True,
        ):
            for name, color in RECIPES.items():
                if key not in curves[name]:
                    continue  # it ended before its first note
                points = curves[name][key]
                middle = running_percentiles(points[:, 1])[1] if key.startswith("train") else points[:, 1]
                axes.plot(points[:, 0], middle, color=color, lw=1.2, label=name)
            axes.set(yscale="log", xlabel="views seen", ylabel="density MSE (e²/Å⁶)", title=title)
            if axes.lines:
                axes.legend()
    save(figure, options.out, "optimisers", ["png"])
