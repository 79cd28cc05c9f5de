"""Joint training of the paper's networks by several recipes, in turns within one run: views per second, and learning.

python benchmarks/paper_networks.py [--data train.parquet] [--recipes hoffmann-narrow hoffmann-unit-cell] [--threads 1]
python benchmarks/paper_networks.py --minutes 5 --data train.parquet --val val.parquet [--out docs/images]
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch

from xtalcodec.codecs.registry import open_codec
from xtalcodec.datasets import load
from xtalcodec.training.augment import AugmentConfig
from xtalcodec.training.crystals import TrainingCrystals
from xtalcodec.training.loss import CrystalLoss
from xtalcodec.training.optimisers import open_optimisers
from xtalcodec.training.recipe import load as recipe
from xtalcodec.viz.figures.style import BLUE, GREEN, ORANGE, WIDTH, new_figure, print_style, save

HELD_OUT = 64
"""Views that the density's error is taken over."""
STILL = AugmentConfig(shift=False, substitute=0.0, jitter=0.0)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="aflow-prototypes", help="crystals to learn from")
parser.add_argument("--val", default="aflow-prototypes", help="crystals held out")
parser.add_argument(
    "--recipes",
    nargs="+",
    default=["hoffmann-narrow", "hoffmann-unit-cell"],
    help="each a recipe, with settings after commas: hoffmann-unit-cell,codec.network.compact.shortcut=none",
)
parser.add_argument("--limit", type=int, default=500, help="crystals to take")
parser.add_argument("--rounds", type=int, default=5, help="turns of each recipe")
parser.add_argument("--steps", type=int, default=3, help="steps in a turn")
parser.add_argument("--minutes", type=float, default=0.0, help="of processor time for each; 0 to measure speed alone")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--profile", action="store_true", help="show where the time of the last recipe goes")
parser.add_argument("--out", type=Path, default=None, help="folder of the picture of the learning curves")
options = parser.parse_args()
torch.set_num_threads(options.threads)


class Training:
    """A recipe's training, step by step: views drawn, painted, decoded, compared, weights moved."""

    def __init__(self, name: str, crystals: list, held_out: list) -> None:
        self.recipe = recipe(*name.split(",")[:1], name.split(",")[1:])
        torch.manual_seed(0)
        self.codec = open_codec(self.recipe.codec)
        self.codec.network.train()
        batch = self.recipe.optimiser.patches
        self.source = TrainingCrystals(crystals, self.codec, self.recipe.augment, 300, batch)
        views = TrainingCrystals(held_out, self.codec, STILL, 300, HELD_OUT).batch([0])[0]
        self.true, self.cells = self.codec.window.density(views), views.seen
        self.loss, self.count, self.seconds, self.views = CrystalLoss(self.codec, self.recipe.loss), 0, 0.0, 0
        self.optimisers = open_optimisers(self.codec.network, self.recipe.optimiser)
        self.curve: list[tuple[float, float]] = []

    def step(self) -> None:
        """Take a step, with products in bfloat16 as `xtalcodec train` does."""
        start = time.process_time() / options.threads
        config = self.recipe.optimiser
        self.count += 1
        batch, patches = self.source.batch([0, self.count])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses, _ = self.loss(batch, patches)
        torch.stack([*losses.values()]).sum().backward()
        norm = torch.nn.utils.clip_grad_norm_(self.codec.network.parameters(), config.clip or math.inf)
        done = min(1.0, self.seconds / (60 * options.minutes)) if options.minutes else 0.0
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = config.rate(name, self.count, done) if options.minutes else 1e-6
            if torch.isfinite(norm):
                optimiser.step()
            optimiser.zero_grad()
        self.views += len(batch)
        self.seconds += time.process_time() / options.threads - start

    @torch.no_grad()
    def note(self) -> None:
        """Note the held-out error of the density on the paper's points, median over views."""
        network = self.codec.network.eval()
        decoded = self.codec.decode_density(self.codec.encode_density(self.true, self.cells).mean, self.cells)
        self.curve.append((self.seconds, float((decoded - self.true).square().flatten(1).mean(1).median())))
        network.train()


def measure_speed(trainings: dict[str, Training]) -> None:
    """Take steps in turns and print views per second."""
    speed: dict[str, list[float]] = {name: [] for name in trainings}
    for turn in range(options.rounds + 1):
        for name, training in trainings.items():
            seconds, views = training.seconds, training.views
            for _ in range(options.steps):
                training.step()
            if turn:  # the first compiles
                speed[name].append((training.views - views) / (training.seconds - seconds))
    first = np.median(speed[options.recipes[0]])
    for name, values in speed.items():
        middle = np.median(values)
        print(f"{name:20} {middle:7.1f} views/s on {options.threads} thread(s), {middle / first:5.1f} times the first")


def measure_learning(trainings: dict[str, Training]) -> None:
    """Train in turns, each for the same processor time, and print the held-out error as it falls."""
    for part in range(11):
        for training in trainings.values():
            while training.seconds < 6 * options.minutes * part:
                training.step()
            training.note()
        print(f"{0.1 * part * options.minutes:5.1f} min", end="", flush=True)
        for name, training in trainings.items():
            print(f"   {name}: {training.curve[-1][1]:.3g} ({training.views} views)", end="", flush=True)
        print(flush=True)


crystals, held_out = load(options.data)[0][: options.limit], load(options.val)[0][: 4 * HELD_OUT]
heaviest = min(recipe(name.split(",")[0]).codec.network.species for name in options.recipes)
crystals, held_out = ([c for c in some if c.elements[-1] <= heaviest] for some in (crystals, held_out))
trainings = {name: Training(name, crystals, held_out) for name in options.recipes}
if options.minutes:
    measure_learning(trainings)
else:
    measure_speed(trainings)
if options.out and options.minutes:
    with print_style():
        figure = new_figure(WIDTH, 2.8, f"{options.minutes:g} minutes of processor time each")
        axes = figure.subplots()
        for (name, training), color in zip(trainings.items(), (ORANGE, BLUE, GREEN), strict=False):
            seconds, error = np.array(training.curve).T
            axes.plot(seconds / 60, error, color=color, lw=1.2, label=name)
        axes.set(yscale="log", xlabel="minutes", ylabel="held-out density MSE, median (e²/Å⁶)")
        axes.legend()
    save(figure, options.out, "paper_networks", ["png"])
if options.profile:
    with torch.profiler.profile(record_shapes=True) as profile:
        trainings[options.recipes[-1]].step()
    table = profile.key_averages(group_by_input_shape=True)
    print(table.table(sort_by="self_cpu_time_total", row_limit=30, max_shapes_column_width=110))
