"""How well crystals come back: the protocol of CDVAE (Xie et al. 2022, section 5.1), extended.

StructureMatcher with stol 0.5, angle_tol 10°, ltol 0.3; the decoder is told nothing but the code;
what fails to encode, decode or match counts as unmatched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.difference import difference, other_elements
from xtalcodec.evaluation.disorder import TOLERANCE, occupancy_error
from xtalcodec.evaluation.displacement import displacement
from xtalcodec.geometry.symmetry import SYMPREC, space_group
from xtalcodec.representations.base import Placement

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec

BINS = ((1, 10), (11, 20), (21, 30), (31, 52), (53, None))
"""Numbers of sites by which scores are split; both ends belong."""

DISPLACED = 0.1
"""Å; a match with a site farther off than this is marked. The matcher allows for half of (V/N)^(1/3), which in the
vacuum beside a sheet is more than a bond."""

NOTHING = "no atom found in the decoded field"
"""Why a latent gave no crystal."""


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """One crystal, what came back and how they compare."""

    original: Crystal
    decoded: Crystal | None
    """None where nothing could be decoded; such a row stays in every denominator."""
    space_group: str
    """Hermann-Mauguin symbol of the original, and of what came back, both within `SYMPREC`."""
    space_group_decoded: str
    matched: bool
    rms: float | None
    """StructureMatcher's RMS displacement over (V/N)^(1/3); None where not matched."""
    rms_angstrom: float | None
    same_count: bool
    same_composition: bool
    confidence: float
    """The codec's own estimate, 0 to 1, that the crystal came back right."""
    reason: str = ""
    """Why nothing came back, or how what did differs: where a disordered crystal matched, in which elements."""
    code_length: int = 0
    """How many numbers the code holds: latent, lattice, origin, basis and grid."""
    cycle_consistency: float | None = None
    """Distance of the decoded crystal's own latent from the code's, where asked for."""
    largest_angstrom: float | None = None
    """Largest displacement of a site in Å; None where not matched."""
    occupancy_error: float | None = None
    """Mean difference of an occupancy on shared sites; None for ordered crystals, and where not matched."""

    @property
    def displaced(self) -> bool:
        """Whether it matched with a site that is farther off than `DISPLACED`."""
        return self.largest_angstrom is not None and self.largest_angstrom > DISPLACED


def reconstruct(
    codec: "Codec",
    crystals: Sequence[Crystal],
    *,
    refine: bool = True,
    check: bool = True,
    cycle_consistency: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[Reconstruction]:
    """Encode, decode and compare crystals; one row each, in order, whatever happens to it.

    Parameters
    ----------
    codec
        A codec of any kind.
    crystals
        In any cell.
    refine
        Look whether crystals come back from their latents, and have them do so.
    check
        Mend what is read of latents until it encodes to them, see `Codec.decode_crystals`.
    cycle_consistency
        Encode what was decoded, and note how far its latent lies from the code's.
    progress
        Called with the number of crystals encoded since the last call.
    """
    placed: dict[int, Placement] = {}
    rows: dict[int, tuple] = {}
    for k, crystal in enumerate(crystals):
        try:
            placed[k] = codec.place(crystal)
        except CrystalError as error:
            rows[k] = (crystal, None, 0.0, 0, None, str(error))
    if placed:
        latents = codec.encode_placed([*placed.values()], refine=refine, progress=progress)
        decoded = codec.decode_crystals(latents, check=check)
        distances = codec.cycle_consistency(latents, check=check) if cycle_consistency else [None] * len(placed)
        for k, code, found, distance in zip(placed, latents, decoded, distances, strict=True):
            if found is None:
                rows[k] = (crystals[k], None, 0.0, code.length, None, NOTHING)
            else:
                rows[k] = (crystals[k], found.crystal, found.confidence, code.length, distance, "")
    return [compare(*rows[k]) for k in range(len(crystals))]


def compare(
    original: Crystal,
    decoded: Crystal | None,
    confidence: float,
    code_length: int,
    cycle_consistency: float | None,
    reason: str,
) -> Reconstruction:
    """Compare a crystal with what came back.

    Parameters
    ----------
    original, decoded
        The crystal, and what was decoded; None where nothing was.
    confidence
        The codec's own estimate that it is right, 0 to 1.
    code_length
        How many numbers the code holds.
    cycle_consistency
        Distance of the decoded crystal's own latent from the code's, where it was taken.
    reason
        Why nothing was decoded, where nothing was.
    """
    group = space_group(original, SYMPREC)
    if decoded is None:
        return Reconstruction(
            original, None, group, "", False, None, None, False, False, 0.0, reason, code_length, cycle_consistency
        )
    found = displacement(original, decoded)
    scale = (original.volume / len(original)) ** (1 / 3)
    return Reconstruction(
        original=original,
        decoded=decoded,
        space_group=group,
        space_group_decoded=space_group(decoded, SYMPREC),
        matched=found is not None,
        rms=None if found is None else found.rms,
        rms_angstrom=None if found is None else found.rms * scale,
        same_count=len(original) == len(decoded),
        same_composition=bool(abs(original.content - decoded.content).max() <= TOLERANCE),
        confidence=confidence,
        reason=other_elements(original, decoded) if found else difference(original, decoded),
        code_length=code_length,
        cycle_consistency=cycle_consistency,
        largest_angstrom=None if found is None else found.largest * scale,
        occupancy_error=None if found is None else occupancy_error(original, decoded),
    )


def auc(confidence: Sequence[float] | np.ndarray, matched: Sequence[bool] | np.ndarray) -> float | None:
    """Chance that a matched crystal is more confident than an unmatched one (ROC AUC, ties half).

    None where all or none matched: there is nothing to tell apart.
    """
    from scipy.stats import rankdata

    right = np.asarray(matched, dtype=bool)
    yes, no = int(right.sum()), int((~right).sum())
    if not yes or not no:
        return None
    return float((rankdata(confidence)[right].sum() - yes * (yes + 1) / 2) / (yes * no))


def summary(rows: Sequence[Reconstruction], codec: "Codec", seconds: float | None = None) -> dict[str, Any]:
    """Scores of a set, and the same by number of sites; failures count in every rate.

    Parameters
    ----------
    rows
        What `reconstruct` returned.
    codec
        Whose identity is noted.
    seconds
        What it took, where that was measured.
    """
    return summary_of(Measured.of(rows), codec.identity, seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What scores are made of: one number of each kind for every crystal."""

    sites: Int[np.ndarray, " crystals"]
    """Of the original."""
    matched: Bool[np.ndarray, " crystals"]
    rms: Float[np.ndarray, " crystals"]
    """Over (V/N)^(1/3); NaN where not matched."""
    rms_angstrom: Float[np.ndarray, " crystals"]
    """NaN where not matched."""
    largest_angstrom: Float[np.ndarray, " crystals"]
    """Displacement of a site; NaN where not matched."""
    same_count: Bool[np.ndarray, " crystals"]
    same_composition: Bool[np.ndarray, " crystals"]
    confidence: Float[np.ndarray, " crystals"]
    code_length: Int[np.ndarray, " crystals"]
    """0 where there is no code."""
    disordered: Bool[np.ndarray, " crystals"]
    """Whether the original is."""
    occupancy_error: Float[np.ndarray, " crystals"]
    """NaN where there is none to measure."""

    @classmethod
    def of(cls, rows: Sequence[Reconstruction]) -> "Measured":
        """Take the numbers of rows."""

        def column(name: str, kind: type) -> np.ndarray:
            return np.array([getattr(row, name) for row in rows], dtype=kind)

        return cls(
            np.array([len(row.original) for row in rows], dtype=int),
            column("matched", bool),
            column("rms", float),
            column("rms_angstrom", float),
            column("largest_angstrom", float),
            column("same_count", bool),
            column("same_composition", bool),
            column("confidence", float),
            column("code_length", int),
            np.array([not row.original.is_ordered for row in rows], dtype=bool),
            column("occupancy_error", float),
        )

    def part(self, chosen: Bool[np.ndarray, " crystals"]) -> "Measured":
        """Return the numbers of some crystals."""
        return Measured(*(getattr(self, name)[chosen] for name in self.__slots__))


def summary_of(measured: Measured, identity: str, seconds: float | None = None) -> dict[str, Any]:
    """Scores as of `summary`, from the numbers that they are made of.

    Parameters
    ----------
    measured
        The crystals' numbers.
    identity
        Of the codec.
    seconds
        What it took, where that was measured.
    """
    result = {"codec": identity, **_scores(measured), "seconds": seconds}
    result["confidence_auc"] = auc(measured.confidence, measured.matched)
    result["by_sites"] = {
        f"{low}-{high}" if high else f"{low}+": _scores(measured.part(inside))
        for low, high in BINS
        if (inside := (measured.sites >= low) & (measured.sites <= (high or np.inf))).any()
    }
    return result


def _scores(measured: Measured) -> dict[str, Any]:
    """Rates over all crystals; means of distances over those that have them."""

    def mean(values: np.ndarray) -> float | None:
        return float(values.astype(float).mean()) if len(values) else None

    return {
        "n": len(measured.sites),
        "match_rate": mean(measured.matched),
        "rmse": mean(measured.rms[~np.isnan(measured.rms)]),
        "rmse_angstrom": mean(measured.rms_angstrom[~np.isnan(measured.rms_angstrom)]),
        "displaced": int((measured.largest_angstrom > DISPLACED).sum()),
        "count_rate": mean(measured.same_count),
        "composition_rate": mean(measured.same_composition),
        "disordered": int(measured.disordered.sum()),
        "occupancy_error": mean(measured.occupancy_error[~np.isnan(measured.occupancy_error)]),
        "code_length": mean(measured.code_length[measured.code_length > 0]),
    }
