"""The training loop: every random number of a step follows from (seed, step, process), so resuming is exact."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.optim import Optimizer

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.facts import provenance
from xtalcodec.codecs.patch import PatchCodec
from xtalcodec.codecs.registry import open_codec
from xtalcodec.crystal import Crystal
from xtalcodec.networks.base import Network
from xtalcodec.training import checkpoint
from xtalcodec.training.average import running_average
from xtalcodec.training.crystals import TrainingCrystals, torch_seed
from xtalcodec.training.loss import CrystalLoss, PaintedLoss
from xtalcodec.training.optimisers import open_optimisers
from xtalcodec.training.painted import PaintedViews
from xtalcodec.training.progress import Progress, Report
from xtalcodec.training.recipe import Recipe
from xtalcodec.training.start import calibrate, take_over
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

__all__ = ["TrainingError", "train"]


def train(
    recipe: Recipe,
    data: Sequence[Crystal],
    val: Sequence[Crystal],
    out: Path,
    *,
    resume: bool = False,
    minutes: float | None = None,
    device: str = "auto",
    facts: Mapping[str, Any] | None = None,
    store: Path | None = None,
) -> Codec:
    """Train a codec and keep it in `out`, with checkpoints to resume from.

    Parameters
    ----------
    recipe
        Everything that decides the training.
    data, val
        Crystals to learn from, and others to reconstruct at every checkpoint.
    out
        Folder for checkpoints, logs and the codec.
    resume
        Go on from the checkpoint in `out`; with the schedule in steps the curve is the one that an uninterrupted
        training gives.
    minutes
        End the schedule after this much training time instead of the recipe's steps.
    device
        "cpu", "cuda", or "auto".
    facts
        What else the model card should say: the names of recipe and data, the command.
    store
        Learn from the painted views of this store of `xtalcodec generate` instead (the paper's networks only).

    Raises
    ------
    OccupiedError
        Another training writes to `out`.
    TrainingError
        `out` already holds a training and `resume` is not set, or another one, or a codec and no training.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PRIMITIVES)
    accelerator = open_accelerator(recipe.precision, device)
    main = accelerator.is_main_process
    with claimed(out, first=main):
        torch.manual_seed(recipe.seed)
        codec = open_codec(recipe.codec, accelerator.device)
        _start(codec, recipe)
        source, loss = _source(recipe, data, codec, store) if codec.trainable else (None, nn.Module())
        recipe = _with_elements(recipe, source)
        codec.config = recipe.codec
        identity = identity_of(data, val, store)
        _prepare(accelerator, out, recipe, identity, resume)
        if source is None:
            return _without_training(codec, recipe, val, out, facts or {}, main)
        going_on = resume and (out / CHECKPOINT).is_file()
        if not going_on:
            calibrate(codec, source, recipe.seed)
        network = codec.network.train()
        average = running_average(network, recipe.average)
        optimisers = open_optimisers(network, recipe.optimiser)
        about = {"crystals_used": len(source), **(facts or {}), "seed": recipe.seed}
        kept = codec.with_network(cast("Network", average.module))
        networks = nn.ModuleDict({"network": network, "average": average})
        keeper = _Keeper(out, kept, networks, optimisers, val, recipe.sample, about, identity)
        progress = keeper.resumed() if going_on else Progress()
        report = Report(out, len(source), source.left_out, progress) if main else None
        model = accelerator.prepare(loss)
        saved = time.monotonic()
        steps = _steps(recipe, source, accelerator.num_processes)
        for fraction in schedule(accelerator, progress, steps, minutes):
            seed = [recipe.seed, progress.step, accelerator.process_index]
            torch.manual_seed(torch_seed([*seed, 2]))
            batch, patches = source.batch(seed)
            losses, metrics = model(batch.to(accelerator.device), patches)
            skipped = take_step(losses, model, accelerator, optimisers, recipe.optimiser, progress.step, fraction)
            average.update_parameters(network)
            progress.step += 1
            progress.crystals += len(batch) * accelerator.num_processes
            if report:
                report.step(progress, fraction, {**losses, **metrics, "skipped": skipped})
            if decided(accelerator, time.monotonic() - saved) > 60 * recipe.checkpoint_minutes:
                if report:
                    keeper.keep(report, progress)
                saved = time.monotonic()
                accelerator.wait_for_everyone()
        if report:
            keeper.keep(report, progress)
            report.close()
        accelerator.wait_for_everyone()
        accelerator.end_training()
        return kept


@dataclass(frozen=True, slots=True)
class _Keeper:
    """Writes what a training has made, and its checkpoint."""

    out: Path
    codec: Codec
    networks: nn.ModuleDict
    """All weights that a checkpoint holds."""
    optimisers: dict[str, Optimizer]
    val: Sequence[Crystal]
    sample: int
    """Held-out crystals that are reconstructed."""
    about: Mapping[str, Any]
    data: Mapping[str, Any]

    def resumed(self) -> Progress:
        """Go on from the checkpoint."""
        return Progress(**checkpoint.load(self.out / CHECKPOINT, self.networks, self.optimisers))

    def keep(self, report: Report, progress: Progress) -> None:
        """Write the checkpoint, and the codec with a card that says how far it is; reconstruct held-out crystals."""
        checkpoint.save(self.out / CHECKPOINT, self.networks, self.optimisers, asdict(progress), self.data)
        self.codec.save_pretrained(self.out, training=provenance(**self.about, **asdict(progress)))
        report.held_out(progress, self.codec, self.val, self.sample)


def _prepare(accelerator: Any, out: Path, recipe: Recipe, data: Mapping[str, Any], resume: bool) -> None:
    """Prepare the folder; the first process does, and the others wait."""
    if accelerator.is_main_process:
        prepare(out, recipe, data, resume)
    accelerator.wait_for_everyone()


def _steps(recipe: Recipe, source: TrainingCrystals | PaintedViews, processes: int) -> int:
    """Steps of the schedule."""
    crystals, drawn = source.drawn
    return recipe.optimiser.length(crystals, drawn * processes)


def _start(codec: Codec, recipe: Recipe) -> None:
    """Begin with the weights of another codec, whose encoder may be kept."""
    if recipe.start:
        try:
            take_over(codec, Codec.from_pretrained(recipe.start))
        except ValueError as error:
            raise TrainingError(f"start={recipe.start}: {error}") from error
    if recipe.frozen:
        if not (recipe.start and isinstance(codec, PatchCodec)):
            raise TrainingError("frozen=encoder: give start=CODEC, a patch network's, whose encoder is to be kept")
        codec.network.freeze_encoder()


def _without_training(
    codec: Codec, recipe: Recipe, val: Sequence[Crystal], out: Path, facts: Mapping[str, Any], main: bool
) -> Codec:
    """Keep a codec that has no weights, and say how it does on held-out crystals; the first process does."""
    if not main:
        return codec
    progress = Progress()
    report = Report(out, 0, [], progress)
    about = {"crystals_used": 0, **facts, "seed": recipe.seed}
    codec.save_pretrained(out, training=provenance(**about, **asdict(progress)))
    report.held_out(progress, codec, val, recipe.sample)
    report.close()
    return codec


def _source(
    recipe: Recipe, data: Sequence[Crystal], codec: Codec, store: Path | None
) -> tuple[TrainingCrystals | PaintedViews, nn.Module]:
    """What batches are drawn from, and what makes their loss."""
    patches = recipe.optimiser.patches
    if store is None:
        crystals = TrainingCrystals(data, codec, recipe.augment, recipe.largest, patches, recipe.seed)
        return crystals, CrystalLoss(codec, recipe.loss)
    if codec.canvas is None or not codec.learns_painted:
        raise TrainingError("a store of painted views is for the paper's networks: recipes hoffmann…")
    views = PaintedViews(store, codec.canvas, recipe.held_out, patches, recipe.codec.network.species)
    return views, PaintedLoss(codec)


def _with_elements(recipe: Recipe, source: TrainingCrystals | PaintedViews | None) -> Recipe:
    """Say in the codec which elements training will show it; what learns nothing knows all."""
    last = recipe.codec.network.species
    seen = set(range(1, last + 1)) if source is None else source.elements
    if source is not None and (recipe.augment.substitute or recipe.augment.mix):
        seen = seen | set(range(1, recipe.augment.species + 1))
    if max(seen) > last:
        raise TrainingError(f"training would show Z = {max(seen)}; codec.network.species ends at {last}")
    return replace(recipe, codec=replace(recipe.codec, elements=tuple(sorted(seen))))
