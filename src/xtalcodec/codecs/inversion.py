"""Decoding by analysis and synthesis: what a latent is read as is encoded again, and mended until that is the latent.

The decoder is a good guess of what the encoder's inverse is, and the encoder is there to check it. (1) Sites are moved
until they encode to the latent. (2) What does not come near it has an atom too many or too few, or another element:
what else it may be is tried. (3) What is still not there shares sites otherwise: their shares are solved for. Of a
latent with noise the elements are tried alone, unless it is farther off than its noise, and what is kept is the
likelier crystal. Its sites stay where the decoder, told of the noise, sees them.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.heat_field import HeatField
from xtalcodec.codecs.changing import OFF, changed
from xtalcodec.codecs.guesses import Guess, Latents
from xtalcodec.codecs.settling import settled
from xtalcodec.codecs.solving import SOLVED, solved

NEAR = 0.01
"""What has no shared site and encodes so near is left as it is: at most a dopant of one or two per cent is missing."""
FAR = 1.0
"""What encodes even farther off, no change will mend: of 117 crystals that were read wrongly, none was at more than
0.35, and crystals that have nothing to do with each other are at 1.4."""
TOLD = 0.1
"""Least noise that the decoder is told of a latent with noise, when it is asked what else there may be."""
TRIES = (TOLD, True), (0.3, True), (TOLD, False)
"""The same of one without; and whether one begins with what was read, or with that once it has settled."""
BEYOND = 1.5
"""Times the noise of a latent: what encodes farther off has other sites, and not only other elements."""
LARGEST = 512
"""Patches of a cell: in larger ones the sites settle, and that is all, for there are thousands of changes to try."""
HALF = 0.05
"""What encodes so far off is right as often as not: of 117 crystals that were read wrongly, those mended encode within
0.022, the others no nearer than 0.063."""
HALF_SHARED = 0.01
"""The same of shared sites: other shares encode nearly as near. Of 359 crystals those right are within 0.006, the wrong
ones beyond 0.01."""


def inverted(latents: Latents, field: HeatField, found: Sequence[FoundAtoms], rows: Sequence[int]) -> list[FoundAtoms]:
    """Mend what latents were read as.

    Parameters
    ----------
    latents
        Those of one grid together.
    field
        What was decoded of each.
    found
        What each was read as.
    rows
        Those to mend.
    """
    guesses = dict(zip(rows, latents.of(rows).guessed([found[k] for k in rows]), strict=True))
    noise, free = latents.noise.tolist(), latents.known.holding is None

    def hopeful(k: int, guess: Guess) -> bool:
        """Whether a change may mend it. Networks that have not learnt read more sites than there are patches."""
        return guess.distance < FAR and len(guess.sites) <= prod(latents.grids[k]) <= LARGEST

    first = {k: guess for k, guess in guesses.items() if not noise[k]}
    best = settled(latents, field, first)
    for told, anew in TRIES:
        off = [k for k, guess in best.items() if guess.distance > OFF and hopeful(k, guess)]
        start = {k: (first if anew else best)[k] for k in off}
        tried = settled(latents, field, changed(latents, start, told, sites=free))
        best |= {k: guess for k, guess in tried.items() if guess.distance < best[k].distance}
    if free and latents.codec.knows_disorder:
        best |= solved(latents, {k: own for k, own in best.items() if own.distance > _near(own) and hopeful(k, own)})
    guesses |= {k: _sure(guess) for k, guess in best.items()}
    noisy = {k: guess for k, guess in guesses.items() if noise[k] and hopeful(k, guess)}
    beyond = {k: guess for k, guess in noisy.items() if guess.distance > BEYOND * noise[k]}
    within = {k: guess for k, guess in noisy.items() if k not in beyond}
    guesses |= changed(latents, beyond, TOLD, sites=free) | changed(latents, within, TOLD, sites=False)
    return [guesses[k].sites if k in guesses else own for k, own in enumerate(found)]


def _near(guess: Guess) -> float:
    """How far off a guess may encode that is left as it is: of shared sites, shares are off by five times that."""
    return NEAR if guess.sites.occupancies is None else SOLVED


def _sure(guess: Guess) -> Guess:
    """Return a guess that is the surer of its sites, and of what they explain, the nearer it encodes."""
    shared = guess.sites.occupancies is not None
    sure = float(1 / (1 + (guess.distance / (HALF_SHARED if shared else HALF)) ** 4))
    confidence = np.full(len(guess.sites), sure) if shared else np.maximum(guess.sites.confidence, sure)
    return guess._replace(sites=replace(guess.sites, confidence=confidence, explained=1.0 if shared else sure))
