"""Training a flow: the loop with checkpoints that resume exactly, and samples that tell how good it is."""

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.facts import provenance
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.judging import Sample, valid_unique_novel
from xtalcodec.evaluation.generation.memo import Memo
from xtalcodec.io.read import Unusable
from xtalcodec.latent_space.sample import draw
from xtalcodec.priors.flow.crystals import FlowCrystals
from xtalcodec.priors.flow.files import read
from xtalcodec.priors.flow.network import CellBatch, FlowBatch, FlowNetwork
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.training import checkpoint
from xtalcodec.training.crystals import torch_seed
from xtalcodec.training.optimisers import open_optimisers
from xtalcodec.training.prior_recipe import PriorRecipe
from xtalcodec.training.progress import Progress, Report
from xtalcodec.training.stepping import (
    CHECKPOINT,
    PRIMITIVES,
    TrainingError,
    decided,
    open_accelerator,
    prepare,
    schedule,
    take_step,
)

BEST, LAST = "best", "last"
"""Folders of the prior whose samples were best, and of the last one."""
HELD_OUT = 30
"""Batches of held-out crystals that are looked at."""
SURE = 0.5
"""Least confidence of a good sample."""


class FlowLoss(nn.Module):
    """Batches → losses, whose sum is to fall: what several processes can wrap."""

    def __init__(self, network: FlowNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: FlowBatch | None, cells: CellBatch | None, dice: torch.Generator) -> dict[str, Tensor]:
        """Return the losses.

        Parameters
        ----------
        batch
            Crystals of one grid; without them, compositions and cells alone learn.
        cells
            Of any grids; without them, latents alone learn.
        dice
            What is told, noise and times.
        """
        own = {} if batch is None else {"latents": self.network.loss(batch, dice)}
        return own if cells is None else own | self.network.cell_losses(cells, dice)


def train_prior(
    recipe: PriorRecipe,
    data: Sequence[Crystal],
    out: Path,
    *,
    held_out: Sequence[Crystal] = (),
    resume: bool = False,
    minutes: float | None = None,
    device: str = "auto",
    facts: Mapping[str, Any] | None = None,
) -> FlowPrior:
    """Train a flow and keep it in `out`: the last one, and the one whose samples were most often valid, unique, novel.

    Parameters
    ----------
    recipe
        Everything that decides the training.
    data
        Crystals to learn from, and which samples must not be to be novel.
    out
        Folder for checkpoints, logs and the priors.
    held_out
        Crystals that are not learnt from: their losses are noted at every checkpoint, and begin to rise where the
        networks learn the training crystals by heart.
    resume
        Go on from the checkpoint in `out`.
    minutes
        End the schedule after this much training time instead of the recipe's steps.
    device
        "cpu", "cuda", or "auto".
    facts
        What else the card should say.

    Raises
    ------
    TrainingError
        `out` already holds a training and `resume` is not set, or holds another recipe.
    PriorError
        A codec of windows; no crystal that can be used.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PRIMITIVES)
    accelerator = open_accelerator(recipe.precision, device)
    if accelerator.is_main_process:
        prepare(out, recipe, resume)
    accelerator.wait_for_everyone()
    codec = Codec.from_pretrained(recipe.codec, str(accelerator.device))
    source = FlowCrystals(codec, data, recipe.flow, recipe.optimiser.patches)
    prior = _begun(source, recipe)
    network = prior.network.train()
    average = AveragedModel(network, multi_avg_fn=_Average(recipe.average))
    watch = HeldOut(codec, held_out, recipe, accelerator)
    both = nn.ModuleDict({"network": network, "average": average})
    optimisers = open_optimisers(network, recipe.optimiser)
    found = checkpoint.load(out / CHECKPOINT, both, optimisers) if resume and (out / CHECKPOINT).is_file() else {}
    judge = Judge(codec, source, recipe, out, found.pop("best", 0.0))
    progress = Progress(**found)
    report = Report(out, len(source), source.left_out, progress) if accelerator.is_main_process else None
    about = {"crystals_used": len(source), **(facts or {}), "seed": recipe.seed}
    averaged = replace(prior, network=cast("FlowNetwork", average.module)).sampled_by(recipe.sampler)
    model = accelerator.prepare(FlowLoss(network))

    def keep(report: Report, *, score: bool) -> None:
        if score:
            judge.keep_best(averaged, progress, report, about)
        if losses := watch.losses(averaged.network):
            report.note(progress, "held out", losses)
        averaged.save(out / LAST, training=provenance(**about, **asdict(progress)))
        checkpoint.save(out / CHECKPOINT, both, optimisers, asdict(progress) | {"best": judge.best})

    saved = time.monotonic()
    for fraction in schedule(accelerator, progress, recipe.optimiser.length(len(source)), minutes):
        seed = [recipe.seed, progress.step, accelerator.process_index]
        shown = _shown(source, recipe, seed)
        torch.manual_seed(torch_seed([*seed, 4]))  # what dropout leaves out
        losses = model(*shown, torch.Generator().manual_seed(torch_seed([*seed, 2])))
        skipped = take_step(losses, model, accelerator, optimisers, recipe.optimiser, progress.step, fraction)
        average.update_parameters(network)
        progress.step += 1
        progress.crystals += len(shown[0] or shown[1] or ()) * accelerator.num_processes
        if report:
            report.step(progress, fraction, {**losses, "skipped": skipped})
        if decided(accelerator, time.monotonic() - saved) > 60 * recipe.checkpoint_minutes:
            if report:
                keep(report, score=judge.due)
            saved = time.monotonic()
            accelerator.wait_for_everyone()
    if report:
        keep(report, score=True)
        report.close()
    accelerator.wait_for_everyone()
    accelerator.end_training()
    network.eval()
    return averaged


def _shown(source: FlowCrystals, recipe: PriorRecipe, seed: Sequence[int]) -> tuple[FlowBatch | None, CellBatch | None]:
    """What a step learns from: crystals of one grid, and cells of any; None of what does not learn."""
    return source.batch(seed) if recipe.latents else None, source.cell_batch(seed) if recipe.cells else None


def _begun(source: FlowCrystals, recipe: PriorRecipe) -> FlowPrior:
    """A flow that has learnt nothing yet, or what another of the same latents has.

    Raises
    ------
    TrainingError
        Another flow, or nothing, to start from; nothing to learn.
    """
    if not recipe.latents and not recipe.cells:
        raise TrainingError("latents=false and cells=false leave nothing to learn")
    if recipe.anew and not recipe.start:
        raise TrainingError("anew=true is for a training with start=FOLDER")
    prior = FlowPrior.untrained(source, recipe.seed)
    if recipe.start:
        about, network = read(recipe.start)
        config = replace(about.config, dropout=recipe.flow.dropout)
        if (about.codec, config) != (prior.about.codec, prior.about.config):
            raise TrainingError(f"start={recipe.start}: a flow of other sizes or of another codec ({about.codec})")
        known = network.state_dict()
        kept = {k: v for k, v in known.items() if not (recipe.anew and k.startswith(("compositions.", "cells.")))}
        prior.network.load_state_dict(prior.network.state_dict() | kept)
    prior.network.latents.requires_grad_(recipe.latents)
    for small in prior.network.small:
        small.requires_grad_(recipe.cells)
    return prior


class HeldOut:
    """Losses of crystals that are not learnt from, with the same noise each time."""

    def __init__(self, codec: Codec, crystals: Sequence[Crystal], recipe: PriorRecipe, accelerator: Any) -> None:
        """Keep the crystals, and what training does with its own.

        Parameters
        ----------
        codec
            That encodes them.
        crystals
            Held out; perhaps none.
        recipe
            How they are shown, and what is learnt.
        accelerator
            Whose precision is used.
        """
        self.source = FlowCrystals(codec, crystals, recipe.flow, recipe.optimiser.patches) if crystals else None
        self.recipe, self.accelerator = recipe, accelerator

    @torch.no_grad()
    def losses(self, network: FlowNetwork) -> dict[str, float]:
        """Return the means of what training minimises, of the networks that learn; nothing without crystals."""
        if self.source is None:
            return {}
        model = FlowLoss(network.eval())
        found: dict[str, list[float]] = defaultdict(list)
        with self.accelerator.autocast():
            for k in range(HELD_OUT):
                losses = model(*_shown(self.source, self.recipe, [k]), torch.Generator().manual_seed(k))
                for name, value in losses.items():
                    found[name].append(value.item())
        return {name: sum(values) / len(values) for name, values in found.items()}


class _Average:
    """Exponential average of the weights that begins as a plain one."""

    def __init__(self, keep: float) -> None:
        self.keep = keep

    @torch.no_grad()
    def __call__(self, averages: Sequence[Tensor], values: Sequence[Tensor], count: Tensor | int) -> None:
        """Move the averages towards the values."""
        keep = min(self.keep, (1 + int(count)) / (10 + int(count)))
        for mean, value in zip(averages, values, strict=True):
            mean.lerp_(value, 1 - keep)


class Judge:
    """Draws samples now and then, says how good they are, and keeps the prior whose samples were best."""

    def __init__(self, codec: Codec, source: FlowCrystals, recipe: PriorRecipe, out: Path, best: float = 0.0) -> None:
        """Keep what samples are decoded by and compared with.

        Parameters
        ----------
        codec
            That decodes samples.
        source
            Training crystals, which samples must not be to be novel.
        recipe
            How many samples are drawn, and when.
        out
            Where the best prior is kept.
        best
            Share of good samples of the one that is kept there.
        """
        self.codec, self.train, self.recipe, self.out = codec, source.crystals, recipe, out
        self.memo, self.best, self.last = Memo(), best, time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() - self.last > 60 * self.recipe.score_minutes

    def keep_best(self, prior: FlowPrior, progress: Progress, report: Report, about: Mapping[str, Any]) -> None:
        """Note the scores of samples, and save the prior where they are the best so far.

        Parameters
        ----------
        prior
            As it stands.
        progress, report
            How far training is, and its log.
        about
            What its card says.
        """
        self.last = time.monotonic()
        if not self.recipe.sample:
            return
        scores = self.scores(prior)
        report.note(progress, "samples", scores)
        if scores["good"] > self.best or not (self.out / BEST).exists():
            prior.save(self.out / BEST, training=provenance(**about, **asdict(progress), samples=scores))
            self.best = scores["good"]

    def scores(self, prior: FlowPrior) -> dict[str, float]:
        """Rates among all samples: those that hold what their cell was to hold, and which of them are what else.

        Good ones are valid, unique, novel and sure. What does not hold what it should may hold hundreds of atoms, and
        is not looked at further.
        """
        prior.network.eval()
        drawn = list(draw(self.codec, prior, self.recipe.sample, seed=self.recipe.seed))
        samples: list[Sample] = [
            one.decoded.crystal if one.decoded and one.as_planned else Unusable(one.code.name, "not as planned")
            for one in drawn
        ]
        rows = valid_unique_novel(samples, self.train, self.memo)
        new = [bool(row.valid and row.unique and row.novel) for row in rows]
        confidence = [one.decoded.confidence if one.decoded else 0.0 for one in drawn]
        good = [ok and sure >= SURE for ok, sure in zip(new, confidence, strict=True)]
        n = len(rows)
        return {
            "good": sum(good) / n,
            "valid_unique_novel": sum(new) / n,
            "as_planned": sum(bool(one.as_planned) for one in drawn) / n,
            "valid": sum(bool(row.valid) for row in rows) / n,
            "novel": sum(bool(row.novel) for row in rows) / n,
            "confidence": sum(confidence) / n,
        }
