"""Two crystals on cells of one number of sites, laid on each other so that their atoms move least."""

from dataclasses import dataclass, replace
from math import lcm

import numpy as np
from jaxtyping import Int

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.alignment import cell_between, polar_rotation
from xtalcodec.geometry.correspondence import Correspondence, correspondences, hermite_forms
from xtalcodec.geometry.images import wrapped
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.pairing import Species, paired, species
from xtalcodec.geometry.symmetry import primitive, rotations

MOST_SITES = 64
"""Of a common cell, if not said otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class CommonCell:
    """Two crystals, each on a supercell of its own.

    Row by row the cell vectors of one become the other's, site by site its atoms.
    The cell half-way is Niggli-reduced. The second is turned so that nothing but a stretch is between the cells, and on
    an origin from which its atoms' mean displacement is none.
    """

    a: Crystal
    """On its supercell, coordinates in [0, 1)."""
    b: Crystal
    """On its own; b.frac_coords − a.frac_coords is how far each atom moves, not wrapped."""
    strain: float
    """√Σ ln² λ of the three principal stretches λ between the cells."""
    displacement: float
    """Root mean square displacement of the atoms in the cell half-way, Å, the strain not counted."""
    changes: float
    """Atoms of the cell that become another element; of shared sites, the shares that do."""

    @property
    def effort(self) -> float:
        """What is least, Å: `displacement`, and the strain times the edge of the cube that an atom has half-way."""
        return self.strain * _room(self.a, self.b) + self.displacement

    def at(self, share: float) -> Crystal:
        """Crystal at `share` of the straight way from a to b; its species are those of the nearer end."""
        moved = (1 - share) * self.a.frac_coords + share * self.b.frac_coords
        end = self.a if share <= 0.5 else self.b
        return replace(end, lattice=cell_between(self.a.lattice, self.b.lattice, share), frac_coords=moved)


def common_cell(a: Crystal, b: Crystal, max_sites: int = MOST_SITES) -> CommonCell:
    """Find supercells, axes, origins and partners of the atoms of two crystals that move the atoms least.

    (1) Both are brought to their primitive cells; (2) supercells of the least common number of sites are paired,
    those that strain least first (`correspondences`); (3) for each the atoms are paired (`paired`), until the strain
    alone is more than the least `effort` so far.

    Parameters
    ----------
    a, b
        Any two; symmetry is looked for within 0.01 Å.
    max_sites
        Sites of the common cell, at most.

    Raises
    ------
    CrystalError
        No common cell of so few sites, or a cell that cannot be reduced: with the names of both.
    """
    try:
        first, second = (_reduced(crystal) for crystal in (a, b))
    except CrystalError as error:
        raise CrystalError(f"{a.called} and {b.called}: {error}") from error
    sites = lcm(len(first), len(second))
    if sites > max_sites:
        raise CrystalError(
            f"{a.called} and {b.called} have no common cell of up to {max_sites} sites: their primitive cells have "
            f"{len(first)} and {len(second)}, of which {sites} is the least common multiple"
        )
    indices = sites // len(first), sites // len(second)
    groups = tuple(np.swapaxes(rotations(crystal), 1, 2) for crystal in (first, second))
    any_cells = (hermite_forms(index)[0] for index in indices)
    known = species(*(_supercell(c, form) for c, form in zip((first, second), any_cells, strict=True)))
    room, best = _room(first, second), None
    for pair in correspondences(first.lattice, second.lattice, indices, (groups[0], groups[1])):
        if best is not None and pair.strain * room >= best.effort:
            break
        found = _laid(first, second, pair, known)
        if best is None or found.effort < best.effort - 1e-9:
            best = found
    assert best is not None  # noqa: S101 - every lattice has a supercell of any index
    return replace(best, a=replace(best.a, name=a.name), b=replace(best.b, name=b.name))


def _laid(a: Crystal, b: Crystal, pair: Correspondence, known: Species) -> CommonCell:
    """Put primitive crystals on supercells that correspond, and pair their atoms."""
    cells = pair.a @ a.lattice, pair.b @ b.lattice
    half = cell_between(cells[0], cells[1] @ polar_rotation(*cells), 0.5)
    _, back = niggli(Crystal(half, np.zeros((1, 3)), np.ones(1, dtype=np.int64)))
    change = np.round(np.linalg.inv(back)).astype(np.int64)
    first, second = _supercell(a, change @ pair.a), _supercell(b, change @ pair.b)
    found = paired(first.frac_coords, second.frac_coords, change @ half, known, (len(a), len(b)))
    turned = second.lattice @ polar_rotation(first.lattice, second.lattice)
    shares = None if second.occupancies is None else second.occupancies[found.partner]
    end = Crystal(
        turned, first.frac_coords + found.moved, second.numbers[found.partner], notes=b.notes, occupancies=shares
    )
    return CommonCell(first, end, pair.strain, found.displacement, known.changes)


def _reduced(crystal: Crystal) -> Crystal:
    """Return the crystal on its primitive, Niggli-reduced, right-handed cell."""
    return niggli(primitive(niggli(crystal)[0]))[0]


def _supercell(crystal: Crystal, basis: Int[np.ndarray, "3 3"]) -> Crystal:
    """Return the crystal on the cell vectors `basis @ lattice`: all its sites, then all of them in the next cell."""
    corners = np.stack(np.meshgrid(*[[0, 1]] * 3), -1).reshape(-1, 3) @ basis
    low, high = corners.min(0), corners.max(0)
    cells = np.stack(np.meshgrid(*[np.arange(m, n + 1) for m, n in zip(low, high, strict=True)], indexing="ij"), -1)
    inverse = np.linalg.inv(basis)
    places = cells.reshape(-1, 3) @ inverse
    places = places[((places > -1e-9) & (places < 1 - 1e-9)).all(1)]
    copies = len(places)
    shares = None if crystal.occupancies is None else np.tile(crystal.occupancies, (copies, 1))
    return replace(
        crystal.without_properties(),
        lattice=basis @ crystal.lattice,
        frac_coords=wrapped((places[:, None] + crystal.frac_coords @ inverse).reshape(-1, 3)),
        numbers=np.tile(crystal.numbers, copies),
        occupancies=shares,
    )


def _room(a: Crystal, b: Crystal) -> float:
    """Edge of the cube that an atom has in the cell half-way, Å."""
    return float((a.volume / len(a) * b.volume / len(b)) ** (1 / 6))
