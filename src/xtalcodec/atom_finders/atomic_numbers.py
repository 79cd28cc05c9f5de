"""Weights of atoms made whole: the atomic numbers nearest to them, and how sure these are."""

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import HEAVIEST


def nearest(weights: Float[np.ndarray, " atoms"]) -> Int[np.ndarray, " atoms"]:
    """Atomic numbers nearest to weights."""
    return np.clip(np.round(weights), 1, HEAVIEST).astype(np.int64)


def certainty(
    weights: Float[np.ndarray, " atoms"], numbers: Int[np.ndarray, " atoms"], spread: Float[np.ndarray, " atoms"]
) -> Float[np.ndarray, " atoms"]:
    """Probability of each number among all there are, for a normal error of the weight.

    Parameters
    ----------
    weights
        What a fit gave, before it is made whole.
    numbers
        The atomic numbers in question.
    spread
        Standard deviations of the weights.
    """
    scale = np.maximum(spread, 0.05)[:, None]  # below it no other number competes
    distance = (np.arange(1, HEAVIEST + 1) - weights[:, None]) / scale
    likelihood = np.exp(-0.5 * (distance**2 - (distance**2).min(1, keepdims=True)))
    return likelihood[np.arange(len(weights)), numbers - 1] / likelihood.sum(1)
