"""Sites moved to where they encode to the given latents.

Encoder and decoder err smoothly: what a crystal is read as is off by nearly as much as what is read of that. So sites
are moved against the errors that are seen where they are encoded and decoded once more; a fixed point of that is a
crystal that decodes as the latent does.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.heat_field import HeatField
from xtalcodec.codecs.correct import LEAST_GAIN
from xtalcodec.codecs.guesses import Guess, Guesses, Latents, OnSites
from xtalcodec.geometry.images import wrapped

CLOSE = 0.004
"""Of what encodes so near to a latent, sites are off by about as many Å at most."""
STEPS = 8
"""Moves at most."""


def settled(latents: Latents, field: HeatField, guesses: Guesses) -> Guesses:
    """Move the sites of guesses until they encode near to their latents, or no nearer any more.

    (1) All are encoded and decoded; (2) each is moved by how its sites are seen there beside where the latent has
    them; (3) a move that brings it no nearer halves what it is moved by. Those near enough leave.

    Parameters
    ----------
    latents
        Of all rows.
    field
        What was decoded of them.
    guesses
        Where to begin, of latents without noise.
    """
    best = dict(guesses)
    left = [k for k, guess in best.items() if CLOSE < guess.distance < np.inf]
    gain = dict.fromkeys(left, 1.0)
    off: dict[int, Float[np.ndarray, "sites 3"]] = {}
    for step in range(STEPS):
        if not left:
            break
        fresh = [k for k in left if k not in off]
        sites = [best[k].sites for k in fresh]
        there = latents.on_sites(field, fresh, sites)
        here = _seen(latents.of(fresh), [best[k] for k in fresh], roughly=step == 0)
        off |= {k: seen.off - wanted.off for k, seen, wanted in zip(fresh, here, there, strict=True)}
        tried = [_moved(best[k].sites, -gain[k] * off[k]) for k in left]
        for k, guess in zip(left, latents.of(left).guessed(tried), strict=True):
            if guess.distance < best[k].distance:
                best[k] = guess
                del off[k]
            else:
                gain[k] /= 2
        left = [k for k in left if best[k].distance > CLOSE and gain[k] > LEAST_GAIN]
    return best


def _seen(latents: Latents, guesses: Sequence[Guess], *, roughly: bool) -> list[OnSites]:
    """What is read at the sites of guesses, of the latents that they encode to."""
    if not guesses:
        return []
    seen = replace(latents, z=[guess.z for guess in guesses])
    with latents.codec.roughly(roughly):
        return seen.on_sites(seen.decoded(), range(len(guesses)), [guess.sites for guess in guesses])


def _moved(sites: FoundAtoms, by: Float[np.ndarray, "sites 3"]) -> FoundAtoms:
    """Move sites by fractions of the axes."""
    return replace(sites, positions=wrapped(sites.positions + by))
