"""Primitive, Niggli-reduced cells as StructureMatcher makes them of crystals before it compares, made once each.

pymatgen looks for smaller cells in all supercell matrices of a cell's formula units. Most crystals are given in a
primitive cell, which is proven sooner: a smaller cell has a lattice vector that is a p-th part of one of the larger
cell, for a prime p that divides the formula units, and it brings every site near a site of its element. Where there is
such a vector, pymatgen decides.
"""

from collections.abc import Iterator
from functools import cached_property
from math import gcd

import numpy as np
from jaxtyping import Bool, Float, Int

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.images import minimum_image, wrapped
from xtalcodec.geometry.niggli import niggli_basis
from xtalcodec.io.read import quiet

NEAR = 0.25
"""Å along each axis: pymatgen's tolerance for a site and what a smaller cell repeats of it."""


class ReducedCell:
    """A primitive, Niggli-reduced cell, scaled to a volume of 1 per site."""

    def __init__(
        self,
        lattice: Float[np.ndarray, "3 3"],
        frac_coords: Float[np.ndarray, "sites 3"],
        numbers: Int[np.ndarray, " sites"],
    ) -> None:
        """Scale the cell.

        Parameters
        ----------
        lattice
            Rows in Å.
        frac_coords, numbers
            Sites and their atomic numbers, in the order that decides which site others are moved to.
        """
        self.lattice = lattice * (len(numbers) / abs(np.linalg.det(lattice))) ** (1 / 3)
        self.frac_coords, self.numbers = frac_coords, numbers
        self.metric = self.lattice @ self.lattice.T
        self.lengths = np.sqrt(self.metric.diagonal())
        self.angles = angles(self.metric)
        elements, counts = np.unique(numbers, return_counts=True)
        self.counts = dict(zip(elements.tolist(), counts.tolist(), strict=True))
        """Sites of each element."""
        self._within = 0.0

    def __len__(self) -> int:
        """Return the number of sites."""
        return len(self.numbers)

    @cached_property
    def sites_of(self) -> dict[int, Int[np.ndarray, " some"]]:
        """Sites of each element, those of which there are fewest first."""
        rarest = sorted(self.counts, key=lambda z: self.counts[z])
        return {z: np.flatnonzero(self.numbers == z) for z in rarest}

    @property
    def anchor(self) -> int:
        """The first site of the rarest element: pymatgen puts it on every site that it may lie on."""
        least = min(self.counts.values())
        return next(k for k, z in enumerate(self.numbers.tolist()) if self.counts[z] == least)

    def vectors(
        self, radius: float
    ) -> tuple[Int[np.ndarray, "n 3"], Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
        """Lattice vectors up to a length at least: in units of the cell, their directions, their lengths, ascending."""
        if radius > self._within:
            most = np.floor(radius * np.sqrt(np.linalg.inv(self.metric).diagonal()) + 1e-9).astype(np.int64)
            whole = np.indices((2 * most + 1).tolist()).reshape(3, -1).T - most
            places = whole @ self.lattice
            length = np.sqrt(np.einsum("nx,nx->n", places, places))
            order = np.argsort(length)
            order = order[(length[order] > 0) & (length[order] <= radius)]
            self._found = whole[order], places[order] / length[order, None], length[order]
            self._within = radius
        return self._found


def angles(metric: Float[np.ndarray, "*cells 3 3"]) -> Float[np.ndarray, "*cells 3"]:
    """Alpha, beta and gamma in degrees of cells with these products of their vectors."""
    squares = np.diagonal(metric, axis1=-2, axis2=-1)
    ones, others = [1, 0, 0], [2, 2, 1]
    cosines = metric[..., ones, others] / np.sqrt(squares[..., ones] * squares[..., others])
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


def reduced_cell(crystal: Crystal) -> ReducedCell:
    """Return the primitive, Niggli-reduced cell of an ordered crystal.

    Raises
    ------
    CrystalError
        Sites that elements share; a cell that cannot be reduced.
    """
    if not crystal.is_ordered:
        raise CrystalError("elements share its sites")
    lattice, frac_coords = _niggli(crystal.lattice, crystal.frac_coords)
    if next(_shifts(lattice, frac_coords, crystal.numbers), None) is None:
        return ReducedCell(lattice, frac_coords, crystal.numbers)
    lattice, frac_coords, numbers = _primitive(lattice, frac_coords, crystal.numbers)
    return ReducedCell(*_niggli(lattice, frac_coords), numbers)


def reduced_disordered(crystal: Crystal) -> Crystal:
    """Return a crystal with shared sites on the cell that StructureMatcher compares it on: reduced, and primitive.

    Raises
    ------
    CrystalError
        A cell that cannot be reduced.
    """
    try:
        with quiet():
            reduced = crystal.to_pymatgen().get_reduced_structure().get_primitive_structure()
    except (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError) as error:
        raise CrystalError(f"no primitive cell is found: {error}") from error
    return Crystal.from_pymatgen(reduced, crystal.name)


def _niggli(
    lattice: Float[np.ndarray, "3 3"], frac_coords: Float[np.ndarray, "sites 3"]
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "sites 3"]]:
    """Return the reduced cell, and the sites in it."""
    basis = niggli_basis(lattice)
    return basis @ lattice, wrapped(frac_coords @ np.round(np.linalg.inv(basis)))


def _primitive(
    lattice: Float[np.ndarray, "3 3"], frac_coords: Float[np.ndarray, "sites 3"], numbers: Int[np.ndarray, " sites"]
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "some 3"], Int[np.ndarray, " some"]]:
    """Return the smaller cell that pymatgen finds, or the same where it finds none.

    Parameters
    ----------
    lattice, frac_coords, numbers
        A reduced cell.

    Raises
    ------
    CrystalError
        pymatgen fails.
    """
    from pymatgen.core import Structure

    try:
        with quiet():
            found = Structure(lattice, numbers.tolist(), frac_coords).get_primitive_structure(reduce=False)
    except (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError) as error:
        raise CrystalError(f"no primitive cell is found: {error}") from error
    return found.lattice.matrix, found.frac_coords, np.array(found.atomic_numbers)


def _shifts(
    lattice: Float[np.ndarray, "3 3"], frac_coords: Float[np.ndarray, "sites 3"], numbers: Int[np.ndarray, " sites"]
) -> Iterator[Float[np.ndarray, "3"]]:
    """Yield vectors that may be of a smaller cell's lattice; none means that the cell is primitive.

    Parameters
    ----------
    lattice, frac_coords, numbers
        A reduced cell.
    """
    elements, counts = np.unique(numbers, return_counts=True)
    units = gcd(*counts.tolist())
    if units == 1:
        return
    within = NEAR / np.linalg.norm(lattice, axis=1)
    groups = [frac_coords[numbers == elements[k]] for k in np.argsort(counts, kind="stable")]
    steps = groups[0][1:] - groups[0][0]
    for group in groups:
        for site in group:
            steps = steps[_near_any(steps, group - site, 2 * within)]
            if not len(steps):
                return
    for prime in _primes(units):
        parts = np.round(steps * prime) / prime
        sound = (np.abs(steps - parts) < within).all(1) & (parts % 1 != 0).any(1)
        for part in parts[sound]:
            if all(_repeats(group, part, lattice) for group in groups):
                yield part


def _near_any(
    steps: Float[np.ndarray, "n 3"], others: Float[np.ndarray, "m 3"], within: Float[np.ndarray, "3"]
) -> Bool[np.ndarray, " n"]:
    """Which steps are near one of some others, along every axis."""
    near: Bool[np.ndarray, " n"] = (np.abs(minimum_image(steps[:, None] - others)) < within).all(2).any(1)
    return near


def _repeats(group: Float[np.ndarray, "n 3"], step: Float[np.ndarray, "3"], lattice: Float[np.ndarray, "3 3"]) -> bool:
    """Whether a step brings every site near another: `NEAR` along three axes is no further than three times that."""
    apart = minimum_image(group[:, None] + step - group) @ lattice
    return bool((np.einsum("nmx,nmx->nm", apart, apart).min(1) < (3 * NEAR) ** 2).all())


def _primes(number: int) -> list[int]:
    """Primes that divide a number."""
    return [p for p in range(2, number + 1) if number % p == 0 and all(p % q for q in range(2, p))]
