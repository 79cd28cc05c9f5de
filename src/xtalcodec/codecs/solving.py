"""Sites and what they hold, solved for: to where they encode to the given latent, see `gauss_newton`.

Where sites cannot settle, what they hold is not what is read: a dopant was overlooked, or taken for another. What may
be there is left open then: any element on any site, and nothing.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.gauss_newton import Sought, State
from xtalcodec.codecs.guesses import Guess, Guesses, Latents
from xtalcodec.crystal import HEAVIEST, VACANCY, Crystal
from xtalcodec.geometry.images import wrapped
from xtalcodec.geometry.orbits import Kept, kept_by
from xtalcodec.geometry.symmetry import SYMPREC, operations

SOLVED = 0.001
"""What encodes nearer is the crystal: shares are right within some thousandths, and so are sites, in Å."""
EXPLAINED = 0.01
"""What encodes no nearer has another number of sites, or errors of its own: a hundred unknowns explain some of any."""
LEAST = 0.005
"""Smaller shares are none."""
ROUNDS = 2
"""How often all elements are solved for, and those again that have enough of a share."""
MOST = 100_000
"""Patches to encode for one step: where it takes more, nothing is solved for."""


def solved(latents: Latents, guesses: Guesses) -> Guesses:
    """Solve for what sites hold and where they are; return the guesses that encode to their latents then.

    Sites that symmetry makes one are held to be, and where that leads nowhere each is its own.

    Parameters
    ----------
    latents
        Of all rows.
    guesses
        Where to begin, of latents without noise: as many sites as there are.
    """
    found: Guesses = {}
    for k, guess in guesses.items():
        best = guess
        for nearer in _solutions(latents.of([k]), guess.sites):
            best = min(best, nearer, key=lambda own: own.distance)
            if best.distance < SOLVED:
                break
        if best is not guess and best.distance < EXPLAINED:
            found[k] = best
    return found


def _solutions(latents: Latents, sites: FoundAtoms) -> Iterator[Guess]:
    """Solve for sites with one symmetry after the other.

    (1) What is read there is fitted, with the sites; (2) where that is not enough, all elements.

    Parameters
    ----------
    latents
        Of one crystal.
    sites
        What it is read as.
    """
    for kept in _symmetries(sites, latents.cells[0]):
        sought = Sought(latents, kept)
        if sought.work > MOST:
            continue
        start = _read(sought, sites)
        state, _ = sought.fitted(start, start.shares > 0)
        if state.distance > SOLVED:
            state = min(state, *_sparse(sought, state), key=lambda own: own.distance)
        yield from latents.guessed([_placed(sought, state, sites)])


def _symmetries(sites: FoundAtoms, lattice: Float[np.ndarray, "3 3"]) -> Iterator[Kept]:
    """What symmetry may make of sites, shared ones being alike, or those of one main element; and what none makes."""
    alike = [] if sites.occupancies is None else [np.where(sites.occupancies.max(1) < 1, HEAVIEST, sites.numbers)]
    seen = [np.arange(len(sites))]
    for kinds in (*alike, sites.numbers):
        found = operations(Crystal(lattice, sites.positions, kinds), SYMPREC)
        kept = kept_by(found, sites.positions, kinds, lattice, within=2 * SYMPREC)
        if not any(np.array_equal(kept.orbits, orbits) for orbits in seen):
            yield kept
        seen.append(kept.orbits)
    yield Kept.without_symmetry(sites.positions, lattice)


def _read(sought: Sought, sites: FoundAtoms) -> State:
    """What is read, the same on the sites of an orbit."""
    shares = torch.tensor(sites.shares()[:, : len(sought.table)])
    mean = torch.stack([shares[sought.orbits == k].mean(0) for k in range(len(sought.possible))])
    return sought.unmoved(mean)


def _sparse(sought: Sought, state: State) -> Iterator[State]:
    """Solve for all elements on all orbits, and for those again that have enough of a share."""
    for _ in range(ROUNDS):
        state, jacobian = sought.fitted(state, sought.possible)
        kept = sought.at(_enough(state), state.moved)
        state, _ = sought.fitted(kept, kept.shares > 0, jacobian)
        yield state
        if state.distance < SOLVED:
            break


def _enough(state: State) -> Float[Tensor, "orbits z"]:
    """Leave out shares that are none."""
    return state.shares.masked_fill(state.shares < LEAST, 0.0)


def _placed(sought: Sought, state: State, sites: FoundAtoms) -> FoundAtoms:
    """Sites with what is solved for; those that are empty are none."""
    own = _enough(state)[sought.orbits].numpy()
    shares = np.zeros_like(sites.shares())
    shares[:, : own.shape[1]] = own / own.sum(1, keepdims=True)
    there = shares[:, VACANCY] < 1
    shares = shares[there]
    return replace(
        sites,
        positions=wrapped(sought.places(state.moved[None])[0].numpy()[there]),
        numbers=shares[:, 1:].argmax(1) + 1,
        confidence=sites.confidence[there],
        occupancies=None if shares.max(1).min(initial=1) == 1 else shares,
    )
