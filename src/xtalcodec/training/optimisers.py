"""Optimisers: which, and for how long."""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal, cast

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from xtalcodec.config import Count, NotNegative, Share, settings
from xtalcodec.networks.base import Network
from xtalcodec.networks.precision import multiplies_bf16


@settings
class OptimiserConfig:
    """Learning rates and their schedule."""

    RENAMED: ClassVar[dict[str, str]] = {name: f"lr_{name}" for name in ("muon", "adamw", "head", "sgd")}
    kind: Literal["muon", "adamw", "sgd"] = "muon"
    """"muon": Muon for the large hidden matrices, AdamW for the rest; "adamw" or "sgd" for everything."""
    steps: Annotated[int, Field(ge=0)] = 20000
    """Length of the schedule, where no `--minutes` are given."""
    epochs: NotNegative = 0.0
    """Length in passes over the training crystals instead; 0 for `steps`."""
    patches: Count = 2048
    """Patches per step and process: crystals of one grid, as many as fit."""
    warmup: Annotated[int, Field(ge=0)] = 100
    """Steps in which the rates rise from 0."""
    decay: bool = True
    """Whether the rates fall linearly to 0."""
    lr_muon: NotNegative = 0.02
    """Learning rate of the hidden matrices (Jordan 2024; orthogonalised momentum)."""
    lr_adamw: NotNegative = 1.5e-3
    """Learning rate of everything else."""
    lr_head: NotNegative = 0.0
    """With Muon: learning rate of the layer that classifies voxels, whose logits have far to go; 0 for `lr_adamw`."""
    lr_sgd: NotNegative = 1e-7
    """Learning rate of stochastic gradient descent (arXiv 1909.00949)."""
    momentum: Share = 0.5
    """Of stochastic gradient descent (arXiv 1909.00949)."""
    weight_decay: NotNegative = 0.01
    """Of matrices and kernels, by Muon and AdamW; norms and biases do not decay."""
    clip: NotNegative = 1.0
    """Largest norm of the gradient; 0 for any."""

    def length(self, crystals: int, per_step: float) -> int:
        """Steps of the schedule for so many training crystals, of which all processes see so many in a step."""
        return math.ceil(self.epochs * crystals / per_step) if self.epochs else self.steps

    def rate(self, name: str, step: int, fraction: float) -> float:
        """Learning rate of an optimiser: `step` steps after the beginning, `fraction` of the schedule done.

        Parameters
        ----------
        name
            Of the optimiser, as "muon".
        step
            Steps taken.
        fraction
            Share of the schedule that is done.
        """
        warm = min(1.0, (step + 1) / max(1, self.warmup))
        return getattr(self, f"lr_{name}") * warm * (1 - fraction * self.decay)


POLYNOMIAL = (3.4445, -4.7750, 2.0315)
"""Coefficients of X ← aX + b(XXᵀ)X + c(XXᵀ)²X, which brings singular values near 1 (Jordan 2024)."""

STEPS = 5
"""Of that iteration."""

MOMENTUM = 0.95
"""Of Muon: memory of the gradient (Jordan 2024)."""


_lerp, _lerp_ = torch._foreach_lerp, torch._foreach_lerp_  # noqa: SLF001
_mul_, _add_ = torch._foreach_mul_, torch._foreach_add_
"""Of lists of tensors in few launches, as PyTorch's own optimisers do: on a GPU launching is what takes time."""


def orthogonal(gradient: Float[Tensor, "*n rows columns"]) -> Float[Tensor, "*n rows columns"]:
    """Nearest matrices with orthonormal rows or columns, roughly: singular values of about 0.7 to 1.2.

    Newton–Schulz iteration, in bfloat16 where the device has units for it: the iteration bears it, and takes less than
    half of the time.
    """
    tall = gradient.shape[-2] > gradient.shape[-1]
    x = (gradient.mT if tall else gradient).contiguous()
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    x = x.bfloat16() if multiplies_bf16(x.device) else x
    a, b, c = POLYNOMIAL
    for _ in range(STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.to(gradient.dtype)
    return x.mT if tall else x


class Muon(Optimizer):
    """Muon (Jordan 2024) for matrices and for kernels, which it sees as matrices: outputs × everything else.

    Nesterov momentum, orthogonalised, matrices of one shape together. PyTorch's own orthogonalises in bfloat16
    everywhere, and one matrix after the other.
    """

    def __init__(self, weights: Sequence[nn.Parameter], lr: float, weight_decay: float) -> None:
        """Take the weights, of two dimensions or more.

        Parameters
        ----------
        weights
            Matrices and kernels.
        lr, weight_decay
            Rate of the step, share of the weights that it takes away.
        """
        super().__init__(list(weights), {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override] # no closure is ever given
        """Take a step by the gradients of the weights."""
        del closure
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[nn.Parameter]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes.setdefault(weight.flatten(1).shape, []).append(weight)
            for shape, weights in shapes.items():
                gradients = [cast("Tensor", weight.grad).flatten(1) for weight in weights]
                momenta = [self._momentum(weight) for weight in weights]
                _lerp_(momenta, gradients, 1 - MOMENTUM)
                update = orthogonal(torch.stack([*_lerp(gradients, momenta, MOMENTUM)]))
                # Wide matrices spread an update over fewer outputs.
                rate = group["lr"] * math.sqrt(max(1, shape[0] / shape[1]))
                values: list[Tensor] = [weight.detach() for weight in weights]
                _mul_(values, 1 - group["lr"] * group["weight_decay"])
                _add_(values, [u.view_as(v) for u, v in zip(update, values, strict=True)], alpha=-rate)

    def _momentum(self, weight: nn.Parameter) -> Tensor:
        if "momentum_buffer" not in self.state[weight]:
            self.state[weight]["momentum_buffer"] = torch.zeros_like(weight.flatten(1))
        return self.state[weight]["momentum_buffer"]


def open_optimisers(network: Network, config: OptimiserConfig) -> dict[str, Optimizer]:
    """Make the optimisers, each under the name of its learning rate (without `lr_`).

    With Muon, AdamW takes the ends that numbers go in and come out by, norms and biases.
    """
    named = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if config.kind == "sgd":
        return {"sgd": torch.optim.SGD(named.values(), lr=config.lr_sgd, momentum=config.momentum)}
    if config.kind == "adamw":
        return {"adamw": _adamw(named.values(), config)}
    matrices = [p for name, p in named.items() if p.ndim > 1 < len(p) and name.startswith(network.hidden)]
    head = [p for name, p in named.items() if config.lr_head and network.head and name.startswith(network.head)]
    chosen = {id(p) for p in matrices + head}
    return {
        "muon": Muon(matrices, config.lr_muon, config.weight_decay),
        "adamw": _adamw([p for p in named.values() if id(p) not in chosen], config),
    } | ({"head": _adamw(head, config)} if head else {})


def _adamw(parameters: Iterable[nn.Parameter], config: OptimiserConfig) -> Optimizer:
    """AdamW with the shorter memory that fits warm-up and decay; norms and biases, of one dimension, do not decay."""
    every = list(parameters)
    decaying, free = ([p for p in every if (p.ndim > 1) == matrix] for matrix in (True, False))
    groups = [{"params": decaying, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.lr_adamw, betas=(0.9, 0.95))
