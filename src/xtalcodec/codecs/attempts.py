"""Encoding so that crystals come back: on one origin after the other; corrected and refined where that fails."""

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.codecs.misfit import Misfit
from xtalcodec.crystal import Crystal
from xtalcodec.representations.base import Patches
from xtalcodec.representations.portions import grouped, shared_out

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec

NEARLY = 0.07
"""Occupancies of disordered crystals that are off by more after descent, and by less than 1, which is another element,
are so on every origin: of 66 such crystals among 200 that `mp` was trained on seven further origins righted none, of 21
that were nearer 4. They took nine tenths of the time."""

Encode = Callable[[Sequence[Crystal], Sequence[Patches]], tuple[list[Tensor], list[Misfit]]]
"""Crystals on their grids → their latents, and how nearly they come back."""

Place = tuple[int, int]
"""A crystal's number, and the attempt that gives its origin."""


class Encoded(NamedTuple):
    """An encoded crystal."""

    z: Tensor
    origin: Float[np.ndarray, "3"]
    """Shift of the crystal, in fractional coordinates."""
    plain: bool = False
    """Whether the decoder alone gives the crystal: what it reads is not to be checked."""


def encode_to_come_back(codec: "Codec", crystals: Sequence[Crystal], grids: Sequence[Patches]) -> list[Encoded]:
    """Latents that decode to their crystals as nearly as can be; each crystal keeps its best.

    Where the codec `can_check` what it reads, crystals keep the encoder's own latents: on the first origin from which
    they come back, for where atoms fall on other places of the grid, the codec errs otherwise. All others are moved
    until the decoder alone gives their crystals, see `_moved_to_come_back`.

    Parameters
    ----------
    codec
        Whose latents they are.
    crystals
        Placed.
    grids
        Patches of the grid of each along its axes.
    """
    found: dict[int, Encoded] = {}
    if codec.can_check:
        search = _Search(codec, codec.checked, crystals, grids)
        search.on_origins(codec.config.refine.displaced)
        found = {k: one for k, one in search.best().items() if not search.wrong(k)}
    rest = [k for k in range(len(crystals)) if k not in found]
    moved = _moved_to_come_back(codec, [crystals[k] for k in rest], [grids[k] for k in rest])
    found |= {k: one._replace(plain=codec.can_check) for k, one in zip(rest, moved, strict=True)}
    return [found[k] for k in range(len(crystals))]


def _moved_to_come_back(codec: "Codec", crystals: Sequence[Crystal], grids: Sequence[Patches]) -> list[Encoded]:
    """Latents that are moved until they decode to their crystals.

    (1) What is wrong or off by more than `retried` on the first origin is tried on others, by correction. (2) What is
    wrong or `displaced` then is refined by gradient descent, which costs far more, and (3) what stays wrong on all
    other origins too, together, where it is not by occupancies that are far off. Cells of more than the `largest`
    number of patches are corrected on one origin.
    """
    config, search = codec.config.refine, _Search(codec, codec.closest, crystals, grids)
    search.on_origins(config.retried)
    if codec.can_refine:
        search.descend([(k, 0) for k in search.missed(config.displaced)])
        others = range(1, config.origins)
        search.descend([(k, attempt) for k in search.missed(float("inf")) if search.hopeful(k) for attempt in others])
    return [*search.best().values()]


class _Search:
    """Latents of crystals on several origins."""

    def __init__(self, codec: "Codec", encode: Encode, crystals: Sequence[Crystal], grids: Sequence[Patches]) -> None:
        self.codec, self.encode, self.crystals, self.grids = codec, encode, crystals, grids
        self.corrected: dict[Place, Tensor] = {}
        self.found: dict[int, tuple[Misfit, Tensor, int]] = {}
        """Of each crystal the least misfit, the latent that has it, and its attempt."""

    def on_origins(self, tolerance: float) -> None:
        """Encode all crystals on the first origin, and what is wrong or off by more Å on others."""
        config = self.codec.config.refine
        self.correct([(k, 0) for k in range(len(self.crystals))])
        for attempt in range(1, config.origins) if config.corrections else ():
            self.correct([(k, attempt) for k in self.missed(tolerance)])

    def wrong(self, k: int) -> bool:
        """Whether a crystal does not come back."""
        return bool(self.found[k][0].wrong)

    def missed(self, tolerance: float) -> list[int]:
        """Crystals, not too large, that are wrong or have a site farther off than this, in Å."""
        largest = self.codec.config.refine.largest
        off = sorted(k for k, (misfit, *_) in self.found.items() if not misfit.within(tolerance))
        return [k for k in off if prod(self.grids[k]) <= largest]

    def hopeful(self, k: int) -> bool:
        """Whether descent on other origins may right a crystal that is wrong."""
        wrong = self.found[k][0].wrong
        return self.crystals[k].is_ordered or wrong >= 1 or wrong <= NEARLY

    def correct(self, places: Sequence[Place]) -> None:
        """Encode crystals."""
        for rows in shared_out([self.grids[k] for k, _ in places]):
            part = [places[row] for row in rows]
            z, misfits = self.encode(self._moved(part), [self.grids[k] for k, _ in part])
            self.corrected |= dict(zip(part, z, strict=True))
            self._keep(part, z, misfits)

    def descend(self, places: Sequence[Place]) -> None:
        """Refine what correction gave."""
        self.correct([place for place in places if place not in self.corrected])
        for patches, rows in grouped([self.grids[k] for k, _ in places]):
            part = [places[row] for row in rows]
            start = torch.stack([self.corrected[place] for place in part])
            z, misfits = self.codec.descend(self._moved(part), patches, start)
            self._keep(part, [*z], misfits)

    def best(self) -> dict[int, Encoded]:
        """Of all crystals, by their numbers."""
        return {k: Encoded(z, self._origin(k, attempt)) for k, (_, z, attempt) in sorted(self.found.items())}

    def _origin(self, k: int, attempt: int) -> Float[np.ndarray, "3"]:
        return self.codec.representation.origin(self.crystals[k], attempt)

    def _moved(self, places: Sequence[Place]) -> list[Crystal]:
        return moved([self.crystals[k] for k, _ in places], [self._origin(*place) for place in places])

    def _keep(self, places: Sequence[Place], z: Sequence[Tensor], misfits: Sequence[Misfit]) -> None:
        """Keep what is nearer than what was found before."""
        for (k, attempt), latent, misfit in zip(places, z, misfits, strict=True):
            if k not in self.found or misfit < self.found[k][0]:
                self.found[k] = misfit, latent, attempt


def moved(crystals: Sequence[Crystal], shifts: Sequence[Float[np.ndarray, "3"]]) -> list[Crystal]:
    """Crystals as they are put on the grid."""
    return [crystal.translated(shift) for crystal, shift in zip(crystals, shifts, strict=True)]
