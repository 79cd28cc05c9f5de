"""Running averages of weights: while the rate is large they jump about what their mean has reached already."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def running_average(network: nn.Module, keep: float) -> AveragedModel:
    """Exponential average of a network's weights, which begins as a plain one.

    It is to be told of every step by `update_parameters`; `.module` is the network that has it.

    Parameters
    ----------
    network
        That learns; its buffers are taken as they are.
    keep
        Share that the average keeps at a step; 0 gives the weights themselves. The first steps keep less.
    """

    def move(averages: Sequence[Tensor], values: Sequence[Tensor], count: Tensor | int) -> None:
        share = min(keep, (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(share)(averages, values, count)

    return AveragedModel(network, multi_avg_fn=move)
