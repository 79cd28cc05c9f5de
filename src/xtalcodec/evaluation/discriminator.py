"""Whether a network can tell decoded densities from true ones (the paper's discriminator, as a score).

A classifier two-sample test (Lopez-Paz & Oquab 2017): the discriminator learns on half of the
crystals and is judged on the other half. An area under its ROC curve of 0.5 says that it cannot.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float

from xtalcodec.evaluation.reconstruction import auc
from xtalcodec.networks.hoffmann import Discriminator, HoffmannConfig

FEWEST = 4
"""Densities of a kind: two to learn from and two to judge."""


def discriminate(
    true: Float[np.ndarray, "n p p p"],
    decoded: Float[np.ndarray, "m p p p"],
    *,
    scale: float = 0.125,
    steps: int = 150,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> float | None:
    """ROC AUC of a discriminator on densities it was not trained on; None with fewer than `FEWEST` of a kind.

    Parameters
    ----------
    true, decoded
        Densities in e/Å³ on 30³ points; where they are pairs, both of a pair are on one side.
    scale
        Width of the discriminator, 1 the paper's.
    steps
        Steps of AdamW on 16 densities of each kind.
    seed
        Of the split, the weights and the batches.
    progress
        Called with 1 after each step.
    """
    if min(len(true), len(decoded)) < FEWEST:
        return None
    rng = np.random.default_rng(seed)
    sides = _halves(true, decoded, rng)
    torch.manual_seed(seed)
    network = Discriminator(HoffmannConfig(scale=scale)).train()
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload] # a quarter faster
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    label = torch.arange(32) < 16
    for _ in range(steps):
        batch = np.concatenate([x[rng.integers(0, len(x), 16)] for x in sides[0]])
        optimiser.zero_grad()
        network.loss(torch.from_numpy(batch), label).backward()
        optimiser.step()
        if progress:
            progress(1)
    network.eval()
    with torch.no_grad():
        scores = [_score(network, x) for x in sides[1]]
    return auc([*scores[0], *scores[1]], [True] * len(scores[0]) + [False] * len(scores[1]))


def _halves(
    true: Float[np.ndarray, "n p p p"], decoded: Float[np.ndarray, "m p p p"], rng: np.random.Generator
) -> list[list[np.ndarray]]:
    """Half of the pairs, and half of what has no partner, of both kinds: those to learn from, and those to judge."""
    pairs = rng.permutation(min(len(true), len(decoded)))
    sides: list[list[np.ndarray]] = [[], []]
    for densities in (true, decoded):
        alone = np.arange(len(pairs), len(densities))
        for side, *rows in zip(sides, np.array_split(pairs, 2), np.array_split(alone, 2), strict=True):
            side.append(densities[np.concatenate(rows)])
    return sides


def _score(network: Discriminator, densities: Float[np.ndarray, "n p p p"]) -> list[float]:
    """How sure the discriminator is that each density is true."""
    logits = torch.cat(
        [network(torch.from_numpy(part)) for part in np.array_split(densities, -(-len(densities) // 16))]
    )
    return (logits[:, 1] - logits[:, 0]).tolist()
