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

    Where atoms fall on other places of the grid, the codec errs otherwise: what does not come back on the first origin
    is tried on others, by correction. Where number or species of the sites are still wrong then, gradient descent
    refines the latent, which costs fifty times as much. Cells of more than the `largest` number of patches are
    corrected on one origin.

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
    config = codec.config.refine
    origins = [codec.representation.origin(c, 0) for c in crystals]
    z, misfits = codec.closest(moved(crystals, origins), patches)
    attempts = _attempts(config.origins, descends=codec.can_refine) if prod(patches) <= config.largest else iter(())
    for attempt, descend in attempts:
        missed = [k for k, m in enumerate(misfits) if m.wrong or not (descend or m.within(config.tolerance))]
        if not missed:
            continue
        chosen = [crystals[k] for k in missed]
        shifts = [codec.representation.origin(c, attempt) for c in chosen]
        again = codec.closest(moved(chosen, shifts), patches, descend=descend)
        for k, shift, latent, found in zip(missed, shifts, *again, strict=True):
            if found < misfits[k]:
                z[k], misfits[k], origins[k] = latent, found, shift
    return z, origins


def _attempts(origins: int, *, descends: bool) -> Iterator[tuple[int, bool]]:
    """Origins to try after the first, and whether to descend there."""
    yield from ((attempt, False) for attempt in range(1, origins))
    if descends:
        yield from ((attempt, True) for attempt in range(origins))


def moved(crystals: Sequence[Crystal], shifts: Sequence[Float[np.ndarray, "3"]]) -> list[Crystal]:
    """Crystals as they are put on the grid."""
    return [crystal.translated(shift) for crystal, shift in zip(crystals, shifts, strict=True)]
