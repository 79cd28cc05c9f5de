"""Checkpoints: tensors as safetensors, the rest as its JSON metadata; whole or not there."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from xtalcodec.io.atomic import atomic

KIND = "xtalcodec-training-1"


class CheckpointError(ValueError):
    """A checkpoint that cannot be resumed from: the message says why."""


def save(
    path: Path,
    network: nn.Module,
    optimisers: dict[str, Optimizer],
    about: Mapping[str, Any],
    data: Mapping[str, Any],
) -> None:
    """Write network, optimisers' moments, `about` and `data` (JSON) to one file.

    Parameters
    ----------
    path
        Of the checkpoint.
    network, optimisers
        Whose tensors are kept.
    about
        How far training is, as JSON.
    data
        What tells its data from others, as JSON.
    """
    tensors: dict[str, Tensor] = {f"network.{k}": v.contiguous() for k, v in network.state_dict().items()}
    for name, optimiser in optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{key}": value.contiguous() for key, value in state.items()}
    metadata = {"kind": KIND, "about": json.dumps(about), "data": json.dumps(data)}
    with atomic(path) as temporary:
        save_file({k: v.detach().cpu() for k, v in tensors.items()}, temporary, metadata=metadata)


def load(path: Path, network: nn.Module, optimisers: dict[str, Optimizer]) -> dict[str, Any]:
    """Put a checkpoint back where it came from and return its `about`.

    Parameters
    ----------
    path
        Of the checkpoint.
    network, optimisers
        What the tensors go into.

    Raises
    ------
    CheckpointError
        Not a checkpoint, a broken one, or one of another network.
    """
    with _opened(path) as (file, metadata):
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        network.load_state_dict(_part(tensors, "network"), strict=True)
    for name, optimiser in optimisers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _part(tensors, name).items():
            index, what = key.split(".")
            state.setdefault(int(index), {})[what] = value
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return json.loads(metadata["about"])


def data_of(path: Path) -> dict[str, Any] | None:
    """Return what tells the data of a training from others; None of an older checkpoint, which does not say.

    Raises
    ------
    CheckpointError
        Not a checkpoint, or a broken one.
    """
    with _opened(path) as (_, metadata):
        return json.loads(metadata["data"]) if "data" in metadata else None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """Give a checkpoint's tensors and metadata, and say of what goes wrong with them that it cannot be resumed from."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("kind") != KIND:
                raise CheckpointError(f"{path} is no {KIND} checkpoint")
            yield file, metadata
    except (SafetensorError, RuntimeError, OSError) as error:
        raise CheckpointError(f"{path} cannot be resumed from: {error}") from error


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Tensors whose key starts with a name, without it."""
    return {key.removeprefix(name + "."): value for key, value in tensors.items() if key.startswith(name + ".")}
