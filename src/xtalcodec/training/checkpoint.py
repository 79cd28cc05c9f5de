"""Checkpoints: tensors as safetensors, the rest as its JSON metadata; whole or not there."""

import json
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


def save(path: Path, network: nn.Module, optimisers: dict[str, Optimizer], about: dict[str, Any]) -> None:
    """Write network, optimisers' moments and `about` (JSON) to one file.

    Parameters
    ----------
    path
        Of the checkpoint.
    network, optimisers
        Whose tensors are kept.
    about
        What else, as JSON.
    """
    tensors: dict[str, Tensor] = {f"network.{k}": v.contiguous() for k, v in network.state_dict().items()}
    for name, optimiser in optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{key}": value.contiguous() for key, value in state.items()}
    metadata = {"kind": KIND, "about": json.dumps(about)}
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
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if metadata.get("kind") != KIND:
            raise CheckpointError(f"{path} is no {KIND} checkpoint")
        network.load_state_dict(_part(tensors, "network"), strict=True)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise CheckpointError(f"{path} cannot be resumed from: {error}") from error
    for name, optimiser in optimisers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _part(tensors, name).items():
            index, what = key.split(".")
            state.setdefault(int(index), {})[what] = value
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return json.loads(metadata["about"])


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Tensors whose key starts with a name, without it."""
    return {key.removeprefix(name + "."): value for key, value in tensors.items() if key.startswith(name + ".")}
