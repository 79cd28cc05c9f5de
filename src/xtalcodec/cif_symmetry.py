"""The symmetry operations of a CIF: read, checked, and counted before they are applied."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import CrystalError

if TYPE_CHECKING:
    from pymatgen.io.cif import CifBlock

SITE_TOLERANCE = 1e-4
"""Fractional; nearer than this, two images of a site are one site on a special position."""
_LISTED_OPERATIONS = (
    "_symmetry_equiv_pos_as_xyz",
    "_symmetry_equiv_pos_as_xyz_",
    "_space_group_symop_operation_xyz",
    "_space_group_symop_operation_xyz_",
)
_MOST_OPERATIONS = 768
"""Four times the 192 of F-centred cubic groups: room for unconventional settings."""
_TWO_ORIGINS = frozenset(
    (48, 50, 59, 68, 70, 85, 86, 88, 125, 126, 129, 130, 133, 134, 137, 138, 141, 142, 201, 203, 222, 224, 227, 228)
)
"""Space groups with two origin choices (International Tables A): their symbol alone places no atom."""

_NO_GROUP = "its symmetry operations are no group: one is missing or damaged"


def read_operations(tokens: "CifBlock", parser: Any) -> tuple[Float[np.ndarray, "ops 3 3"], Float[np.ndarray, "ops 3"]]:
    """Return the rotations and translations of the symmetry operations."""
    from pymatgen.core import SymmOp

    spelt = [key for key in tokens.data if re.search(r"(symop.operation|equiv.pos.as).xyz", key, re.IGNORECASE)]
    listed = next((tokens.data[key] for key in _LISTED_OPERATIONS if tokens.data.get(key)), None)
    if spelt and not listed:
        raise CrystalError(f"its symmetry operations ({spelt[0]}) cannot be read")
    if listed:
        try:
            operations = [SymmOp.from_xyz_str(text) for text in ([listed] if isinstance(listed, str) else listed)]
        except (ValueError, IndexError, ZeroDivisionError) as error:
            raise CrystalError("one of its symmetry operations cannot be read") from error
    else:
        operations = parser.get_symops(tokens)
        _check_symbol(tokens, known=len(operations) > 1)
    return np.array([o.rotation_matrix for o in operations]), np.array([o.translation_vector for o in operations])


def _check_symbol(tokens: "CifBlock", *, known: bool) -> None:
    """Refuse a space group's symbol that does not say by itself where the operations are."""
    from pymatgen.symmetry.groups import SpaceGroup

    tag = re.compile(r"(space_group.*(name|number))|int_tables", re.IGNORECASE)
    values = [re.sub(r"[\s_'\"]", "", str(value)) for key, value in tokens.data.items() if tag.search(key)]
    values = [value for value in values if value not in ("", "1", "P1", ".", "?")]
    if values and not known:
        raise CrystalError(f"it lists no symmetry operations, and its space group {values[0][:20]!r} is unknown")
    for value in values:
        try:
            number = int(value) if value.isdigit() else SpaceGroup(value.split(":")[0]).int_number
        except ValueError:
            continue
        if number in _TWO_ORIGINS:
            raise CrystalError(f"it lists no symmetry operations, and space group {value} has two choices of origin")


def check_group(
    rotations: Float[np.ndarray, "ops 3 3"], shifts: Float[np.ndarray, "ops 3"], metric: Float[np.ndarray, "3 3"]
) -> None:
    """Refuse operations that are no group (a line is missing or damaged) or that the cell does not have."""
    if len(rotations) > _MOST_OPERATIONS:
        raise CrystalError(f"it lists {len(rotations)} symmetry operations")
    integers = np.round(rotations).astype(int)
    if abs(rotations - integers).max() > 1e-6 or abs(integers).max() > 3 or (abs(_determinants(integers)) != 1).any():
        raise CrystalError("one of its symmetry operations is none")
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
        if (kinds[kind] != products).any() or not (abs(away - np.round(away)).max(-1) < 2e-3).any(1).all():
            raise CrystalError(_NO_GROUP)
    if abs(integers.transpose(0, 2, 1) @ metric @ integers - metric).max() > 0.02 * metric.max():
        raise CrystalError("its symmetry operations do not fit its cell")


def _determinants(matrices: Int[np.ndarray, "ops 3 3"]) -> Int[np.ndarray, " ops"]:
    return np.round(np.linalg.det(matrices)).astype(int)


def orbit_sizes(
    positions: Float[np.ndarray, "rows 3"], rotations: Float[np.ndarray, "ops 3 3"], shifts: Float[np.ndarray, "ops 3"]
) -> Int[np.ndarray, " rows"]:
    """Count the sites that symmetry makes of each row: an orbit has |group| / |stabiliser| of them."""
    away = np.einsum("oij,rj->roi", rotations, positions) + shifts - positions[:, None]
    stabiliser = (abs(away - np.round(away)).max(-1) < SITE_TOLERANCE).sum(1)
    return np.round(len(rotations) / stabiliser.clip(1)).astype(np.int64)
