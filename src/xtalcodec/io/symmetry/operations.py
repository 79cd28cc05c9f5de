"""Symmetry operations: read from triplets such as -x, y+1/2, -z, and checked to be a group that the cell has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import CrystalError

_MOST_OPERATIONS = 768
"""Four times the 192 of F-centred cubic groups: room for unconventional settings."""
_SHIFT_TOLERANCE = 2e-3
"""Fractional; 0.333 and 1/3 are the same translation."""
_MISFIT = 0.02
"""Relative to the largest element of the metric tensor: how far a cell may be from having its symmetry."""

_NO_GROUP = "its symmetry operations are no group: one is missing or damaged"
_NONE = "one of its symmetry operations is none"


@dataclass(frozen=True, slots=True, eq=False)
class Operations:
    """The operations x' = R x + t of a space group, all of them, centring included."""

    rotations: Float[np.ndarray, "ops 3 3"]
    """R, acting on columns of fractional coordinates."""
    shifts: Float[np.ndarray, "ops 3"]
    """t, in fractional coordinates."""
    reversal: Int[np.ndarray, " ops"] | None = None
    """−1 where a magnetic operation reverses time, 1 where it does not; None where the file does not say."""

    def __len__(self) -> int:
        """Return the order of the group within one cell."""
        return len(self.shifts)

    @property
    def centring(self) -> Float[np.ndarray, "points 3"]:
        """Translations of the pure translations in the group: the lattice points of one cell."""
        return self.shifts[(abs(self.rotations - np.eye(3)) < 1e-6).all((1, 2))]

    def images(self, frac_coords: Float[np.ndarray, "rows 3"]) -> Float[np.ndarray, "rows ops 3"]:
        """Return every image of every position."""
        return np.einsum("oij,rj->roi", self.rotations, frac_coords) + self.shifts


IDENTITY = Operations(np.eye(3)[None], np.zeros((1, 3)))


def from_triplets(texts: Sequence[str]) -> Operations:
    """Read operations such as `-x, y+1/2, -z`; a number in front of one, as some programs write, is passed over."""
    from pymatgen.core import SymmOp

    if len(texts) > _MOST_OPERATIONS:
        raise CrystalError(f"it lists {len(texts)} symmetry operations")
    try:
        read = [SymmOp.from_xyz_str(re.sub(r"^\s*\d+\s+", "", text)) for text in texts]
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise CrystalError("one of its symmetry operations cannot be read") from error
    rotations = np.array([operation.rotation_matrix for operation in read])
    shifts = np.array([operation.translation_vector for operation in read])
    if not (np.isfinite(rotations).all() and np.isfinite(shifts).all()):
        raise CrystalError(_NONE)
    return Operations(rotations, _exact(shifts))


def from_gemmi(group: Any) -> Operations:
    """Take gemmi's `GroupOps`, whose numbers are in 24ths."""
    operations = list(group)
    rotations = np.array([operation.rot for operation in operations]) / 24
    return Operations(rotations, np.array([operation.tran for operation in operations]) / 24)


def _exact(shifts: Float[np.ndarray, "ops 3"]) -> Float[np.ndarray, "ops 3"]:
    """Take 0.3333 for 1/3: translations of space groups are multiples of 1/24."""
    nearest = np.round(shifts * 24) / 24
    return np.where(abs(shifts - nearest) < _SHIFT_TOLERANCE, nearest, shifts)


def misfit(operations: Operations, metric: Float[np.ndarray, "3 3"]) -> float:
    """Largest change of the cell's metric tensor under the operations, relative to the tensor's largest element."""
    rotations = operations.rotations
    return float(abs(rotations.transpose(0, 2, 1) @ metric @ rotations - metric).max() / metric.max())


def fits(operations: Operations, metric: Float[np.ndarray, "3 3"]) -> bool:
    """Tell whether the cell can have these operations."""
    return misfit(operations, metric) <= _MISFIT


def check_group(operations: Operations, metric: Float[np.ndarray, "3 3"]) -> None:
    """Refuse operations that are no group (a line is missing or damaged) or that the cell does not have."""
    rotations, shifts = operations.rotations, operations.shifts
    if len(rotations) > _MOST_OPERATIONS:
        raise CrystalError(f"it lists {len(rotations)} symmetry operations")
    integers = np.round(rotations.clip(-9, 9)).astype(int)
    if abs(rotations - integers).max() > 1e-6 or abs(integers).max() > 3 or (abs(_determinants(integers)) != 1).any():
        raise CrystalError(_NONE)
    # Rotations as numbers in base 7 (entries are -3…3, and beyond 1 only in unconventional cells).
    keys = (integers + 3).reshape(-1, 9) @ 7 ** np.arange(9)
    kinds, counts = np.unique(keys, return_counts=True)
    if len(set(counts)) > 1:
        raise CrystalError(_NO_GROUP)
    # In a group every rotation comes with as many translations as the cell has lattice points.
    centring = shifts[np.argsort(keys, kind="stable")].reshape(len(kinds), -1, 3)
    for rotation, shift in zip(integers, shifts, strict=True):
        products = (rotation @ integers + 3).reshape(-1, 9) @ 7 ** np.arange(9)
        kind = np.searchsorted(kinds, products).clip(max=len(kinds) - 1)
        away = (shifts @ rotation.T + shift)[:, None] - centring[kind]
        if (kinds[kind] != products).any() or not (abs(away - np.round(away)).max(-1) < _SHIFT_TOLERANCE).any(1).all():
            raise CrystalError(_NO_GROUP)
    if not fits(operations, metric):
        raise CrystalError("its symmetry operations do not fit its cell")


def _determinants(matrices: Int[np.ndarray, "ops 3 3"]) -> Int[np.ndarray, " ops"]:
    return np.round(np.linalg.det(matrices)).astype(int)
