"""Losses of the segmentation and of the density."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor


def segmentation_loss(
    logits: Float[Tensor, "voxels species"],
    numbers: UInt8[Tensor, " voxels"],
    weight: Float[Tensor, " voxels"],
    *,
    exclusive: bool = False,
) -> Float[Tensor, ""]:
    """Cross-entropy of logits with the one-hot species, mean over channels and over voxels by their weight.

    For independent channels of target t, −t log σ(x) − (1 − t) log(1 − σ(x)) = softplus(x) − t x: a softplus of
    every logit, less the one logit of each voxel that is true. The one-hot map is never made. Where species exclude
    each other, log(1 + Σ exp(x)) stands for the sum of softplus, the 1 for "no atom".

    Parameters
    ----------
    logits
        Channel k is for atomic number k + 1.
    numbers
        Atomic number of the atom that the voxel belongs to; at 0 every channel's target is 0.
    weight
        Of each voxel in the mean.
    exclusive
        Whether a voxel is of one species at most.

    Raises
    ------
    ValueError
        An atomic number that has no channel.
    """
    heaviest, channels = int(numbers.max()), logits.shape[1]
    if heaviest > channels:
        raise ValueError(f"the species map holds atomic number {heaviest}; the network tells 1 to {channels} apart")
    right = logits.gather(1, (numbers.long() - 1).clamp(min=0)[:, None])[:, 0] * (numbers > 0)
    every = F.softplus(logits.logsumexp(1)) if exclusive else F.softplus(logits).sum(1)
    return (weight * (every - right)).sum() / (weight.sum() * channels)


def excluding(logits: Float[Tensor, "b species n n n"]) -> Float[Tensor, "b species n n n"]:
    """Logits of species that exclude each other → log p/(1 − p) of each, whose sigmoid is its probability."""
    highest = logits.amax(1, keepdim=True).clamp_min(0)
    odds = (logits - highest).exp()
    total = odds.sum(1, keepdim=True) + (-highest).exp()
    return logits - highest - (total - odds).clamp_min(torch.finfo(odds.dtype).tiny).log()
