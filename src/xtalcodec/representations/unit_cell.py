"""`unit_cell`: the atoms of one cell, centred in the cube and rotated at random; not periodic."""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.representations.density import View, WindowConfig


@dataclass(frozen=True, slots=True)
class UnitCellConfig:
    """How a cell is put into the cube."""

    window: WindowConfig = field(default_factory=lambda: WindowConfig(label_radius=0.667))


class UnitCell:
    """One cell of a crystal, its atoms' centroid in the middle of the cube."""

    def __init__(self, config: UnitCellConfig) -> None:
        """Keep the settings."""
        self.config = config
        self.window = config.window

    def view(self, crystal: Crystal, rng: np.random.Generator) -> View:
        """Rotate the cell uniformly over SO(3) and centre it.

        Raises
        ------
        CrystalError
            A cell that does not fit: with an atom farther from the centroid than half the edge, some
            rotation would take it out of the cube.
        """
        frac = crystal.frac_coords - np.floor(crystal.frac_coords)
        centred = (frac - frac.mean(0)) @ crystal.lattice
        radius, half = float(np.linalg.norm(centred, axis=1).max()), self.window.edge / 2
        if radius > half:
            raise CrystalError(
                f"its cell does not fit: an atom lies {radius:.2f} Å from the centre, the cube ends at {half:g} Å"
            )
        rotation = Rotation.random(random_state=rng).as_matrix()
        lattice = crystal.lattice @ rotation.T
        # Written so that (frac_coords + whole numbers) @ lattice + offset gives the positions, as every view promises.
        offset = half - frac.mean(0) @ lattice
        sites = np.arange(len(crystal))
        return View(frac @ lattice + offset, crystal.numbers, sites, lattice, offset, rotation)
