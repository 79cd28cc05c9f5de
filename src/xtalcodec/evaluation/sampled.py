"""Densities of crystals and of samples of the prior fitted to their codes, for the discriminator to tell apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from xtalcodec.codecs.windows import decode_windows, window_of
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.windows import decoded_densities
from xtalcodec.priors.gaussian import GaussianPrior

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec


def true_and_sampled(
    codec: "Codec", crystals: Sequence[Crystal], *, seed: int = 0
) -> tuple[Float[np.ndarray, "n p p p"], Float[np.ndarray, "n p p p"]]:
    """Densities in e/Å³ of crystals that fit, as they are, and of as many samples of the paper's normal distribution.

    Parameters
    ----------
    codec
        Of windows.
    crystals
        That fit the window.
    seed
        Of the samples.

    Raises
    ------
    LatentsError
        Fewer than three crystals.
    """
    window = window_of(codec)
    placed = [codec.place(crystal) for crystal in crystals]
    codes = codec.encode_placed(placed, refine=False)
    true = [window.true_density(p.crystal.translated(c.origin)) for p, c in zip(placed, codes, strict=True)]
    samples = GaussianPrior.of(codes).sample(len(codes), seed)
    sampled = decoded_densities(codec, samples, decode_windows(codec, samples), codec.decode_crystals(samples))
    return np.stack(true).astype(np.float32), np.stack(sampled).astype(np.float32)
