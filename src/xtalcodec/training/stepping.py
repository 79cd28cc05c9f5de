"""What trainings of all kinds do: processes, the schedule, a step, a folder that holds one training."""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.optim import Optimizer

from xtalcodec.codecs import hub as codec
from xtalcodec.crystal import Crystal
from xtalcodec.datasets.stores import attributes
from xtalcodec.datasets.views import crystals_digest
from xtalcodec.embedding import files as embedding
from xtalcodec.heads import files as head
from xtalcodec.io.alone import LOCK, alone
from xtalcodec.io.atomic import atomic
from xtalcodec.networks.precision import multiplies_bf16
from xtalcodec.priors import about as prior
from xtalcodec.training import checkpoint
from xtalcodec.training.optimisers import OptimiserConfig
from xtalcodec.training.progress import Progress

CHECKPOINT, RECIPE = "checkpoint.safetensors", "recipe.yaml"
"""Files of a training's folder, beside what it makes."""

PRIMITIVES = "4000"
"""oneDNN keeps a compiled product per shape; hundreds of grids need more than its 1,024 places, but not all at once:
with 20,000 a training grew to 12 GB."""


MADE = {codec.CONFIG: "a codec", prior.ABOUT: "a prior", embedding.ABOUT: "an embedding", head.ABOUT: "a head"}
"""File that says what a folder holds → what that is."""


class TrainingError(ValueError):
    """A training that cannot start or go on: the message says why."""


@contextmanager
def claimed(out: Path, *parts: str, first: bool = True) -> Iterator[None]:
    """Keep other trainings away from a folder during this one.

    Parameters
    ----------
    out
        The folder, made if it is not there.
    parts
        Folders in it that the training makes.
    first
        Whether this is the first of the training's processes: the others write nothing.

    Raises
    ------
    TrainingError
        It, or a part of it, holds what the training would replace, and there is no checkpoint to go on from.
    OccupiedError
        Another training is at it.
    """
    if not first:
        yield
        return
    if not (out / CHECKPOINT).exists():
        check_free(out, *(out / part for part in parts))
    out.mkdir(parents=True, exist_ok=True)
    with alone(out, out / LOCK):
        yield


def check_free(*folders: Path) -> None:
    """Refuse folders that hold what another training has made, or `save_pretrained` written.

    Raises
    ------
    TrainingError
        One of them does.
    """
    for folder in folders:
        for file, what in MADE.items():
            if (folder / file).exists():
                raise TrainingError(f"{folder} holds {what} already: name another folder")


def open_accelerator(precision: str, device: str) -> Any:
    """Processes, device and precision, as Accelerate sees them."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device cuda: no GPU that PyTorch can use")
    cpu = device == "cpu" or not torch.cuda.is_available()
    native = multiplies_bf16(torch.device("cpu" if cpu else "cuda"))
    bf16 = native if precision == "auto" else precision == "bf16"
    AcceleratorState._reset_state()  # noqa: SLF001 (an earlier training here may have had another precision)
    handlers = [] if cpu else _sharing()
    if not cpu:
        torch.set_float32_matmul_precision("high")  # TF32: what float32 products are on a GPU's matrix units
    return Accelerator(cpu=cpu, mixed_precision="bf16" if bf16 else "no", kwargs_handlers=handlers)


def _sharing() -> list[Any]:
    """How processes talk where there are more than GPUs, which they share: small networks keep a GPU waiting."""
    from accelerate.utils import InitProcessGroupKwargs

    processes, cards = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if processes <= cards:
        return []
    os.environ["LOCAL_RANK"] = str(int(os.environ["LOCAL_RANK"]) % cards)
    return [InitProcessGroupKwargs(backend="gloo")]  # NCCL wants a GPU for each


def identity_of(data: Sequence[Crystal], val: Sequence[Crystal], store: Path | None = None) -> dict[str, Any]:
    """Return what tells the data of a training from others, by the name of the option that asks for each.

    Parameters
    ----------
    data, val
        Crystals to learn from, and held-out ones.
    store
        Of the painted views that are learnt from instead.
    """
    views = {"store": attributes(store)["sha256"]} if store else {}
    return {"data": crystals_digest(data), "val": crystals_digest(val), **views}


def prepare(out: Path, recipe: Any, data: Mapping[str, Any], resume: bool) -> None:
    """See that the folder holds no training, or this very one, and write its recipe.

    Parameters
    ----------
    out
        The folder.
    recipe
        Settings, which are written to it.
    data
        What tells its data from others, see `identity_of`.
    resume
        Whether it may hold a training already.

    Raises
    ------
    TrainingError
        It holds another one.
    """
    text = yaml.safe_dump(json.loads(json.dumps(asdict(recipe))), sort_keys=False)
    if resume and (out / RECIPE).is_file():
        if (out / RECIPE).read_text() != text:
            raise TrainingError(f"{out / RECIPE} is another recipe; resume with the same settings and data")
        if (out / CHECKPOINT).is_file():
            _check_same_data(out, data)
    elif (out / CHECKPOINT).exists():
        raise TrainingError(f"{out} already holds a training: --resume goes on, another --out starts afresh")
    with atomic(out / RECIPE) as temporary:
        temporary.write_text(text)


def _check_same_data(out: Path, data: Mapping[str, Any]) -> None:
    """Refuse to go on with other data than a training was begun with."""
    begun = checkpoint.data_of(out / CHECKPOINT)
    differ = [] if begun is None else sorted(k for k in {*begun, *data} if begun.get(k) != data.get(k))
    if differ:
        names = " and ".join(f"--{name}" for name in differ)
        raise TrainingError(f"{out} was begun with another {names}; resume with the same settings and data")


def schedule(accelerator: Any, progress: Progress, steps: int, minutes: float | None) -> Iterator[float]:
    """Yield the fraction of the training that is done, before each step; the same for all processes.

    Parameters
    ----------
    accelerator
        Of the processes.
    progress
        Whose seconds are counted.
    steps
        Of the whole training.
    minutes
        Of the whole training, instead of steps.
    """
    while True:
        steps_done = progress.step / steps if steps else 1.0
        done = steps_done if minutes is None else progress.seconds / (60 * minutes)
        fraction = decided(accelerator, done) if minutes is not None else done
        if fraction >= 1:
            return
        start = time.monotonic()
        yield fraction
        progress.seconds += time.monotonic() - start


def take_step(
    losses: Mapping[str, Tensor],
    model: nn.Module,
    accelerator: Any,
    optimisers: dict[str, Optimizer],
    config: OptimiserConfig,
    step: int,
    fraction: float,
) -> Tensor:
    """One step of the optimisers down the sum of the losses of a batch per process; return whether it was skipped.

    Reduced precision overflows now and then in the gradient of a convolution: such a step is skipped.

    Parameters
    ----------
    losses
        Of the batch.
    model
        Whose gradients are clipped.
    accelerator
        Of the processes.
    optimisers, config
        By name, and their rates.
    step, fraction
        Steps taken, and the share of the schedule that is done.
    """
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
    return torch.tensor(float(not finite))


def decided(accelerator: Any, value: float) -> float:
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
