"""A head: what predicts one property of crystals, with an interval that holds the true value nine times of ten."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.embedding.surroundings import SurroundingsConfig, with_elements
from xtalcodec.geometry.elements import symbol
from xtalcodec.heads.composition import SIZE, described
from xtalcodec.heads.network import HeadConfig, HeadNetwork

COVERAGE = 0.9
"""Share of held-out crystals whose true value lies within the uncertainty."""

TOGETHER = 256
"""Crystals that go through the network at once."""

ALIKE = 4
"""Decimals within which what surrounds two sites is the same."""


class HeadError(ValueError):
    """A head that is not there, cannot be read, or belongs to another codec: the message says which."""


@dataclass(frozen=True, slots=True)
class HeadAbout:
    """What a head belongs to and what it predicts."""

    property: str
    """What it is called."""
    unit: str
    """Of the property, as "eV/atom"; empty where it has none or nobody said."""
    codec: str
    """Identity of the codec whose density channels it looks at."""
    looks: SurroundingsConfig
    """At which radii."""
    elements: tuple[int, ...]
    """Atomic numbers that it saw in training; a crystal with another has no prediction."""
    least: float | None
    """The smallest value that the property can have, if there is one."""
    stretch: float
    """Uncertainty in units of what the members expect, by crystals that were not trained on."""
    network: HeadConfig


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """A property of some crystals."""

    property: str
    unit: str
    values: Float[np.ndarray, " n"]
    """In `unit`."""
    uncertainties: Float[np.ndarray, " n"]
    """In `unit`: the true value is no further off than this for `COVERAGE` of crystals like those held out."""

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a head sees of a crystal."""

    sites: Float[np.ndarray, "sites features"]
    """One row for each different site."""
    share: Float[np.ndarray, " sites"]
    """Of the crystal's sites that are like it."""
    composition: Float[np.ndarray, " numbers"]


Look = Callable[[Crystal], Seen]
"""Looks at a crystal, or refuses it by a `CrystalError`."""


def look(crystal: Crystal, channels: Float[np.ndarray, "z channels"], at: SurroundingsConfig) -> Seen:
    """Look at a crystal: sites with the same surroundings are one, so that a supercell is the crystal itself.

    Parameters
    ----------
    crystal
        Of elements that the channels have.
    channels
        A codec's, by Z.
    at
        Radii.
    """
    rows = with_elements(crystal, channels, at)
    _, first, count = np.unique(rows.round(ALIKE), axis=0, return_index=True, return_counts=True)
    return Seen(rows[first], (count / len(rows)).astype(np.float32), described(crystal))


@dataclass(frozen=True, eq=False)
class Head:
    """A network that predicts a property, and what it belongs to."""

    about: HeadAbout
    network: HeadNetwork

    @classmethod
    def untrained(cls, about: HeadAbout, features: int) -> "Head":
        """Make one that has learnt nothing yet, for so many numbers of a site."""
        return cls(about, HeadNetwork(features, SIZE, about.network).eval())

    def check(self, crystal: Crystal) -> None:
        """Refuse a crystal that has no prediction.

        Raises
        ------
        CrystalError
            An element that was never seen.
        """
        if strange := sorted({*crystal.elements} - {*self.about.elements}):
            names = ", ".join(map(symbol, strange))
            raise CrystalError(f"the head for {self.about.property} never saw {names} in training")

    @torch.no_grad()
    def of_seen(self, seen: Sequence[Seen]) -> Predictions:
        """Predict the property of crystals that were looked at."""
        found = [(np.zeros(0), np.zeros(0))]
        for start in range(0, len(seen), TOGETHER):
            values, errors = self.network(*packed(seen[start : start + TOGETHER]))
            value = values.mean(0).double().numpy()
            expected = errors.mean(0) + values.std(0, correction=0)
            found.append((value, self.about.stretch * expected.double().numpy()))
        value, uncertainty = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if self.about.least is not None:
            value = value.clip(self.about.least)
        return Predictions(self.about.property, self.about.unit, value, uncertainty)

    def predict(
        self, crystals: Sequence[Crystal], look: Look, progress: Callable[[int], None] = lambda _: None
    ) -> Predictions:
        """Predict the property of crystals.

        Parameters
        ----------
        crystals
            Any number of them.
        look
            Of the codec that the head belongs to, at its radii.
        progress
            Called with the number of crystals done since the last call.

        Raises
        ------
        CrystalError
            The first crystal that has none, by name.
        """
        seen = []
        for crystal in crystals:
            try:
                self.check(crystal)
                seen.append(look(crystal))
            except CrystalError as error:
                raise CrystalError(f"{crystal.name}: {error}" if crystal.name else str(error)) from error
            progress(1)
        return self.of_seen(seen)


def packed(seen: Sequence[Seen]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what the network takes: sites of all crystals as one table, shares, the crystal of each, compositions."""
    counts: Int[Tensor, " n"] = torch.tensor([len(one.share) for one in seen])
    tables = (np.concatenate([getattr(one, name) for one in seen]) for name in ("sites", "share"))
    sites, share = map(torch.from_numpy, tables)
    which = torch.repeat_interleave(torch.arange(len(seen)), counts)
    return sites, share, which, torch.from_numpy(np.stack([one.composition for one in seen]))


def stretch_of(off: Float[np.ndarray, " n"], expected: Float[np.ndarray, " n"]) -> float:
    """Return what to multiply expected errors by, so that they hold `COVERAGE` of others like these.

    Split conformal prediction (Lei et al. 2018): the ⌈(n + 1) · 0.9⌉-th smallest ratio of n, the largest if there are
    fewer.
    """
    ratios = np.sort(off / expected)
    return float(ratios[min(int(np.ceil((len(ratios) + 1) * COVERAGE)), len(ratios)) - 1])
