"""Densities of crystals and of samples of the prior fitted to their codes, for the discriminator to tell apart."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from xtalcodec.codecs.windows import decode_densities, decode_windows, window
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.windows import decoded_density, put, true_density
from xtalcodec.priors.gaussian import GaussianPrior

if TYPE_CHECKING:
    from xtalcodec.codecs.codec import Codec


def true_and_sampled(
    codec: "Codec", crystals: Sequence[Crystal], *, seed: int = 0, progress: Callable[[int], None] | None = None
) -> tuple[Float[np.ndarray, "n p p p"], Float[np.ndarray, "n p p p"]]:
    """Densities in e/Å³ of crystals that fit, as they are, and of as many samples of the paper's normal distribution.

    Raises
    ------
    LatentsError
        Fewer than three crystals.
    """
    space = window(codec)
    codes = codec.encode(list(crystals), refine=False, progress=progress)
    true = [
        true_density(space, put(codec, crystal, code.origin)) for crystal, code in zip(crystals, codes, strict=True)
    ]
    samples = GaussianPrior.fit(codes).sample(len(codes), seed)
    sampled = decode_densities(codec, samples)
    if sampled is None:
        found, decoded = decode_windows(codec, samples), codec.decode_crystals(samples)
        cells = [_reducible(d.crystal) if d else None for d in decoded]
        parts = zip(found, cells, samples, strict=True)
        sampled = [decoded_density(codec, atoms, cell, code.origin) for atoms, cell, code in parts]
    return np.stack(true).astype(np.float32), np.stack(sampled).astype(np.float32)


def _reducible(crystal: Crystal) -> Crystal | None:
    """The crystal, if its cell is one: of a sample without, only the atoms in the window are painted."""
    from xtalcodec.geometry.niggli import niggli

    try:
        niggli(crystal)
    except CrystalError:
        return None
    return crystal
