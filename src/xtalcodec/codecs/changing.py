"""What latents may be of instead: one change of elements or sites at a time, as long as it encodes nearer.

Of Gaussian errors the logarithm of the likelihood of n numbers that are off by d, root mean square, is −n log d but for
a constant; a change is to gain `WORTH`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from xtalcodec.atom_finders.changes import Elsewhere, exchanged, other_elements, other_places
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.heat import find_by_heat
from xtalcodec.atom_finders.heat_field import HeatField
from xtalcodec.codecs.guesses import Guess, Guesses, Latents, OnSites

OFF = 0.03
"""What encodes farther off than this once its sites have settled is something else."""
WORTH = 2.0
"""Logarithm of the likelihood that a change is to gain."""
EXACT = 1e-6
"""What encodes nearer than that is at the rounding of numbers."""
WRONG = 0.3
"""Of how far a crystal encodes off where it does most: what encodes nearer around a place is no reason to change that.
Of 169 changes that mended crystals read wrongly, all were of places of 0.45 and more."""
SURE = 0.95
"""Sites that are surer are not taken away."""
ROUNDS = 12
"""Changes of a crystal at most."""
LOOSE = {"threshold": 0.1, "margin": 0.3, "nearest": 0.4}
"""Where else there may be atoms: anywhere it is a little warm."""


def changed(latents: Latents, guesses: Guesses, told: float, *, sites: bool) -> Guesses:
    """Change guesses, each until it is near its latent or nothing encodes nearer; return those that are changed.

    Parameters
    ----------
    latents
        Of all rows.
    guesses
        Where to begin: each has sites.
    told
        Least noise that the decoder is told, when it is asked what else there may be: told of none it is too sure.
    sites
        Whether sites come and go too.
    """
    rows = [*guesses]
    if not rows:
        return {}
    part = latents.of(rows)
    field = part.decoded(part.noise.clamp_min(min(told, part.codec.most_noise)))
    start = [guesses[k] for k in rows]
    best = list(start)
    if sites:
        best = [min(pair, key=lambda guess: guess.distance) for pair in zip(best, _read(part, field), strict=True)]
    elsewhere = _elsewhere(part, field) if sites else None
    left = list(range(len(rows)))
    for _ in range(ROUNDS):
        left = [k for k in left if best[k].distance > OFF]
        said = part.on_sites(field, left, [best[k].sites for k in left])
        tried = [
            (k, other) for k, on in zip(left, said, strict=True) for other in _others(part, k, best[k], on, elsewhere)
        ]
        nearest: Guesses = {}
        with part.codec.roughly(sites):
            guessed = part.of([k for k, _ in tried]).guessed([other for _, other in tried])
        for (k, _), guess in zip(tried, guessed, strict=True):
            if k not in nearest or guess.distance < nearest[k].distance:
                nearest[k] = guess
        left = [k for k, guess in nearest.items() if _gain(part, k, best[k], guess) > WORTH]
        for k in left:
            best[k] = nearest[k]
        if not left:
            break
    new = [k for k, guess in enumerate(best) if guess is not start[k]]
    said = part.on_sites(field, new, [best[k].sites for k in new])
    sure = [replace(best[k].sites, confidence=on.sure(best[k].sites)) for k, on in zip(new, said, strict=True)]
    exactly = zip(new, part.of(new).guessed(sure), strict=True)
    return {rows[k]: guess for k, guess in exactly if guess.distance < start[k].distance}


def _read(latents: Latents, field: HeatField) -> list[Guess]:
    """What latents are read as where the decoder is told of noise."""
    codec = latents.codec
    allowed = codec.allowed(len(latents.z), latents.known.elements)
    found = find_by_heat(field, codec.network, latents.lattice, allowed, codec.config.atom_finder)
    return latents.guessed(found)


def _elsewhere(latents: Latents, field: HeatField) -> list[Elsewhere]:
    """Where else each crystal may have sites."""
    config = latents.codec.config.atom_finder
    found = field.candidates(latents.lattice, replace(config, **LOOSE))
    places = field.tori.fractions(found.which, found.position).remainder(1)
    each = (field.parted(found, x.double()) for x in (places, latents.likely(field, found)))
    return [
        Elsewhere(where, likely, cell, config.nearest) for where, likely, cell in zip(*each, latents.cells, strict=True)
    ]


def _others(
    latents: Latents, k: int, guess: Guess, said: OnSites, elsewhere: Sequence[Elsewhere] | None
) -> Iterator[FoundAtoms]:
    """What a crystal may be instead where it encodes wrongly; of one whose atoms are known, which is which."""
    sites = guess.sites
    if latents.known.holding is not None:
        yield from exchanged(sites, said.likely)
        return
    off = latents.off_around(k, guess, sites.positions)
    there = off[:0] if elsewhere is None else latents.off_around(k, guess, elsewhere[k].places)
    least = WRONG * max(off.max(), there.max(initial=0.0))
    yield from other_elements(sites, said.likely, off > least)
    if elsewhere is not None:
        yield from other_places(sites, (off > least) & (said.sure(sites) < SURE), elsewhere[k].some(there > least))


def _gain(latents: Latents, k: int, before: Guess, after: Guess) -> float:
    """Logarithm of how much likelier a guess is than another."""
    nearer = max(before.distance, EXACT) / max(after.distance, EXACT)
    return latents.z[k].numel() * float(np.log(nearer))
