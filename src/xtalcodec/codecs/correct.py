"""Encoding by correction: where atoms come back beside their places, aim as far beside them the other way.

Encoder and decoder err smoothly: a crystal whose sites are moved a little comes back with nearly the same errors. So
its sites are moved against the errors that were seen, and what is encoded is no longer the crystal but what decodes to
it: a fixed-point iteration, as predistortion is in amplifiers. It costs one encoding and one decoding, takes off most
of the error each time, and the latent stays one that the encoder gives.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.misfit import Misfit, misfit
from xtalcodec.codecs.refine import RefineConfig
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.images import minimum_image, nearest

SHARE_GAIN = 0.5
"""Of the error of an occupancy, beside that of a position: occupancies answer less steadily."""
LEAST_GAIN = 0.25
"""A crystal whose gain has come down to this, after two aims that did no better, is left as it is."""
LEAST_AIM = 0.1
"""Of its occupancy that an element keeps where it is aimed at less of it."""


def correct(
    encode: Callable[[Sequence[Crystal], Sequence[int]], list[Tensor]],
    read: Callable[[Sequence[Tensor], Sequence[int]], list[FoundAtoms]],
    crystals: Sequence[Crystal],
    config: RefineConfig,
) -> tuple[list[Tensor], list[Misfit], list[FoundAtoms]]:
    """Encode crystals, again and again beside their places; return the best latents, and what they decode to.

    (1) All are encoded and read. (2) Those within the tolerance leave, those whose number of sites differs, and those
    whose gain fell to `LEAST_GAIN`; (3) the others are aimed at from their best aim, by its error; an aim that does no
    better halves the gain.

    Parameters
    ----------
    encode
        Crystals → latents of some rows.
    read
        Latents of some rows → sites.
    crystals
        Placed and moved to their origins; each is a row.
    config
        How near is near enough, and how often.

    Returns
    -------
    latents, misfits and sites of each crystal
    """
    every = range(len(crystals))
    best = encode(crystals, every)
    seen = read(best, every)
    misfits = [misfit(c, s) for c, s in zip(crystals, seen, strict=True)]
    aims, gains = list(crystals), [1.0] * len(crystals)
    for _ in range(config.corrections):
        off = [k for k, m in enumerate(misfits) if not m.within(config.tolerance) and np.isfinite(m.displacement)]
        left = [k for k in off if gains[k] > LEAST_GAIN]
        if not left:
            break
        tried = [aimed(crystals[k], aims[k], seen[k], gains[k]) for k in left]
        latents = encode(tried, left)
        for k, aim, z, sites in zip(left, tried, latents, read(latents, left), strict=True):
            found = misfit(crystals[k], sites)
            if found < misfits[k]:
                best[k], misfits[k], aims[k], seen[k] = z, found, aim, sites
            else:
                gains[k] /= 2
    return best, misfits, seen


def aimed(crystal: Crystal, aim: Crystal, sites: FoundAtoms, gain: float) -> Crystal:
    """Move an aim against the errors of the sites that it decodes to.

    Parameters
    ----------
    crystal
        What should come back.
    aim
        What was encoded, its sites in the crystal's order.
    sites
        What came back, as many as the crystal has.
    gain
        Of the errors.
    """
    _, index = nearest(crystal.frac_coords, sites.positions, crystal.lattice)
    off = minimum_image(sites.positions[index] - crystal.frac_coords)
    moved = replace(aim, frac_coords=aim.frac_coords - gain * off)
    if crystal.occupancies is None:
        return moved
    shares = aim.shares() - gain * SHARE_GAIN * (sites.shares()[index] - crystal.occupancies)
    shares = np.maximum(shares, LEAST_AIM * crystal.occupancies)
    shares /= shares.sum(1, keepdims=True)
    return replace(moved, occupancies=shares, numbers=shares[:, 1:].argmax(1) + 1)
