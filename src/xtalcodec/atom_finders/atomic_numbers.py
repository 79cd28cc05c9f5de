"""Weights of atoms made whole: the atomic numbers nearest to them, and how sure these are."""

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import HEAVIEST


def nearest(weights: Float[np.ndarray, " atoms"]) -> Int[np.ndarray, " atoms"]:
    """Atomic numbers nearest to weights."""
    return np.clip(np.round(weights), 1, HEAVIEST).astype(np.int64)


def likeliest(
    weights: Float[np.ndarray, " atoms"],
    spread: Float[np.ndarray, " atoms"],
    known: Float[np.ndarray, "atoms 118"] | None = None,
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, " atoms"]]:
    """Likeliest atomic numbers for a normal error of the weights, and the probability of each among all there are.

    Parameters
    ----------
    weights
        What a fit gave, before it is made whole.
    spread
        Standard deviations of the weights.
    known
        Logarithms of probabilities that are known beforehand; None for all numbers alike.
    """
    scale = np.maximum(spread, 0.05)[:, None]  # below it no other number competes
    score = -0.5 * ((np.arange(1, HEAVIEST + 1) - weights[:, None]) / scale) ** 2
    score = score if known is None else score + known
    numbers = score.argmax(1) + 1 if known is not None else nearest(weights)
    likelihood = np.exp(score - score.max(1, keepdims=True))
    return numbers, likelihood[np.arange(len(weights)), numbers - 1] / likelihood.sum(1)
