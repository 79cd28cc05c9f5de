"""How sensible crystals are that no one has encoded: atoms apart, room for each, and how many differ.

Nothing is left out: what decodes to no atoms, or to atoms on top of each other, is a row that is not valid.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.codecs.windows import decode_windows
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.displacement import rms_displacement
from xtalcodec.evaluation.reconstruction import NOTHING
from xtalcodec.geometry.room import CLOSEST, FAR, room
from xtalcodec.geometry.symmetry import SYMPREC, space_group
from xtalcodec.geometry.window_lattice.folding import partnerless

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.codecs.decoding import DecodedCrystal

EXPLAINED = 0.9
"""Least share of the atoms in a repeating window that the crystal read from it accounts for."""


@dataclass(frozen=True, slots=True)
class Generated:
    """One sample and what is wrong with it."""

    name: str
    crystal: Crystal | None
    """None where nothing was decoded."""
    confidence: float
    closest: float
    """Smallest distance of two atoms over the sum of their covalent radii; `FAR` where none is nearer."""
    space_group: str
    reason: str
    """Why it is not valid; empty where it is."""
    same_as: str = ""
    """Name of the first valid sample that is the same crystal, where there is one."""
    explained: float | None = None
    """Share of the atoms in a repeating window that the crystal accounts for."""

    @property
    def valid(self) -> bool:
        """Whether the sample passes every check of validity."""
        return not self.reason

    @property
    def volume(self) -> float | None:
        """Volume per atom, Å³."""
        return self.crystal.volume / len(self.crystal) if self.crystal else None


class Kinds:
    """Tells valid crystals that are the same as an earlier one, as they come."""

    def __init__(self) -> None:
        """Begin without any."""
        self._first: dict[str, list[Generated]] = {}

    def compared(self, row: Generated) -> Generated:
        """Return it with the name of the first valid one that is the same; a new one is the first of its kind."""
        row = replace(row, same_as="")
        if not row.valid or row.crystal is None:
            return row
        alike = self._first.setdefault(row.crystal.formula, [])
        twin = next((other for other in alike if _same(row, other)), None)
        if twin:
            return replace(row, same_as=twin.name)
        alike.append(row)
        return row


class Assessor:
    """Judges samples as they come: it knows the valid ones before them."""

    def __init__(self, codec: "Codec") -> None:
        """Keep the codec that decodes them."""
        self.codec = codec
        self._kinds = Kinds()

    def judge(self, latents: LatentSet, decoded: "Sequence[DecodedCrystal | None]") -> list[Generated]:
        """Judge the next samples, in order: whether each is valid, and whether it repeats an earlier valid one.

        Parameters
        ----------
        latents, decoded
            Codes of the samples, and the crystals that they decode to; None where there was no atom.
        """
        shares = explained(self.codec, latents, decoded)
        rows = (_row(c.name, found, share) for c, found, share in zip(latents, decoded, shares, strict=True))
        return [self._kinds.compared(row) for row in rows]


def assess(codec: "Codec", latents: LatentSet, decoded: "Sequence[DecodedCrystal | None]") -> list[Generated]:
    """Judge samples that are all there, see `Assessor`.

    Parameters
    ----------
    codec
        That decoded the samples.
    latents, decoded
        Codes of the samples, and the crystals that they decode to; None where there was no atom.
    """
    return Assessor(codec).judge(latents, decoded)


def _same(a: Generated, b: Generated) -> bool:
    """Whether two samples match by CDVAE's StructureMatcher, in the root mean square over their sites.

    `sameness.same` asks it of the site that is furthest off, as the matcher's `fit` does, and finds fewer the same.
    """
    if a.crystal is None or b.crystal is None or a.crystal.formula != b.crystal.formula:
        return False
    return rms_displacement(a.crystal, b.crystal) is not None


def _row(name: str, found: "DecodedCrystal | None", share: float | None) -> Generated:
    if found is None:
        return Generated(name, None, 0.0, FAR, "", nothing(share), explained=share)
    return checked(name, found.crystal, found.confidence, share)


def checked(name: str, crystal: Crystal, confidence: float, share: float | None = None) -> Generated:
    """Judge one crystal that was made: whether atoms are apart and have room.

    Parameters
    ----------
    name
        Of the row.
    crystal
        What was made.
    confidence
        In it, 0 to 1.
    share
        Of the atoms in a repeating window, what it accounts for; None where there is no such window.
    """
    about = room(crystal)
    reasons = list(about.reasons)
    if share is not None and share < EXPLAINED:
        reasons.append(f"{100 * (1 - share):.0f} % of the window's atoms are not the crystal's")
    group = space_group(crystal, SYMPREC)
    return Generated(name, crystal, confidence, about.closest, group, "; ".join(reasons), explained=share)


def nothing(share: float | None) -> str:
    """Why no crystal was decoded."""
    return NOTHING if share is None else "the atoms in its window do not repeat"


def explained(codec: "Codec", latents: LatentSet, decoded: "Sequence[DecodedCrystal | None]") -> list[float | None]:
    """Share of the atoms in each repeating window that the crystal read from it accounts for, species included.

    Folding averages what repeats and drops the rest: this tells how much that was. None where the codec has no
    repeating window, or no atom was decoded.

    Parameters
    ----------
    codec
        That decoded the samples.
    latents, decoded
        Codes, and the crystals that they decode to; None where there was no atom.
    """
    window = codec.window
    if window is None or window.closed:
        return [None] * len(latents)
    edge = window.field.edge
    shares: list[float | None] = []
    for code, found, atoms in zip(latents, decoded, decode_windows(codec, latents), strict=True):
        if found is None:
            shares.append(0.0 if len(atoms.numbers) else None)
            continue
        shares.append(_accounted(code.on_grid(found.crystal), atoms, edge))
    return shares


def _accounted(crystal: Crystal, atoms: FoundAtoms, edge: float) -> float:
    """Share of the atoms away from the faces that have one of the crystal's, of their species, where they are."""
    (missed, count), _ = partnerless(
        crystal.lattice, crystal.frac_coords, crystal.numbers, atoms.positions, atoms.numbers, edge
    )
    return (count - missed) / count if count else 0.0


def generation_summary(rows: Sequence[Generated]) -> dict[str, Any]:
    """Shares of all samples; volumes and formulas of the valid ones."""
    valid = [row for row in rows if row.valid]
    unique = [row for row in valid if not row.same_as]
    volumes = [row.volume for row in valid if row.volume is not None]
    formulas = Counter(row.crystal.formula for row in valid if row.crystal)
    return {
        "n": len(rows),
        "decoded": sum(row.crystal is not None for row in rows),
        "valid": len(valid),
        "unique": len(unique),
        "valid_rate": len(valid) / len(rows) if rows else None,
        "unique_rate": len(unique) / len(rows) if rows else None,
        "not_repeating": sum(row.explained is not None and row.explained < EXPLAINED for row in rows),
        "too_close": sum(row.crystal is not None and row.closest <= CLOSEST for row in rows),
        "volume_per_atom": float(np.median(volumes)) if volumes else None,
        "formulas": dict(formulas.most_common()),
    }
