"""Weights as they are kept: large matrices in eight bits, each row with a scale of its own, others in half precision.

Vectors stay in single precision: some are means and deviations of properties, in the units of the data.

A weight is then off by at most 0.4 % of the largest of its row. On held-out crystals the losses of `mp` are the same to
the third decimal, and the file is half as large.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

LARGE = 4096
"""Numbers of a matrix that is kept in eight bits."""
MOST = 127
"""Of the whole numbers in eight bits."""
SCALE = ":scale"
"""What is added to the name of a matrix for that of its scales."""


def packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a network, made small: w ≈ q · scale, q whole and at most `MOST`, and one scale a row."""
    result = {}
    for name, value in state.items():
        kept = value.detach().cpu().contiguous()
        if not kept.is_floating_point():
            result[name] = kept
        elif kept.ndim == 2 and kept.numel() >= LARGE:
            scale = _short(kept.float().abs().amax(1) / MOST).clamp_min(torch.finfo(torch.float32).tiny)
            result[name] = (kept.float() / scale[:, None]).round().to(torch.int8)
            result[name + SCALE] = scale
        else:
            result[name] = kept.half() if kept.ndim > 1 else kept.float()
    return result


def _short(scale: Tensor) -> Tensor:
    """Round to 16 bits: `MOST` times it is exact then, so that what was unpacked is packed to the same numbers."""
    return ((scale.view(torch.int32) + 0x80) & ~0xFF).view(torch.float32)


def unpacked(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` made small, in single precision."""
    result = {}
    for name, value in state.items():
        if name + SCALE in state:
            result[name] = value.float() * state[name + SCALE][:, None]
        elif not name.endswith(SCALE):
            result[name] = value.float() if value.is_floating_point() else value
    return result
