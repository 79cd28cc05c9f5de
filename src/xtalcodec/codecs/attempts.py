"""Encoding so that crystals come back: on one origin after the other, corrected first, refined where that fails."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from xtalcodec.crystal import Crystal
from xtalcodec.representations.base import Patches

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec


def encode_to_come_back(
    codec: "Codec", crystals: Sequence[Crystal], patches: Patches
) -> tuple[Tensor, list[Float[np.ndarray, "3"]]]:
    """Latents that decode to their crystals as nearly as can be; each crystal keeps its best.

    (1) Where atoms fall on other places of the grid, the codec errs otherwise: what does not come back on the first
    origin is tried on others, by correction. (2) What is wrong or `displaced` then is refined by gradient descent,
    which costs far more, and (3) what stays wrong also on other origins. Cells of more than the `largest`
    number of patches are corrected on one origin.

    Parameters
    ----------
    codec
        Whose latents they are.
    crystals
        Placed, of one grid.
    patches
        Patches of the grid along its axes.

    Returns
    -------
    latents
        One row a crystal.
    origins
        Shift of each crystal, in fractional coordinates.
    """
    origins = [codec.representation.origin(c, 0) for c in crystals]
    z, misfits = codec.closest(moved(crystals, origins), patches)
    for attempt, descend, enough in _attempts(codec, patches):
        missed = [k for k, found in enumerate(misfits) if not found.within(enough)]
        if not missed:
            continue
        chosen = [crystals[k] for k in missed]
        shifts = [codec.representation.origin(c, attempt) for c in chosen]
        again = codec.closest(moved(chosen, shifts), patches, descend=descend)
        for k, shift, latent, found in zip(missed, shifts, *again, strict=True):
            if found < misfits[k]:
                z[k], misfits[k], origins[k] = latent, found, shift
    return z, origins


def _attempts(codec: "Codec", patches: Patches) -> Iterator[tuple[int, bool, float]]:
    """Origins to try, whether to descend there, and how far off (Å) a crystal that is right may be to be left out."""
    config = codec.config.refine
    if prod(patches) > config.largest:
        return
    if config.corrections:
        yield from ((attempt, False, config.tolerance) for attempt in range(1, config.origins))
    if codec.can_refine:
        yield 0, True, config.displaced
        yield from ((attempt, True, float("inf")) for attempt in range(1, config.origins))


def moved(crystals: Sequence[Crystal], shifts: Sequence[Float[np.ndarray, "3"]]) -> list[Crystal]:
    """Crystals as they are put on the grid."""
    return [crystal.translated(shift) for crystal, shift in zip(crystals, shifts, strict=True)]
