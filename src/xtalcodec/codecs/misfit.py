"""How far a crystal is from the sites that its latent decodes to."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.images import nearest

SAME_SHARE = 0.05
"""An occupancy that is off by more than this is another."""


class Misfit(NamedTuple):
    """How far the sites that a latent decodes to are from a crystal's; the smaller the better."""

    wrong: float
    """0 where number, species and occupancies of the sites are right; else the largest error of an occupancy, or,
    where their number differs, 1 and by how many."""
    displacement: float
    """Å: of the site that is farthest from its place; infinite where the number of sites differs."""

    def within(self, tolerance: float) -> bool:
        """Whether nothing is wrong and no site is displaced by more (Å)."""
        return not self.wrong and self.displacement <= tolerance


def misfit(crystal: Crystal, sites: FoundAtoms) -> Misfit:
    """Compare sites with a crystal's; an occupancy is wrong where it is off by more than `SAME_SHARE`."""
    if len(sites) != len(crystal):
        return Misfit(1.0 + abs(len(sites) - len(crystal)), float("inf"))
    distance, index = nearest(crystal.frac_coords, sites.positions, crystal.lattice)
    if twice := len(crystal) - len(set(index.tolist())):
        return Misfit(1.0 + twice, float("inf"))
    error = _occupancy_error(crystal, sites, index)
    return Misfit(error if error > SAME_SHARE else 0.0, float(distance.max()))


def deviation(crystal: Crystal, sites: FoundAtoms) -> float:
    """Largest displacement of a site in Å; infinite where number, species or occupancies of the sites differ."""
    found = misfit(crystal, sites)
    return float("inf") if found.wrong else found.displacement


def _occupancy_error(crystal: Crystal, sites: FoundAtoms, index: Int[np.ndarray, " sites"]) -> float:
    """Largest error of an occupancy, of each site against the found one of its index."""
    if crystal.is_ordered and sites.occupancies is None:
        return float((crystal.numbers != sites.numbers[index]).any())
    return float(abs(crystal.shares() - sites.shares()[index]).max())
