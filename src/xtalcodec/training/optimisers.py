"""Optimisers: which, and for how long."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer

from xtalcodec.config import SettingsError, unknown


@dataclass(frozen=True, slots=True)
class OptimiserConfig:
    """Learning rates and their schedule."""

    kind: str = "muon"
    """"muon": Muon for the large hidden matrices, AdamW for the rest; "adamw" or "sgd" for everything."""
    steps: int = 20000
    """Length of the schedule, where no `--minutes` are given."""
    epochs: float = 0.0
    """Length in passes over the training crystals instead; 0 for `steps`."""
    patches: int = 2048
    """Patches per step and process: crystals of one grid, as many as fit."""
    warmup: int = 100
    """Steps in which the rates rise from 0."""
    decay: bool = True
    """Whether the rates fall linearly to 0."""
    muon: float = 0.02
    """Learning rate of the hidden matrices (Jordan 2024; orthogonalised momentum)."""
    adamw: float = 1.5e-3
    """Learning rate of everything else."""
    head: float = 0.0
    """With Muon: learning rate of the layer that classifies voxels, whose logits have far to go; 0 for `adamw`."""
    sgd: float = 1e-7
    """Learning rate of stochastic gradient descent (arXiv 1909.00949)."""
    momentum: float = 0.5
    """Of stochastic gradient descent (arXiv 1909.00949)."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of the gradient; 0 for any."""

    def length(self, crystals: int) -> int:
        """Steps of the schedule for so many training crystals of one patch each."""
        return math.ceil(self.epochs * crystals / self.patches) if self.epochs else self.steps


HIDDEN = ("encoder.", "decoder.", "embed.", "appearance.", "vae.", "segment.descent.", "segment.ascent.")
"""Modules of the networks whose matrices and kernels stand between hidden layers."""

HEAD = "segment.classify."
"""The layer that classifies voxels."""


class Muon(torch.optim.Muon):
    """Muon for matrices and for kernels, which it sees as matrices: outputs × everything else."""

    def __init__(self, weights: Sequence[nn.Parameter], lr: float, weight_decay: float) -> None:
        """Take the weights, of two dimensions or more."""
        self.weights = list(weights)
        super().__init__(
            [nn.Parameter(w.detach().flatten(1).clone()) for w in self.weights], lr=lr, weight_decay=weight_decay
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override] # no closure is ever given
        """Take a step by the gradients of the weights."""
        pairs = list(zip(self.weights, self.param_groups[0]["params"], strict=True))
        for weight, matrix in pairs:
            matrix.copy_(weight.flatten(1))
            matrix.grad = None if weight.grad is None else weight.grad.flatten(1)
        super().step(closure)
        for weight, matrix in pairs:
            weight.copy_(matrix.view_as(weight))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        super().zero_grad(set_to_none)
        for weight in self.weights:
            weight.grad = None


def open_optimisers(network: nn.Module, config: OptimiserConfig) -> dict[str, Optimizer]:
    """Make the optimisers, each under the name of its learning rate.

    With Muon, AdamW takes the ends that numbers go in and come out by, norms and biases.

    Raises
    ------
    SettingsError
        No such kind of optimiser.
    """
    parameters = list(network.parameters())
    if config.kind == "sgd":
        return {"sgd": torch.optim.SGD(parameters, lr=config.sgd, momentum=config.momentum)}
    if config.kind == "adamw":
        return {"adamw": _adamw(parameters, config)}
    if config.kind != "muon":
        raise SettingsError(unknown("optimiser", config.kind, ["adamw", "muon", "sgd"]))
    matrices = [p for name, p in network.named_parameters() if p.ndim > 1 < len(p) and name.startswith(HIDDEN)]
    head = [p for name, p in network.named_parameters() if config.head and name.startswith(HEAD)]
    chosen = {id(p) for p in matrices + head}
    return {
        "muon": Muon(matrices, config.muon, config.weight_decay),
        "adamw": _adamw([p for p in parameters if id(p) not in chosen], config),
    } | ({"head": _adamw(head, config)} if head else {})


def _adamw(parameters: list[nn.Parameter], config: OptimiserConfig) -> Optimizer:
    """AdamW with the shorter memory that fits warm-up and decay."""
    return torch.optim.AdamW(parameters, lr=config.adamw, weight_decay=config.weight_decay, betas=(0.9, 0.95))
