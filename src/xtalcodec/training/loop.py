"""The training loop: every random number of a step follows from (seed, step, process), so resuming is exact."""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.optim import Optimizer

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.card import provenance
from xtalcodec.codecs.registry import class_of, open_codec
from xtalcodec.crystal import Crystal
from xtalcodec.io.atomic import atomic
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.window_field import PaintedBatch
from xtalcodec.training import checkpoint
from xtalcodec.training.crystals import TrainingCrystals, torch_seed
from xtalcodec.training.loss import CrystalLoss, PaintedLoss
from xtalcodec.training.optimisers import open_optimisers
from xtalcodec.training.painted import PaintedViews
from xtalcodec.training.progress import Progress, Report
from xtalcodec.training.recipe import Recipe
from xtalcodec.training.start import calibrate, take_over

CHECKPOINT, RECIPE = "checkpoint.safetensors", "recipe.yaml"
"""Files of a training's folder, beside the codec's own."""

PRIMITIVES = "4000"
"""oneDNN keeps a compiled product per shape; hundreds of grids need more than its 1,024 places, but not all at once:
with 20,000 a training grew to 12 GB."""


class TrainingError(ValueError):
    """A training that cannot start or go on: the message says why."""


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
    TrainingError
        `out` already holds a training and `resume` is not set, or holds another recipe.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PRIMITIVES)
    accelerator = _accelerator(recipe, device)
    main = accelerator.is_main_process
    data, strange = _known(data, recipe.codec.network.species)
    recipe = _with_elements(recipe, data)
    if main:
        _prepare(out, recipe, resume)
    accelerator.wait_for_everyone()
    torch.manual_seed(recipe.seed)
    codec = open_codec(recipe.codec, accelerator.device)
    if recipe.start:
        _start(codec, recipe.start)
    if not codec.trainable:
        return _without_training(codec, recipe, val, out, facts or {}, main)
    codec.network.train()
    source, loss = _source(recipe, data, codec, store)
    optimisers = open_optimisers(codec.network, recipe.optimiser)
    progress = Progress()
    if resume and (out / CHECKPOINT).is_file():
        progress = Progress(**checkpoint.load(out / CHECKPOINT, codec.network, optimisers))
    else:
        calibrate(codec, source, recipe.seed)
    report = Report(out, len(source), strange + source.left_out, progress) if main else None
    about = {"crystals_used": len(source), **(facts or {}), "seed": recipe.seed}
    model = accelerator.prepare(loss)
    saved = time.monotonic()
    for fraction in _schedule(accelerator, progress, recipe.optimiser.length(len(source)), minutes):
        seed = [recipe.seed, progress.step, accelerator.process_index]
        torch.manual_seed(torch_seed([*seed, 2]))
        batch, patches = source.batch(seed)
        terms = _step(
            model, accelerator, batch.to(accelerator.device), patches, optimisers, recipe, progress.step, fraction
        )
        progress.step += 1
        progress.crystals += len(batch) * accelerator.num_processes
        if report:
            report.step(progress, fraction, terms)
        if _decided(accelerator, time.monotonic() - saved) > 60 * recipe.checkpoint_minutes:
            if report:
                _save(out, codec, optimisers, progress, about)
                report.held_out(progress, codec, val, recipe.sample)
            saved = time.monotonic()
            accelerator.wait_for_everyone()
    if report:
        codec.network.eval()
        _save(out, codec, optimisers, progress, about)
        report.held_out(progress, codec, val, recipe.sample)
        report.close()
    accelerator.wait_for_everyone()
    accelerator.end_training()
    codec.network.eval()
    return codec


def _start(codec: Codec, name: str) -> None:
    """Begin with the weights of another codec."""
    try:
        take_over(codec, Codec.from_pretrained(name))
    except ValueError as error:
        raise TrainingError(f"start={name}: {error}") from error


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


def _accelerator(recipe: Recipe, device: str) -> Any:
    """Processes, device and precision, as Accelerate sees them."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device cuda: no GPU that PyTorch can use")
    cpu = device == "cpu" or not torch.cuda.is_available()
    native = _cpu_multiplies_bf16() if cpu else torch.cuda.is_bf16_supported()
    bf16 = native if recipe.precision == "auto" else recipe.precision == "bf16"
    AcceleratorState._reset_state()  # noqa: SLF001 (an earlier training here may have had another precision)
    return Accelerator(cpu=cpu, mixed_precision="bf16" if bf16 else "no")


def _cpu_multiplies_bf16() -> bool:
    """Whether bfloat16 is the processor's own business; emulated, it is slower than float32."""
    cpu = torch.cpu
    return cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported()  # noqa: SLF001


def _source(
    recipe: Recipe, data: Sequence[Crystal], codec: Codec, store: Path | None
) -> tuple[TrainingCrystals | PaintedViews, nn.Module]:
    """What batches are drawn from, and what makes their loss."""
    patches = recipe.optimiser.patches
    if store is None:
        crystals = TrainingCrystals(data, codec.representation, recipe.augment, recipe.largest, patches, recipe.seed)
        return crystals, CrystalLoss(codec, recipe.loss)
    if codec.window is None or not codec.learns_painted:
        raise TrainingError("a store of painted views is for the paper's networks: recipes hoffmann…")
    views = PaintedViews(store, codec.window, recipe.held_out, patches, recipe.codec.network.species)
    return views, PaintedLoss(codec)


def _known(data: Sequence[Crystal], last: int) -> tuple[list[Crystal], list[tuple[str, str]]]:
    """Crystals of elements that the network can tell, and the others with the reason."""
    good: list[Crystal] = []
    strange: list[tuple[str, str]] = []
    for crystal in data:
        if (heaviest := crystal.elements[-1]) <= last:
            good.append(crystal)
        else:
            strange.append((crystal.name, f"holds Z = {heaviest}; codec.network.species ends at {last}"))
    return good, strange


def _with_elements(recipe: Recipe, data: Sequence[Crystal]) -> Recipe:
    """Say in the codec which elements training will show it; what learns nothing knows all."""
    last = recipe.codec.network.species
    if not class_of(recipe.codec).trainable:
        return replace(recipe, codec=replace(recipe.codec, elements=tuple(range(1, last + 1))))
    seen = {z for crystal in data for z in crystal.elements}
    if recipe.augment.substitute > 0:
        seen |= set(range(1, recipe.augment.species + 1))
    if max(seen, default=0) > last:
        raise TrainingError(f"training would show Z = {max(seen)}; codec.network.species ends at {last}")
    return replace(recipe, codec=replace(recipe.codec, elements=tuple(sorted(seen))))


def _prepare(out: Path, recipe: Recipe, resume: bool) -> None:
    """Make the folder, or see that it holds this very training."""
    text = yaml.safe_dump(json.loads(json.dumps(asdict(recipe))), sort_keys=False)
    if resume and (out / RECIPE).is_file():
        if (out / RECIPE).read_text() != text:
            raise TrainingError(f"{out / RECIPE} is another recipe; resume with the same settings and data")
    elif (out / CHECKPOINT).exists():
        raise TrainingError(f"{out} already holds a training: --resume goes on, another --out starts afresh")
    out.mkdir(parents=True, exist_ok=True)
    with atomic(out / RECIPE) as temporary:
        temporary.write_text(text)


def _schedule(accelerator: Any, progress: Progress, steps: int, minutes: float | None) -> Iterator[float]:
    """Fraction of the training done, before each step: of the steps, or of the time; the same for all processes."""
    while True:
        steps_done = progress.step / steps if steps else 1.0
        done = steps_done if minutes is None else progress.seconds / (60 * minutes)
        fraction = _decided(accelerator, done) if minutes is not None else done
        if fraction >= 1:
            return
        start = time.monotonic()
        yield fraction
        progress.seconds += time.monotonic() - start


def _step(
    model: nn.Module,
    accelerator: Any,
    batch: CrystalBatch | PaintedBatch,
    patches: Patches,
    optimisers: dict[str, Optimizer],
    recipe: Recipe,
    step: int,
    fraction: float,
) -> dict[str, Tensor]:
    """One step of the optimisers on one batch per process.

    Reduced precision overflows now and then in the gradient of a convolution: such a step is skipped, and the log
    says so.
    """
    config = recipe.optimiser
    losses, metrics = model(batch, patches)
    loss = torch.stack([*losses.values()]).sum()
    if _somewhere(accelerator, not torch.isfinite(loss)):
        raise TrainingError(f"the loss of step {step} is {loss.item()}; lower optimiser.lr_muon or optimiser.lr_adamw")
    accelerator.backward(loss)
    norm = accelerator.clip_grad_norm_(model.parameters(), config.clip or math.inf)
    finite = bool(torch.isfinite(norm))
    for name, optimiser in optimisers.items():
        for group in optimiser.param_groups:
            group["lr"] = config.rate(name, step, fraction)
        if finite:
            optimiser.step()
        optimiser.zero_grad()
    return losses | metrics | {"skipped": torch.tensor(float(not finite))}


def _decided(accelerator: Any, value: float) -> float:
    """The first process's value, for all: of a clock, which every process reads a little differently."""
    if accelerator.num_processes == 1:
        return value
    from accelerate.utils import broadcast

    return float(broadcast(torch.tensor(value, dtype=torch.float64, device=accelerator.device)))


def _somewhere(accelerator: Any, flag: bool) -> bool:
    """Whether a flag is set on any process: what one cannot go on with, none can."""
    if accelerator.num_processes == 1:
        return flag
    return bool(accelerator.reduce(torch.tensor(float(flag), device=accelerator.device)) > 0)


def _save(
    out: Path, codec: Codec, optimisers: dict[str, Optimizer], progress: Progress, about: Mapping[str, Any]
) -> None:
    """Checkpoint, and the codec as it stands with a card that says how far it is."""
    checkpoint.save(out / CHECKPOINT, codec.network, optimisers, asdict(progress))
    codec.save_pretrained(out, training=provenance(**about, **asdict(progress)))
