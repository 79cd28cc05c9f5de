"""Atoms of a window on a known lattice → the sites of one cell; and back to the window.

A window is a cube [0, edge)³ on the infinite crystal, in any orientation and at any offset. Positions
in it are Cartesian, in Å, from its corner; lattices have the cell vectors in their rows, in the same frame.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, slots=True)
class FoldConfig:
    """How copies of one site are told from other sites; lengths in Å."""

    radius: float = 0.35
    """Atoms nearer than this after folding are copies of one site: half of the shortest bond (H–H, 0.74 Å)."""
    skin: float = 0.2
    """An atom this near to a face may be in or out of the window: its absence says nothing."""
    seen: float = 0.5
    """A site stays when it is seen in at least this share of the places where it must be."""
    rounds: int = 4
    """Times, at most, that copies are found and the lattice is fitted to them."""
    settled: float = 0.01
    """A lattice that changes by less is found."""
    trim: float = 3.0
    """Copies farther from their site than so many times the median distance do not count in the averages."""


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """The sites of one cell, averaged over all copies in a window, and how well the copies agree."""

    lattice: Float[np.ndarray, "3 3"]
    """Rows are the cell vectors, in Å, in the frame of the window."""
    frac_coords: Float[np.ndarray, "sites 3"]
    """In [0, 1); the corner of the window is the origin."""
    numbers: Int[np.ndarray, " sites"]
    """Atomic numbers that most copies have."""
    agreement: Float[np.ndarray, " sites"]
    """Share of the copies that have this species."""
    seen: Int[np.ndarray, " sites"]
    """Copies seen where they must be: in the window, not within `skin` of a face."""
    expected: Int[np.ndarray, " sites"]
    """Places where a copy must be seen."""
    spread: Float[np.ndarray, " sites"]
    """Root mean square distance of the copies from their site, Å."""
    noise: float
    """Root mean square error of an atom's position in the window, in Å, free of what averaging over few copies hides;
    infinite where no site is seen twice."""


def fold(
    positions: Float[np.ndarray, "atoms 3"],
    numbers: Int[np.ndarray, " atoms"],
    lattice: Float[np.ndarray, "3 3"],
    edge: float = 10.0,
    config: FoldConfig = FoldConfig(),
    *,
    refine: bool = True,
) -> Folded:
    """Fold a window into one cell of a lattice that is known, exactly or nearly.

    (1) Atoms that coincide on the torus are copies of one site; (2) lattice and sites are fitted to all
    copies by linear least squares, and copies are found anew on the better lattice until it stays;
    (3) species by majority, of equals the one with more atoms; (4) sites that are missing from most of
    their places are dropped.

    Parameters
    ----------
    positions, numbers
        The atoms in the window, Å from its corner; some may be missing, displaced, spurious or of a wrong species.
    lattice
        Rows in Å; near enough that neighbouring cells agree within `radius`.
    edge
        Length of the window, Å.
    config
        How copies of one site are told from other sites.
    refine
        Whether the lattice is fitted too; otherwise it is taken as exact.

    Raises
    ------
    ValueError
        No atoms.
    """
    if not len(numbers):
        raise ValueError("there are no atoms to fold")
    for _ in range(config.rounds):
        site, cell = _copies(positions, lattice, config.radius)
        change, centre, keep = _fit(positions, lattice, site, cell, config.trim, refine=refine)
        lattice = lattice + change
        if abs(change).max() < config.settled:
            break
    residual = np.linalg.norm(positions - cell @ lattice - centre[site], axis=1)
    count = np.bincount(site[keep], minlength=len(centre))
    square = np.bincount(site[keep], residual[keep] ** 2, len(centre))
    free = keep.sum() - len(centre)

    species, which = np.unique(numbers, return_inverse=True)
    votes = np.zeros((len(centre), len(species)))
    np.add.at(votes, (site, which), 1)
    winner = (votes + np.bincount(which) / (len(numbers) + 1)).argmax(1)  # of equals, the one with more atoms
    frac_coords = centre @ np.linalg.inv(lattice) % 1.0
    frac_coords[frac_coords >= 1] = 0.0  # −1e-17 % 1 is 1
    seen, expected = _sightings(positions, lattice, frac_coords, edge, config)
    stays = seen >= config.seen * expected
    return Folded(
        lattice,
        frac_coords[stays],
        species[winner][stays],
        (votes.max(1) / votes.sum(1))[stays],
        seen[stays],
        expected[stays],
        np.sqrt(square / count)[stays],
        float(np.sqrt(square.sum() / free)) if free else np.inf,
    )


def window_of(
    lattice: Float[np.ndarray, "3 3"],
    frac_coords: Float[np.ndarray, "sites 3"],
    numbers: Int[np.ndarray, " sites"],
    edge: float = 10.0,
    origin: Float[np.ndarray, "3"] | None = None,
) -> tuple[Float[np.ndarray, "atoms 3"], Int[np.ndarray, " atoms"]]:
    """Return the atoms of a crystal in the cube of `edge` Å whose corner is at `origin` (Å; 0 0 0 if not given).

    Positions are from that corner, each in [0, edge); what `numbers` says of a site goes with its copies.

    Parameters
    ----------
    lattice
        Cell vectors, rows in Å.
    frac_coords, numbers
        Sites of the cell.
    edge
        Of the cube, Å.
    origin
        Å: where the cube's corner is in the crystal.
    """
    corner = np.zeros(3) if origin is None else origin
    unit = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 3)
    reach = (unit * edge + corner) @ np.linalg.inv(lattice)  # the cube's corners in cells
    low, high = np.floor(reach.min(0)).astype(int), np.ceil(reach.max(0)).astype(int)
    axes = [np.arange(a - 1, b + 1) for a, b in zip(low, high, strict=True)]  # one more for what rounding hides
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    inner = frac_coords - np.floor(frac_coords)
    positions = ((cells @ lattice - corner)[:, None] + inner @ lattice).reshape(-1, 3)
    inside = ((positions >= 0) & (positions < edge)).all(1)
    return positions[inside], np.tile(numbers, len(cells))[inside]


def reproduced(
    folded: Folded,
    positions: Float[np.ndarray, "atoms 3"],
    numbers: Int[np.ndarray, " atoms"],
    edge: float,
    config: FoldConfig = FoldConfig(),
) -> tuple[int, int]:
    """Compare the window with what the folded crystal says it must hold, away from the faces.

    Parameters
    ----------
    folded
        The crystal that was read.
    positions, numbers
        Atoms in the window, Å from its corner.
    edge
        Of the window, Å.
    config
        How atoms were folded.

    Returns
    -------
    atoms without a partner of their species within `radius`, and atoms compared: of the observed ones or of
    those that must be there, whichever has the larger share without a partner.
    """
    found = partnerless(folded.lattice, folded.frac_coords, folded.numbers, positions, numbers, edge, config)
    return max(found, key=lambda pair: (pair[0] / max(pair[1], 1), pair[1]))


def partnerless(
    lattice: Float[np.ndarray, "3 3"],
    frac_coords: Float[np.ndarray, "sites 3"],
    numbers: Int[np.ndarray, " sites"],
    positions: Float[np.ndarray, "atoms 3"],
    observed: Int[np.ndarray, " atoms"],
    edge: float,
    config: FoldConfig = FoldConfig(),
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Count the atoms of a window that a crystal does not have, and those of the crystal that the window lacks.

    Parameters
    ----------
    lattice
        Cell vectors of the crystal in the window's frame, rows in Å.
    frac_coords, numbers
        Sites of its cell; the corner of the window is the origin.
    positions, observed
        Atoms in the window, Å from its corner, and their atomic numbers.
    edge
        Of the window, Å.
    config
        How atoms were folded.

    Returns
    -------
    atoms without a partner of their species within `radius`, and atoms compared, away from the faces: first of the
    observed ones, then of those that must be there.
    """
    corner = np.full(3, -config.skin)
    model, species = window_of(lattice, frac_coords, numbers, edge + 2 * config.skin, origin=corner)
    model = model + corner
    return (
        _partnerless(positions, observed, model, species, edge, config),
        _partnerless(model, species, positions, observed, edge, config),
    )


def interior(positions: Float[np.ndarray, "*n 3"], edge: float, skin: float) -> Bool[np.ndarray, "*n"]:
    """Whether points lie in the window and farther than `skin` from its faces.

    Parameters
    ----------
    positions
        Å from the cube's corner.
    edge
        Of the cube, Å.
    skin
        Å: how far from the faces an atom must be.
    """
    return np.all((positions >= skin) & (positions <= edge - skin), axis=-1)


def _partnerless(
    a: Float[np.ndarray, "n 3"],
    a_numbers: Int[np.ndarray, " n"],
    b: Float[np.ndarray, "m 3"],
    b_numbers: Int[np.ndarray, " m"],
    edge: float,
    config: FoldConfig,
) -> tuple[int, int]:
    """Atoms of `a`, away from the faces, whose nearest of `b` is too far or another species; and all of them."""
    from scipy.spatial import KDTree

    inner = interior(a, edge, config.skin)
    if not len(b):
        return int(inner.sum()), int(inner.sum())
    distance, nearest = KDTree(b).query(a[inner])
    good = (distance <= config.radius) & (b_numbers[nearest] == a_numbers[inner])
    return int((~good).sum()), int(inner.sum())


def _copies(
    positions: Float[np.ndarray, "atoms 3"], lattice: Float[np.ndarray, "3 3"], radius: float
) -> tuple[Int[np.ndarray, " atoms"], Int[np.ndarray, "atoms 3"]]:
    """The site of each atom, and the cell it is in: copies of one site differ by whole cells.

    Atoms are linked to all within `radius` on the torus, found among the atoms of one cell and those images
    that lie within `radius` of it; linked atoms are copies, also where the lattice drifts from cell to cell.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    inverse = np.linalg.inv(lattice)
    frac = positions @ inverse
    margin = radius * np.linalg.norm(inverse, axis=0)  # radius over the cell's heights
    shifts = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), -1).reshape(-1, 3)
    images = frac - np.floor(frac) + shifts[:, None]  # 27 atoms 3
    near, atom = ((images > -margin) & (images < 1 + margin)).all(-1).nonzero()
    links = atom[KDTree(images[near, atom] @ lattice).query_pairs(radius, output_type="ndarray")]
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(len(frac), len(frac)))
    _, site = connected_components(graph, directed=False)
    _, first = np.unique(site, return_index=True)
    return site.astype(np.int64), np.round(frac - frac[first][site]).astype(np.int64)


def _fit(
    positions: Float[np.ndarray, "atoms 3"],
    lattice: Float[np.ndarray, "3 3"],
    site: Int[np.ndarray, " atoms"],
    cell: Int[np.ndarray, "atoms 3"],
    trim: float,
    *,
    refine: bool,
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "sites 3"], Bool[np.ndarray, " atoms"]]:
    """Least squares of position = centre of the site + cell @ (lattice + change), stray copies left out.

    Subtracting each site's mean leaves three unknown vectors for all atoms; directions in which no two copies
    differ stay as they are (the solution of least change). A lattice that would collapse was far from the
    crystal's and stays as given.

    Returns
    -------
    change of the lattice, centre of each site, atoms that counted.
    """
    keep = np.ones(len(site), dtype=bool)
    change = np.zeros((3, 3))
    reduced = positions - cell @ lattice  # copies brought to one place
    for _ in range(2):
        if refine:
            x, y = cell - _means(cell[keep], site[keep])[site], reduced - _means(reduced[keep], site[keep])[site]
            change = np.linalg.lstsq(x[keep], y[keep], rcond=1e-6)[0]
            if abs(np.linalg.det(lattice + change)) < 0.5 * abs(np.linalg.det(lattice)):
                change = np.zeros((3, 3))
        there = reduced - cell @ change
        centre = _means(there[keep], site[keep])
        residual = np.linalg.norm(there - centre[site], axis=1)
        typical = np.median(residual[np.bincount(site)[site] > 1]) if len(site) > len(centre) else 0.0
        keep = residual <= max(trim * typical, 1e-3)
        keep |= ~np.isin(site, site[keep])  # a site keeps copies even if all are stray
    return change, centre, keep


def _means(values: np.ndarray, site: Int[np.ndarray, " n"]) -> Float[np.ndarray, "sites 3"]:
    """Mean of three-vectors over the copies of each site."""
    count = np.bincount(site)
    return np.stack([np.bincount(site, values[:, k]) / count for k in range(3)], 1)


def _sightings(
    positions: Float[np.ndarray, "atoms 3"],
    lattice: Float[np.ndarray, "3 3"],
    frac_coords: Float[np.ndarray, "sites 3"],
    edge: float,
    config: FoldConfig,
) -> tuple[Int[np.ndarray, " sites"], Int[np.ndarray, " sites"]]:
    """Places of each site in the window, away from the faces, where an atom is seen, and all such places."""
    from scipy.spatial import KDTree

    sites = len(frac_coords)
    places, which = window_of(lattice, frac_coords, np.arange(sites), edge)
    inner = interior(places, edge, config.skin)
    places, which = places[inner], which[inner]
    distance, _ = KDTree(positions).query(places)
    return np.bincount(which[distance <= config.radius], minlength=sites), np.bincount(which, minlength=sites)
