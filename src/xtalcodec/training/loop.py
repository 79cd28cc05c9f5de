"""The training loop: every random number of a step follows from (seed, step, process), so resuming is exact."""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn
from torch.optim import Optimizer

from xtalcodec.codecs.card import provenance
from xtalcodec.codecs.codec import Codec
from xtalcodec.crystal import Crystal
from xtalcodec.io.atomic import atomic
from xtalcodec.networks.modes import Linear, LinearConfig
from xtalcodec.representations.base import Patches, Voxels
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.window import CubeConfig
from xtalcodec.training import checkpoint
from xtalcodec.training.augment import augment
from xtalcodec.training.crystals import TrainingCrystals
from xtalcodec.training.objective import open_objective
from xtalcodec.training.optimisers import open_optimisers
from xtalcodec.training.painted import Painted, PaintedViews
from xtalcodec.training.progress import Progress, Report
from xtalcodec.training.recipe import Recipe

CHECKPOINT, RECIPE = "checkpoint.safetensors", "recipe.yaml"
"""Files of a training's folder, beside the codec's own."""

PRIMITIVES = "20000"
"""oneDNN keeps a compiled product per shape; 200 grids need far more than its 1,024 places."""


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
    data, val: crystals to learn from, and others to reconstruct at every checkpoint.
    resume: go on from the checkpoint in `out`; with the schedule in steps the curve is the one
        that an uninterrupted training gives.
    minutes: end the schedule after this much training time instead of the recipe's steps.
    device: "cpu", "cuda", or "auto".
    facts: what else the model card should say: the names of recipe and data, the command.
    store: learn from the painted views of this store of `xtalcodec generate` instead (the paper's networks only).

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
    codec = Codec(recipe.codec, accelerator.device)
    if recipe.start:
        _start(codec.network, Codec.from_pretrained(recipe.start).network)
    if isinstance(codec.network, Linear):
        return _without_training(codec, recipe, val, out, facts or {}, main)
    crystals = _source(recipe, data, codec.space, store)
    objective = open_objective(codec.network, codec.space, recipe.objective).train()
    optimisers = open_optimisers(codec.network, recipe.optimiser)
    progress = Progress()
    if resume and (out / CHECKPOINT).is_file():
        progress = Progress(**checkpoint.load(out / CHECKPOINT, codec.network, optimisers))
    report = Report(out, len(crystals), strange + crystals.left_out, progress) if main else None
    about = {"crystals_used": len(crystals), **(facts or {}), "seed": recipe.seed}
    model = accelerator.prepare(objective)
    saved = time.monotonic()
    for fraction in _schedule(progress, recipe.optimiser.length(len(crystals)), minutes):
        batch, patches = _batch(crystals, codec.space, recipe, [recipe.seed, progress.step, accelerator.process_index])
        size = len(batch)
        terms = _step(
            model, accelerator, batch.to(accelerator.device), patches, optimisers, recipe, progress.step, fraction
        )
        progress.step += 1
        progress.crystals += size * accelerator.num_processes
        if report:
            report.step(progress, fraction, terms)
        if _everyone(accelerator, time.monotonic() - saved > 60 * recipe.checkpoint_minutes):
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
    return codec


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
    recipe: Recipe, data: Sequence[Crystal], space: Voxels, store: Path | None
) -> TrainingCrystals | PaintedViews:
    """What batches are drawn from."""
    if store is None:
        return TrainingCrystals(data, space, recipe.largest, recipe.optimiser.patches)
    if not isinstance(recipe.codec.space, CubeConfig) or recipe.codec.network.kind != "hoffmann":
        raise TrainingError("a store of painted views is for the paper's networks: recipes hoffmann…")
    last = recipe.codec.network.species
    return PaintedViews(store, recipe.codec.space, recipe.held_out, recipe.optimiser.patches, last)


def _known(data: Sequence[Crystal], last: int) -> tuple[list[Crystal], list[tuple[str, str]]]:
    """Crystals of elements that the network can tell, and the others with the reason."""
    good = [c for c in data if c.numbers.max() <= last]
    strange = [
        (c.name, f"holds Z = {c.numbers.max()}; codec.network.species ends at {last}")
        for c in data
        if c.numbers.max() > last
    ]
    return good, strange


def _with_elements(recipe: Recipe, data: Sequence[Crystal]) -> Recipe:
    """Say in the codec which elements training will show it; what learns nothing knows all."""
    last = recipe.codec.network.species
    if isinstance(recipe.codec.network, LinearConfig):
        return replace(recipe, codec=replace(recipe.codec, elements=tuple(range(1, last + 1))))
    seen = {int(z) for crystal in data for z in crystal.numbers}
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


def _start(network: nn.Module, other: nn.Module) -> None:
    """Take over what another network has learnt, where it fits."""
    own = network.state_dict()
    fits = {k: v for k, v in other.state_dict().items() if k in own and v.shape == own[k].shape}
    if not fits:
        raise TrainingError("no weight of the codec to start from fits this network")
    network.load_state_dict(own | fits)


def _schedule(progress: Progress, steps: int, minutes: float | None) -> Iterator[float]:
    """Fraction of the training done, before each step: of the steps, or of the time."""
    while True:
        fraction = progress.step / steps if minutes is None else progress.seconds / (60 * minutes)
        if fraction >= 1:
            return
        start = time.monotonic()
        yield fraction
        progress.seconds += time.monotonic() - start


def _batch(
    crystals: TrainingCrystals | PaintedViews, space: Voxels, recipe: Recipe, seed: list[int]
) -> tuple[CrystalBatch | Painted, Patches]:
    """Crystals of a step, altered and put on their grid; all random numbers follow from the seed, torch's too."""
    dice = torch.Generator().manual_seed(hash(tuple(seed)) % 2**62)
    torch.manual_seed(hash((*seed, 1)) % 2**62)
    if isinstance(crystals, PaintedViews):
        return crystals.batch(seed)
    chosen, patches = crystals.batch(seed)
    altered = augment(CrystalBatch.collate(chosen), recipe.augment, dice)
    return space.views(altered, np.random.default_rng([*seed, 1])), patches


def _step(
    model: nn.Module,
    accelerator: Any,
    batch: CrystalBatch | Painted,
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
    rate = min(1.0, (step + 1) / max(1, config.warmup)) * (1 - fraction * config.decay)
    terms = model(batch, patches)
    loss = sum(value for name, value in terms.items() if name != "right_species")
    if not torch.isfinite(loss):
        raise TrainingError(f"the loss of step {step} is {loss.item()}; lower optimiser.muon or optimiser.adamw")
    accelerator.backward(loss)
    norm = accelerator.clip_grad_norm_(model.parameters(), config.clip or math.inf)
    finite = bool(torch.isfinite(norm))
    for name, optimiser in optimisers.items():
        for group in optimiser.param_groups:
            group["lr"] = getattr(config, name) * rate
        if finite:
            optimiser.step()
        optimiser.zero_grad()
    return terms | {"skipped": torch.tensor(float(not finite))}


def _everyone(accelerator: Any, flag: bool) -> bool:
    """The first process's clock decides for all."""
    if accelerator.num_processes == 1:
        return flag
    from accelerate.utils import broadcast

    return bool(broadcast(torch.tensor(float(flag), device=accelerator.device)))


def _save(
    out: Path, codec: Codec, optimisers: dict[str, Optimizer], progress: Progress, about: Mapping[str, Any]
) -> None:
    """Checkpoint, and the codec as it stands with a card that says how far it is."""
    checkpoint.save(out / CHECKPOINT, codec.network, optimisers, asdict(progress))
    codec.save_pretrained(out, training=provenance(**about, **asdict(progress)))
