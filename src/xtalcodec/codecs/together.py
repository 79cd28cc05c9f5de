"""Crystals encoded on one grid from one origin, so that their latents can be mixed patch by patch."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.codecs.misfit import Misfit
from xtalcodec.crystal import Crystal
from xtalcodec.representations.base import Patches

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec


def encode_together(
    codec: "Codec",
    crystals: Sequence[Crystal],
    patches: Patches,
    *,
    refine: bool = True,
    progress: Callable[[int], None] | None = None,
) -> LatentSet:
    """Encode crystals on the cells that they have, all on one grid and all moved by the same shift.

    Parameters
    ----------
    codec
        One whose grid is the crystal's own cell.
    crystals
        On right-handed cells that are reduced or nearly so; they are not checked against what the codec can hold.
    patches
        Patches of the grid along its axes.
    refine
        Improve latents that do not decode to their crystal; where that fails for one, all are tried on other origins.
        Not where one is disordered: its occupancies are read from the latent as it is.
    progress
        Called with the number of crystals done since the last call.
    """
    best: tuple[tuple[float, float], torch.Tensor, np.ndarray] | None = None
    ordered = all(crystal.is_ordered for crystal in crystals)
    exactly, grids = refine and codec.retries and ordered, [patches] * len(crystals)
    for attempt in range(codec.config.refine.origins if exactly else 1):
        shift = codec.representation.origin(crystals[0], attempt)
        moved = [crystal.translated(shift) for crystal in crystals]
        z, misfits = _encoded(codec, moved, patches) if exactly else (torch.stack(codec.latents(moved, grids)), [])
        score = sum(found.wrong for found in misfits), sum(found.displacement for found in misfits)
        if best is None or score < best[0]:
            best = score, z, shift
        if not score[0]:
            break
    assert best is not None  # noqa: S101 - there is at least one attempt
    _, z, shift = best
    if progress:
        progress(len(crystals))
    unchanged = np.eye(3, dtype=np.int64)
    rows = z.cpu().numpy()
    codes = [
        CrystalCode(c.name, row, patches, c.lattice, unchanged, shift, plain=exactly and codec.can_check)
        for c, row in zip(crystals, rows, strict=True)
    ]
    return LatentSet(tuple(codes), codec.identity)


def _encoded(codec: "Codec", crystals: Sequence[Crystal], patches: Patches) -> tuple[torch.Tensor, list[Misfit]]:
    """Correct latents, and refine what that leaves, where the codec can."""
    each, misfits = codec.closest(crystals, [patches] * len(crystals))
    z = torch.stack(each)
    return codec.descend(crystals, patches, z) if codec.can_refine else (z, misfits)
