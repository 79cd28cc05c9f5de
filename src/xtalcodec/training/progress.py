"""How far a training is, and what it says: on the screen, in TensorBoard and in `curve.jsonl`."""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.stored import CURVE
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.reconstruction import reconstruct, summary
from xtalcodec.evaluation.windows import measure, window_summary
from xtalcodec.io.atomic import atomic
from xtalcodec.io.limits import evenly

LOG = "tensorboard"
"""Folder of a training's log."""


SCORES = ("match_rate", "rmse", "count_rate", "composition_rate")
"""What is noted of held-out crystals; of windows, the paper's measures besides."""


@dataclass
class Progress:
    """Steps, crystals and seconds of a training so far; saved with every checkpoint."""

    step: int = 0
    crystals: int = 0
    seconds: float = 0.0


class Report:
    """Log of a training, written by the first process: screen, TensorBoard and `curve.jsonl`."""

    def __init__(self, out: Path, crystals: int, left_out: list[tuple[str, str]], progress: Progress) -> None:
        from rich.console import Console
        from torch.utils.tensorboard import SummaryWriter

        self.console = Console()
        self.console.print(f"{crystals} crystals to train on, {len(left_out)} left out" + (":" if left_out else "."))
        for name, reason in left_out[:5]:
            self.console.print(f"  {name}: {reason}", markup=False)
        self.curve, self.noted = out / CURVE, set[tuple[int, str]]()
        if progress.step and self.curve.is_file():
            lines = self.curve.read_text().splitlines()
            kept = [line for line in lines if _step_of(line) <= progress.step]
            with atomic(self.curve) as temporary:
                temporary.write_text("".join(line + "\n" for line in kept))
            self.noted.update(pair for line in kept for pair in _told_by(json.loads(line)))
            self.console.print(f"resuming after step {progress.step}")
        else:  # one that ended before its first checkpoint may have left some
            self.curve.unlink(missing_ok=True)
        self.writer = SummaryWriter(str(out / LOG), purge_step=progress.step + 1)
        self.mean: dict[str, float] = {}
        self.began = (time.monotonic(), progress.crystals)
        self.shown = time.monotonic()

    def step(self, progress: Progress, fraction: float, terms: dict[str, Tensor]) -> None:
        """Note a step; say something every 15 seconds.

        Parameters
        ----------
        progress
            How far training is.
        fraction
            Share of the schedule that is done.
        terms
            Losses and metrics of the step.
        """
        for name, value in terms.items():
            self.mean[name] = 0.98 * self.mean.get(name, value.item()) + 0.02 * value.item()
        if progress.step % (10 if progress.step < 500 else 50) == 0:
            self._note(progress, {f"train/{name}": value.item() for name, value in terms.items()})
        if time.monotonic() - self.shown > 15:
            self.shown = time.monotonic()
            speed = (progress.crystals - self.began[1]) / (self.shown - self.began[0])
            losses = " ".join(f"{name} {value:.4g}" for name, value in self.mean.items())
            self.console.print(
                f"{100 * fraction:5.1f} %  step {progress.step}  {speed:.0f} crystals/s  {losses}", soft_wrap=True
            )

    def has(self, progress: Progress, what: str) -> bool:
        """Whether scores are noted already: the last step may be a checkpoint's, and of a training that went on."""
        return (progress.step, _named(what)) in self.noted

    def held_out(self, progress: Progress, codec: Codec, val: Sequence[Crystal], sample: int) -> None:
        """Reconstruct a fixed sample of held-out crystals, once at a step.

        Parameters
        ----------
        progress
            How far training is.
        codec
            As it stands.
        val
            Held-out crystals.
        sample
            How many of them, evenly spread.
        """
        if not val or not sample or self.has(progress, "val"):
            return
        chosen = evenly(val, sample)
        if codec.window is not None:
            kept = _window_scores(codec, chosen)
        else:
            scores = summary(reconstruct(codec, chosen, refine=False, check=False), codec)
            kept = {k: scores[k] for k in SCORES if scores[k] is not None}
        self._note(progress, {f"val/{k}": v for k, v in kept.items()})
        text = "  ".join(f"{k} {v:.4g}" for k, v in kept.items())
        self.console.print(
            f"held out, {len(chosen)} crystals, latents not refined, nor what is read checked: {text}",
            style="bold",
            soft_wrap=True,
        )

    def note(self, progress: Progress, what: str, scores: dict[str, float]) -> None:
        """Note scores of samples, or of held-out crystals, and say them.

        Parameters
        ----------
        progress
            How far training is.
        what
            What the scores are of.
        scores
            By name.
        """
        self._note(progress, {f"{_named(what)}/{k}": v for k, v in scores.items()})
        text = "  ".join(f"{k} {v:.4g}" for k, v in scores.items())
        self.console.print(f"{what}: {text}", style="bold", soft_wrap=True)

    def _note(self, progress: Progress, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, progress.step)
        row = {"step": progress.step, "crystals": progress.crystals, **values}
        with self.curve.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.noted.update(_told_by(row))

    def close(self) -> None:
        """Finish the log."""
        self.writer.close()


def _named(what: str) -> str:
    """What scores are of, as it stands before their names."""
    return what.replace(" ", "_")


def _told_by(row: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Step of a row of a curve, with everything that the row has scores of."""
    return ((row["step"], name.partition("/")[0]) for name in row if "/" in name)


def _step_of(line: str) -> float:
    """Step of a row of a curve; infinite of one that was not written to its end."""
    try:
        return float(json.loads(line)["step"])
    except ValueError:
        return math.inf


def _window_scores(codec: Codec, crystals: Sequence[Crystal]) -> dict[str, float]:
    """Held-out crystals in windows: rates, and percentiles of density error and distance."""
    scores = window_summary(measure(codec, crystals, refine=False))
    kept = {k: scores[k] for k in ("match_rate", "rmse", "count_per_window", "species_per_atom")}
    kept |= {f"density_mse_{q}": value for q, value in scores["density_mse_percentiles"].items()}
    kept |= {f"distance_{q}": scores["true_to_decoded_percentiles"].get(q) for q in ("20", "50", "80")}
    return {k: value for k, value in kept.items() if value is not None and math.isfinite(value)}
