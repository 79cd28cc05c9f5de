"""What becomes of a crystal that is altered before it is encoded. Only the decoder says what crystal a code is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from xtalcodec.codecs.latents import LatentSet
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.elements import atomic_number

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec


@dataclass(frozen=True, slots=True)
class Replacement:
    """One element for another."""

    old: int
    """Atomic number of what is in the crystal."""
    new: int
    """Atomic number of what takes its sites."""

    @classmethod
    def parse(cls, text: str) -> "Replacement":
        """Read `Sr=Ba`.

        Raises
        ------
        ValueError
            Not two elements with = between them.
        """
        old, equals, new = (part.strip() for part in text.partition("="))
        if not equals:
            raise ValueError(f"{text!r} is no replacement: write what is there = what takes its place, as in Sr=Ba")
        try:
            return cls(atomic_number(old), atomic_number(new))
        except ValueError as error:
            raise ValueError(f"{text!r}: {error}") from error


def replaced(
    crystal: Crystal, replacements: Sequence[Replacement], sites: Bool[np.ndarray, " sites"] | None = None
) -> Crystal:
    """Return the crystal with species replaced, all at once, so that Sr=Ba and Ba=Sr swap them.

    Parameters
    ----------
    crystal
        What is altered.
    replacements
        Elements for others.
    sites
        Where; None for everywhere.

    Raises
    ------
    CrystalError
        An element that is not in the crystal, or that is to be replaced twice.
    """
    from ase.data import chemical_symbols

    shares, words = crystal.shares(), [crystal.called]
    made = shares.copy()
    may = np.ones(len(crystal), dtype=bool) if sites is None else sites
    done: dict[int, int] = {}
    for change in replacements:
        symbol = chemical_symbols[change.old]
        if change.old in done:
            raise CrystalError(f"{symbol} cannot be replaced by two elements at once")
        here = may & (shares[:, change.old] > 0)
        if not here.any():
            there = ", ".join(chemical_symbols[z] for z in np.flatnonzero(shares[may].any(0)) if z)
            where = crystal.called if sites is None else "the chosen part"
            raise CrystalError(f"{where} has no {symbol} to replace; it has {there}")
        made[here, change.old] -= shares[here, change.old]
        made[here, change.new] += shares[here, change.old]
        done[change.old] = change.new
        words.append(f"{symbol}={chemical_symbols[change.new]}")
    made = made.round(12)  # 0.3 + 0.35 + 0.35 is less than 1 by rounding, which would be a site that is shared
    numbers = made[:, 1:].argmax(1) + 1
    return replace(crystal.without_properties(), numbers=numbers, occupancies=made, name="-".join(words))


def with_density(codec: "Codec", crystal: Crystal, scales: Sequence[float]) -> LatentSet:
    """Encode one crystal as often as there are `scales`, its painted field multiplied by each.

    Parameters
    ----------
    codec
        A codec of any kind.
    crystal
        One that the codec can hold.
    scales
        What the painted field is multiplied by, above 0.

    Raises
    ------
    CrystalError
        A crystal that this codec cannot hold; a scale that is not a positive number.
    """
    for scale in scales:
        if not (np.isfinite(scale) and scale > 0):
            raise CrystalError(f"a density can be multiplied by a positive number, not by {scale:g}")
    name = crystal.called
    try:
        latents = codec.encode_scaled(crystal, scales)
    except CrystalError as error:
        raise CrystalError(f"{name}: {error}") from error
    named = [replace(c, name=f"{name}-density-{scale:g}") for c, scale in zip(latents, scales, strict=True)]
    return replace(latents, codes=tuple(named))
