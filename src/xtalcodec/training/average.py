"""Running averages of weights: while the rate is large they jump about what their mean has reached already."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def running_average(network: nn.Module, keep: float) -> AveragedModel:
    """Average of a network's weights, to be told of every step by `update_parameters`; `.module` is the network.

    Parameters
    ----------
    network
        That learns; its buffers are taken as they are.
    keep
        Share that the average keeps at a step; 0 gives the weights themselves. The first steps keep less.
    """
    return AveragedModel(network, multi_avg_fn=_Exponential(keep))


class _Exponential:
    """Exponential average that begins as a plain one."""

    def __init__(self, keep: float) -> None:
        self.keep = keep

    @torch.no_grad()
    def __call__(self, averages: Sequence[Tensor], values: Sequence[Tensor], count: Tensor | int) -> None:
        """Move the averages towards the values."""
        keep = min(self.keep, (1 + int(count)) / (10 + int(count)))
        for mean, value in zip(averages, values, strict=True):
            mean.lerp_(value, 1 - keep)
