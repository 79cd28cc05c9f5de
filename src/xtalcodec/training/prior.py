"""Training a flow: the loop with checkpoints that resume exactly, and samples that tell how good it is."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.decoding import SURE
from xtalcodec.codecs.facts import provenance
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.judging import Sample, valid_unique_novel
from xtalcodec.evaluation.generation.memo import Memo
from xtalcodec.io.read import Unusable
from xtalcodec.latent_space.sample import draw
from xtalcodec.priors.flow.crystals import CELLS, FlowCrystals
from xtalcodec.priors.flow.files import read
from xtalcodec.priors.flow.network import FlowNetwork
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.training import checkpoint
from xtalcodec.training.average import running_average
from xtalcodec.training.crystals import torch_seed
from xtalcodec.training.flow_losses import FlowLoss, HeldOut, shown_of
from xtalcodec.training.optimisers import open_optimisers
from xtalcodec.training.prior_recipe import PriorRecipe
from xtalcodec.training.progress import Progress, Report
from xtalcodec.training.stepping import (
    CHECKPOINT,
    PRIMITIVES,
    TrainingError,
    claimed,
    decided,
    identity_of,
    open_accelerator,
    prepare,
    schedule,
    take_step,
)

BEST, LAST = "best", "last"
"""Folders of the prior whose samples were best, and of the last one."""


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
        Crystals that are not learnt from: their losses are noted at every checkpoint, and of each network the weights
        are kept whose loss was least, for it begins to rise where training crystals are learnt by heart.
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
    OccupiedError
        Another training writes to `out`.
    TrainingError
        `out` already holds a training and `resume` is not set, or another one, or a prior and no training.
    PriorError
        A codec of windows; no crystal that can be used.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PRIMITIVES)
    accelerator = open_accelerator(recipe.precision, device)
    with claimed(out, BEST, LAST, first=accelerator.is_main_process):
        identity = identity_of(data, held_out)
        if accelerator.is_main_process:
            prepare(out, recipe, identity, resume)
        accelerator.wait_for_everyone()
        codec = Codec.from_pretrained(recipe.codec, str(accelerator.device))
        source = _source(codec, data, recipe)
        prior = _begun(source, recipe)
        network = prior.network.train()
        average = running_average(network, recipe.average)
        averaged = cast("FlowNetwork", average.module)
        watch = HeldOut(_source(codec, held_out, recipe), recipe, averaged) if held_out else None
        made = replace(prior, network=watch.kept if watch else averaged).sampled_by(recipe.sampler)
        about = {"crystals_used": len(source), **(facts or {}), "seed": recipe.seed}
        optimisers = open_optimisers(network, recipe.optimiser)
        judge = Judge(codec, source, recipe, out)
        keeper = _Keeper(out, network, average, optimisers, watch, made, about, identity, judge, accelerator)
        progress = keeper.resumed() if resume else Progress()
        report = Report(out, len(source), source.left_out, progress) if accelerator.is_main_process else None
        model = accelerator.prepare(FlowLoss(network))
        saved = time.monotonic()
        per_step = (source.grids.drawn if recipe.latents else float(CELLS)) * accelerator.num_processes
        for fraction in schedule(accelerator, progress, recipe.optimiser.length(len(source), per_step), minutes):
            seed = [recipe.seed, progress.step, accelerator.process_index]
            shown = shown_of(source, recipe, seed)
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
                    keeper.keep(report, progress, score=judge.due)
                saved = time.monotonic()
                accelerator.wait_for_everyone()
        if report:
            keeper.keep(report, progress, score=True)
            report.close()
        accelerator.wait_for_everyone()
        accelerator.end_training()
        network.eval()
        return made


@dataclass(frozen=True, slots=True)
class _Keeper:
    """Writes what a training has made, and its checkpoint."""

    out: Path
    network: FlowNetwork
    average: AveragedModel
    optimisers: dict[str, Optimizer]
    watch: HeldOut | None
    made: FlowPrior
    about: Mapping[str, Any]
    data: Mapping[str, Any]
    judge: "Judge"
    accelerator: Any

    @property
    def networks(self) -> nn.ModuleDict:
        """All weights that a checkpoint holds."""
        kept = {"kept": self.watch.kept} if self.watch else {}
        return nn.ModuleDict({"network": self.network, "average": self.average} | kept)

    def resumed(self) -> Progress:
        """Go on from the checkpoint, if there is one."""
        if not (self.out / CHECKPOINT).is_file():
            return Progress()
        found = checkpoint.load(self.out / CHECKPOINT, self.networks, self.optimisers)
        self.judge.best = found.pop("best")
        if self.watch:
            self.watch.least |= found.pop("least")
        return Progress(**found)

    def keep(self, report: Report, progress: Progress, *, score: bool) -> None:
        """Look at held-out crystals and, where it is time, at samples; write the prior and the checkpoint."""
        if self.watch and not report.has(progress, "held out"):
            averaged = cast("FlowNetwork", self.average.module)
            report.note(progress, "held out", self.watch.look(averaged, self.accelerator))
        least = {"least": self.watch.least} if self.watch else {}
        if score and not report.has(progress, "samples"):
            self.judge.keep_best(self.made, progress, report, self.about)
        about = asdict(progress) | {"best": self.judge.best} | least
        checkpoint.save(self.out / CHECKPOINT, self.networks, self.optimisers, about, self.data)
        self.made.save(self.out / LAST, training=provenance(**self.about, **asdict(progress), **least))


def _source(codec: Codec, crystals: Sequence[Crystal], recipe: PriorRecipe) -> FlowCrystals:
    """Crystals as the recipe shows them."""
    return FlowCrystals(codec, crystals, recipe.flow, recipe.optimiser.patches)


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


class Judge:
    """Draws samples now and then, says how good they are, and keeps the prior whose samples were best."""

    def __init__(self, codec: Codec, source: FlowCrystals, recipe: PriorRecipe, out: Path) -> None:
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
        """
        self.codec, self.train, self.recipe, self.out = codec, source.crystals, recipe, out
        self.memo, self.best, self.last = Memo(), 0.0, time.monotonic()

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
        if scores["good"] > self.best or not (self.out / BEST).exists():
            prior.save(self.out / BEST, training=provenance(**about, **asdict(progress), samples=scores))
            self.best = scores["good"]
        report.note(progress, "samples", scores)  # now that the best is kept: what is noted is not judged again

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
