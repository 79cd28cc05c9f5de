"""Damped Gauss-Newton steps of what sites hold, and of where they are, to where they encode to a given latent.

Of a site the encoder sees its place and what it weighs, Σ occupancy · w(element): few numbers, to which latents answer
smoothly. Each step (1) measures the Jacobian, or updates it by the step before; (2) finds the shares and moves that
explain what the latent is off by, by non-negative least squares (Lawson & Hanson 1974, Solving Least Squares Problems,
chapter 23), whose solutions hold few elements of the many that there are; (3) is the least damped one (Levenberg 1944)
that brings the latent nearer.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod, sqrt
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from numpy.linalg import LinAlgError
from scipy.optimize import nnls
from torch import Tensor

from xtalcodec.codecs.guesses import Latents
from xtalcodec.crystal import VACANCY
from xtalcodec.geometry.orbits import Kept

GOAL = 1e-4
"""Steps end where the latent is so near; the rounding of numbers is at 1e-6."""
STEPS = 10
"""Steps at most."""
ENOUGH = 1.2
"""A step that brings the latent no nearer than by this factor is the last."""
DAMPINGS = 1e-6, 1e-4, 1e-2, 0.1, 1.0
"""Tried one after the other, in units of `WEIGHT` and `MOVE`."""
WEIGHT = 0.5
"""About how far a step may change what a site weighs; two elements are about 4.7 apart."""
MOVE = 0.03
"""Å: about how far a step may move a site."""
PROBE = 0.01
"""Change of a weight, or of a place in Å, by which the Jacobian is measured: already a share of 0.05 is answered to by
more than in proportion."""
WHOLE = 10.0
"""Weight of the equation that shares add up to one."""


class State(NamedTuple):
    """What is solved for."""

    shares: Float[Tensor, "orbits z"]
    """Of each element by its Z on the sites of each orbit; in column 0 of what is empty."""
    moved: Float[Tensor, " moves"]
    """How far the sites went along each of the moves, in `MOVE`."""
    z: Float[Tensor, " numbers"]
    """What it encodes to."""
    distance: float
    """Root mean square of how far its numbers are off."""


class Jacobian(NamedTuple):
    """How the latent changes with each unknown, divided by the square root of how many numbers it has."""

    weights: Float[Tensor, "numbers orbits channels"]
    """To what the sites of each orbit weigh."""
    moves: Float[Tensor, "numbers moves"]
    """To moves of `MOVE`."""

    def updated(self, weights: Float[Tensor, "orbits channels"], before: State, after: State) -> "Jacobian":
        """Correct it by a step between two states (Broyden 1965, the first of his methods).

        Parameters
        ----------
        weights
            By how much the step changed them.
        before, after
            The states.
        """
        moved = after.moved - before.moved
        missing = (after.z - before.z) / sqrt(len(after.z))
        missing = missing - torch.einsum("noc,oc->n", self.weights, weights) - self.moves @ moved
        size = (weights / WEIGHT).square().sum() + moved.square().sum()
        by_weight = self.weights + torch.einsum("n,oc->noc", missing, weights / WEIGHT**2 / size)
        return Jacobian(by_weight, self.moves + missing[:, None] * moved / size)


@dataclass(frozen=True, eq=False)
class Sought:
    """A latent, and the sites that are to encode to it."""

    latents: Latents
    """Of one crystal."""
    kept: Kept
    """What symmetry leaves free of the sites."""

    @cached_property
    def table(self) -> Float[Tensor, "z channels"]:
        """What each element weighs; nothing what is empty."""
        table = torch.from_numpy(self.latents.codec.channels).double()
        return table.index_fill(0, torch.tensor([VACANCY]), 0.0)

    @cached_property
    def target(self) -> Float[Tensor, " numbers"]:
        """The latent to come to."""
        return self.latents.z[0].double().cpu().flatten()

    @cached_property
    def orbits(self) -> Int[Tensor, " sites"]:
        """Which sites hold the same."""
        return torch.from_numpy(self.kept.orbits)

    @cached_property
    def moves(self) -> Float[Tensor, "moves sites 3"]:
        """Fractions of the axes, for moves of `MOVE`."""
        return MOVE * torch.from_numpy(self.kept.moves)

    @cached_property
    def possible(self) -> Bool[Tensor, "orbits z"]:
        """Every element that the crystal may hold, and what is empty, on every orbit."""
        allowed = self.latents.codec.allowed(1, self.latents.known.elements)[0].cpu()
        allowed[VACANCY] = True
        return allowed.expand(int(self.orbits.max()) + 1, -1)

    @property
    def work(self) -> int:
        """Patches that are encoded to measure the Jacobian."""
        unknowns = self.possible.shape[0] * self.table.shape[1] + len(self.moves)
        return unknowns * prod(self.latents.grids[0])

    def unmoved(self, shares: Float[Tensor, "orbits z"]) -> State:
        """State of shares, where nothing is moved."""
        return self.at(shares, torch.zeros(len(self.moves)).double())

    def at(self, shares: Float[Tensor, "orbits z"], moved: Float[Tensor, " moves"]) -> State:
        """State of shares that are brought to a sum of one, and how far off it is."""
        shares = shares / shares.sum(1, keepdim=True)
        (z,) = self._encoded((shares @ self.table)[None], moved[None])
        return State(shares, moved, z, float((z - self.target).square().mean().sqrt()))

    def _encoded(
        self, weights: Float[Tensor, "n orbits channels"], moved: Float[Tensor, "n moves"]
    ) -> Float[Tensor, "n numbers"]:
        """Latents of what the sites of orbits weigh and how far they are moved."""
        device = self.latents.lattice.device
        places = self.places(moved).float().to(device)
        own = weights[:, self.orbits].float().to(device)
        z = self.latents.codec.weighed(self.latents.lattice[0], places, own, self.latents.grids[0])
        return z.double().cpu().flatten(1)

    def places(self, moved: Float[Tensor, "n moves"]) -> Float[Tensor, "n sites 3"]:
        """Fractional coordinates."""
        return torch.tensor(self.kept.places) + torch.einsum("nm,msx->nsx", moved, self.moves)

    def fitted(
        self, state: State, allowed: Bool[Tensor, "orbits z"], jacobian: Jacobian | None = None
    ) -> tuple[State, Jacobian | None]:
        """Take steps until the latent is near, or comes no nearer though the Jacobian is measured anew.

        Parameters
        ----------
        state
            Where to begin.
        allowed
            What each orbit may hold.
        jacobian
            At some state nearby.
        """
        for _ in range(STEPS):
            if state.distance < GOAL:
                break
            measured = jacobian is None
            if jacobian is None:
                jacobian = self._jacobian(state, allowed)
            tried = (self._step(state, allowed, jacobian, damping) for damping in DAMPINGS)
            nearer = next((own for own in tried if own.distance < state.distance), state)
            slow = nearer.distance * ENOUGH > state.distance
            if nearer is not state:
                jacobian = jacobian.updated((nearer.shares - state.shares) @ self.table, state, nearer)
            state = nearer
            if slow and measured:
                break
            if slow:
                jacobian = None
        return state, jacobian

    def _jacobian(self, state: State, allowed: Bool[Tensor, "orbits z"]) -> Jacobian:
        """Measure how the latent answers to what orbits weigh that may hold several elements, and to moves."""
        weights = state.shares @ self.table
        orbits, channels = weights.shape
        free = (allowed.sum(1) > 1).nonzero()[:, 0].repeat_interleave(channels)
        channel = torch.arange(channels).repeat(len(free) // channels)
        rows, count = torch.arange(len(free)), len(free) + len(self.moves)
        probed = weights.expand(count, -1, -1).clone()
        probed[rows, free, channel] += PROBE
        moved = state.moved.expand(count, -1).clone()
        moved[len(free) :] += PROBE / MOVE * torch.eye(len(self.moves)).double()
        slopes = (self._encoded(probed, moved) - state.z).T / (PROBE * sqrt(len(self.target)))
        by_weight = torch.zeros(len(slopes), orbits, channels).double()
        by_weight[:, free, channel] = slopes[:, : len(free)]
        return Jacobian(by_weight, slopes[:, len(free) :] * MOVE)

    def _step(self, state: State, allowed: Bool[Tensor, "orbits z"], jacobian: Jacobian, damping: float) -> State:
        """Go to the shares and moves that explain best what the latent is off by.

        Parameters
        ----------
        state
            Where to go from.
        allowed
            What each orbit may hold.
        jacobian
            At about that state.
        damping
            Weight of the lengths of the changes.
        """
        weights, numbers, moves = state.shares @ self.table, len(self.target), len(self.moves)
        orbit, z = allowed.nonzero().T
        towards = self.table[z] - weights[orbit]  # what a share of one would change
        by_share = torch.einsum("npc,pc->np", jacobian.weights[:, orbit], towards)
        on_orbit = F.one_hot(orbit, len(weights)).double().T
        by_move = torch.cat([jacobian.moves, sqrt(damping) * torch.eye(moves).double()])
        by_share = torch.cat([by_share, torch.zeros(moves, len(orbit)).double()])
        off = torch.cat([(self.target - state.z) / sqrt(numbers), torch.zeros(moves).double()])
        # moves explain what they can, whatever the shares: what they leave is for the shares to explain
        basis = torch.linalg.qr(by_move).Q
        left, explains = off - basis @ (basis.T @ off), by_share - basis @ (basis.T @ by_share)
        short = sqrt(damping) / WEIGHT * (on_orbit[:, None] * towards.T).flatten(0, 1)
        rows = torch.cat([explains, short, WHOLE * on_orbit])
        wanted = torch.cat([left, torch.zeros(len(short)).double(), torch.full((len(weights),), WHOLE).double()])
        try:
            found = torch.from_numpy(nnls(rows.numpy(), wanted.numpy())[0])
        except (RuntimeError, LinAlgError):  # it goes round in circles: no step, so that another damping is tried
            return state
        shares = torch.zeros_like(state.shares).index_put((orbit, z), found)
        moved = torch.linalg.lstsq(by_move, (off - by_share @ found)[:, None]).solution[:, 0]
        return self.at(shares, state.moved + moved)
