"""Crystals on the way from one to another, whose atoms make room for each other."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.common_cell import CommonCell

STILL = 0.02
"""Atoms have made room for each other when no force of the pair potential (in 1/Å³) is larger."""

MOST_MOVES = 100
"""Of the optimiser, at most."""

CROSSING = 0.01
"""Å: atoms nearer than that, whose straight ways cross, are moved at random by about as much before they make room."""


def on_the_way(cells: CommonCell, shares: Sequence[float]) -> list[Crystal]:
    """Return crystals between two on a common cell, atom by atom: no two of a step's atoms come too near.

    Every distance of two atoms is to go evenly from what it is at one end to what it is at the other, short ones
    first: each step is relaxed in that image-dependent pair potential, Σ (d − d_wanted)² / d⁴, from where atoms that go
    straight would be (Smidstrup et al., J. Chem. Phys. 140, 214106, 2014; ASE's). Cells strain evenly
    (`cell_between`). The species of a step are those of the nearer end.

    Parameters
    ----------
    cells
        Both ends.
    shares
        Of the way, from 0 (a) to 1 (b).
    """
    from ase.mep.neb import IDPP
    from ase.optimize import FIRE

    straight = [cells.at(share) for share in shares]
    ends = [cells.at(share).to_ase().get_all_distances(mic=True) for share in (0.0, 1.0)]
    made = []
    for share, crystal in zip(shares, straight, strict=True):
        if not 0 < share < 1 or len(crystal) == 1:
            made.append(crystal)
            continue
        atoms = crystal.to_ase()
        start = atoms.get_positions()
        if atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)].min() < CROSSING:
            atoms.rattle(CROSSING, seed=0)  # the potential has no direction where two atoms are in one place
        atoms.calc = IDPP((1 - share) * ends[0] + share * ends[1], mic=True)
        FIRE(atoms, logfile=None).run(fmax=STILL, steps=MOST_MOVES)
        moved = (atoms.get_positions() - start) @ np.linalg.inv(crystal.lattice)
        made.append(replace(crystal, frac_coords=crystal.frac_coords + moved))
    return made
