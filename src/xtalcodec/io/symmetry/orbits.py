"""From the rows of a file to all sites of the cell: copies that are one site are put where symmetry has it.

Rounded coordinates miss their special position: 0.3333 is not 1/3, and 2 × 0.1234 is not 0.2469. The copies
that symmetry makes of such a site lie around it, a last digit apart, and the site is at their mean
(International Tables A, 2.1.3: a site's multiplicity is the order of the group over that of its stabiliser).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from xtalcodec.crystal import CrystalError
from xtalcodec.geometry.images import wrapped
from xtalcodec.io.found import check_size
from xtalcodec.io.symmetry.operations import Operations

COPIES = 0.1
"""Å; copies of one site nearer than this are one site. The shortest bond, H–H, is 0.74 Å."""
_NOISE = 0.01
"""Å; copies nearer than this are one site whatever their digits say: programs write noise to any digit."""
_SAME = 1e-3
"""Å; images of a site that is where symmetry has it coincide within rounding of the cell's angles."""
_TOLD = 1e-4
"""Å; how far a site is moved without a note."""


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """All sites of one cell."""

    frac_coords: Float[np.ndarray, "sites 3"]
    """Fractional coordinates in [0, 1)."""
    rows: Int[np.ndarray, " sites"]
    """The row of the file that each site comes from."""
    operations: Int[np.ndarray, " sites"]
    """The operation that makes each site from its row."""
    notes: tuple[str, ...] = ()
    """What was assumed."""


def expand(
    positions: Float[np.ndarray, "rows 3"],
    digits: Float[np.ndarray, "rows 3"],
    labels: Sequence[str],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
    max_sites: int,
) -> Sites:
    """Make all sites of the cell from one row per orbit.

    Parameters
    ----------
    positions
        Fractional coordinates as the file has them.
    digits
        How far each coordinate may be off, by its last digit and its standard uncertainty, fractional.
    labels
        What messages call the rows.
    operations
        The whole space group, checked.
    lattice
        Rows are the cell vectors, in Å.
    max_sites
        Refuse more sites than this before they are made.

    Raises
    ------
    CrystalError
        Copies of one site that all but coincide though their digits tell them apart; two rows at one place.
    """
    positions, moved = _onto_special_positions(positions, digits, labels, operations, lattice)
    images = operations.images(positions)
    away = images - positions[:, None]
    stabiliser = _distance(away, lattice) < COPIES
    check_size(int(np.round(len(operations) / stabiliser.sum(1)).sum()), max_sites)
    found, rows, made_by = [], [], []
    for row, own in enumerate(images):
        orbit = _orbit(own, lattice)
        if len(orbit) * stabiliser[row].sum() != len(operations):
            raise CrystalError(_too_few_digits(labels[row]))
        found.append(own[orbit])
        rows += [row] * len(orbit)
        made_by += orbit
    frac_coords = np.concatenate(found) % 1.0
    frac_coords[frac_coords >= 1] = 0.0  # -1e-20 % 1 is 1
    sites = np.array(rows)
    _check_apart(frac_coords, sites, labels, lattice)
    return Sites(frac_coords, sites, np.array(made_by), _merged(labels, moved))


def closed_under(
    frac_coords: Float[np.ndarray, "sites 3"],
    numbers: Int[np.ndarray, " sites"],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
) -> bool:
    """Tell whether every image of every site is a site of the same element, within 0.1 Å.

    Parameters
    ----------
    frac_coords, numbers
        Sites of the cell.
    operations
        Of the group.
    lattice
        Cell vectors, rows in Å.
    """
    for rotation, shift in zip(operations.rotations, operations.shifts, strict=True):
        image, site, _ = pairs_within(COPIES, frac_coords @ rotation.T + shift, frac_coords, lattice)
        if len(np.unique(image[numbers[image] == numbers[site]])) < len(numbers):
            return False
    return True


def pairs_within(
    distance: float,
    places: Float[np.ndarray, "n 3"],
    among: Float[np.ndarray, "m 3"],
    lattice: Float[np.ndarray, "3 3"],
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """Find the pairs of places nearer than a distance, in memory that grows with their number alone.

    Parameters
    ----------
    distance
        Å.
    places, among
        Fractional coordinates.
    lattice
        Cell vectors, rows in Å.

    Returns
    -------
    Indices into `places` and `among`, and how far apart they are, in Å.
    """
    from scipy.spatial import cKDTree

    trees = [cKDTree(wrapped(x), boxsize=1.0) for x in (places, among)]
    near = trees[0].sparse_distance_matrix(trees[1], _reach(distance, lattice), p=np.inf, output_type="ndarray")
    one, other = near["i"], near["j"]
    apart = _distance(places[one] - among[other], lattice)
    return one[apart < distance], other[apart < distance], apart[apart < distance]


def _reach(distance: float, lattice: Float[np.ndarray, "3 3"]) -> float:
    """Largest fractional coordinate of a vector of this length in Å."""
    return distance * float(np.linalg.norm(np.linalg.inv(lattice), axis=0).max())


def _distance(away: Float[np.ndarray, "... 3"], lattice: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "..."]:
    """Length in Å of fractional differences, modulo the lattice; exact where it is far below the cell's edges."""
    return np.linalg.norm((away - np.round(away)) @ lattice, axis=-1)


def _onto_special_positions(
    positions: Float[np.ndarray, "rows 3"],
    digits: Float[np.ndarray, "rows 3"],
    labels: Sequence[str],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
) -> tuple[Float[np.ndarray, "rows 3"], Float[np.ndarray, " rows"]]:
    """Move every row to the mean of those of its copies that are the same site; return by how many Å."""
    given = positions
    near = np.zeros((len(positions), len(operations)), dtype=bool)
    for _ in range(3):  # a second round where the first brought further copies near
        away = operations.images(positions) - positions[:, None]
        away -= np.round(away)
        distance = np.linalg.norm(away @ lattice, axis=-1)
        before, near = near, distance < COPIES
        _check_digits(away, distance, digits, near, operations, labels)
        if (near == before).all():
            break
        positions = positions + (away * near[..., None]).sum(1) / near.sum(1)[:, None]
    if (distance[near] > _SAME).any():
        row = int((near & (distance > _SAME)).any(1).argmax())
        raise CrystalError(_too_few_digits(labels[row]))
    return positions, np.linalg.norm((positions - given) @ lattice, axis=-1)


def _check_digits(
    away: Float[np.ndarray, "rows ops 3"],
    distance: Float[np.ndarray, "rows ops"],
    digits: Float[np.ndarray, "rows 3"],
    near: Bool[np.ndarray, "rows ops"],
    operations: Operations,
    labels: Sequence[str],
) -> None:
    """Refuse copies that lie within 0.1 Å though the digits of the coordinates tell them apart."""
    may_be_off = np.einsum("oij,rj->roi", abs(operations.rotations), digits) + digits[:, None]
    explained = (abs(away) <= may_be_off + 1e-9).all(-1) | (distance < _NOISE)
    wrong = (near & ~explained).any(1)
    if wrong.any():
        raise CrystalError(_too_few_digits(labels[int(wrong.argmax())]))


def _too_few_digits(label: str) -> str:
    return f"symmetry copies of site {label[:30]} nearly coincide: its digits place it beside a special position"


def _orbit(images: Float[np.ndarray, "ops 3"], lattice: Float[np.ndarray, "3 3"]) -> list[int]:
    """Choose one image of each site, the first as given."""
    kept = []
    left = np.ones(len(images), dtype=bool)
    while left.any():
        k = int(left.argmax())
        kept.append(k)
        left &= _distance(images - images[k], lattice) >= COPIES
    return kept


def _check_apart(
    frac_coords: Float[np.ndarray, "sites 3"],
    rows: Int[np.ndarray, " sites"],
    labels: Sequence[str],
    lattice: Float[np.ndarray, "3 3"],
) -> None:
    """Refuse two sites at one place."""
    if _reach(COPIES, lattice) >= 0.5:
        raise CrystalError("its cell is flatter than an atom")
    one, other, _ = pairs_within(COPIES, frac_coords, frac_coords, lattice)
    same = np.stack([one, other], axis=1)[one < other]
    if len(same):
        names = ", ".join(sorted({labels[row][:30] for row in rows[same[0]]}))
        raise CrystalError(f"two of its sites, or symmetry copies of them, are at the same place: {names}")


def _merged(labels: Sequence[str], moved: Float[np.ndarray, " rows"]) -> tuple[str, ...]:
    """Tell which sites were moved onto their special position, by more than rounding in the sixth digit."""
    names = [label[:30] for label, distance in zip(labels, moved, strict=True) if distance > _TOLD]
    if not names:
        return ()
    return (f"copies that nearly coincide are one site at their mean, up to {max(moved):.4f} Å away: {_listed(names)}",)


def _listed(names: Sequence[str]) -> str:
    """Name a few, and count the rest."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
