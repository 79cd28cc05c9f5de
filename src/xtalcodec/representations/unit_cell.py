"""`unit_cell`: the atoms of one cell, centred in the window and rotated at random; not periodic."""

from dataclasses import asdict, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from xtalcodec.config import settings
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.images import wrapped
from xtalcodec.geometry.niggli import niggli
from xtalcodec.representations.base import Patches, spread_origin
from xtalcodec.representations.window import Window, WindowTorusConfig
from xtalcodec.representations.window_field import View, WindowConfig


@settings
class UnitCellConfig(WindowTorusConfig):
    """Settings of a window that holds one cell."""

    kind: Literal["unit_cell"] = "unit_cell"
    window: WindowConfig = field(default_factory=lambda: WindowConfig(label_radius=0.667))
    """The paper's field, with the paper's label radius."""
    cell: Literal["compact", "given"] = "compact"
    """Which images of the sites are the cell: those of the Niggli-reduced cell that lie nearest together, or, as in
    the paper, those inside of the cell that was given."""

    def open(self) -> "UnitCell":
        """Make the representation."""
        return UnitCell(self)


class UnitCell(Window):
    """One cell, the centroid of its atoms in the middle of the window."""

    closed = True
    title = "unit cells"

    def patches(self, crystal: Crystal) -> Patches:
        """Refuse a cell that some rotation would take out of the window."""
        radius, half = _radius(crystal), self.field.edge / 2
        if radius > half:
            raise CrystalError(
                f"its cell does not fit: an atom lies {radius:.2f} Å from the centre, the window ends at {half:g} Å"
            )
        return self._all_patches()

    def choose_images(self, given: Crystal, reduced: Crystal, basis: Int[np.ndarray, "3 3"]) -> Crystal:
        """Take the images of the sites that are the cell, see `UnitCellConfig.cell`."""
        if self.config.cell == "given":  # x @ lattice given = (x @ B) @ reduced lattice
            return replace(reduced, frac_coords=wrapped(given.frac_coords) @ basis)
        cells = []
        for centre in reduced.frac_coords:
            apart = reduced.frac_coords - centre
            cells.append(replace(reduced, frac_coords=centre + apart - np.round(apart)))
        return min([reduced, *cells], key=_radius)

    def origin(self, crystal: Crystal, attempt: int) -> Float[np.ndarray, "3"]:
        """Move the centroid to the middle; on further attempts, up to half a patch beside it, as the cell has room."""
        centred = (crystal.frac_coords - crystal.frac_coords.mean(0)) @ crystal.lattice
        half = self.field.edge / 2
        room = np.clip(half - abs(centred).max(0), 0, self.edge / self.config.patches / 2)
        beside = (2 * spread_origin(attempt) - 1) * room if attempt else np.zeros(3)
        return (half + beside) @ np.linalg.inv(crystal.lattice) - crystal.frac_coords.mean(0)

    def random_origin(self, crystal: Crystal, rng: np.random.Generator) -> Float[np.ndarray, "3"]:  # noqa: ARG002
        """Return the shift that centres the cell in the window, fractional; it is not random."""
        return self.origin(crystal, 0)

    def shown(self, placed: Crystal, reach: float) -> View:  # noqa: ARG002
        """One copy of every site, wherever it lies."""
        sites, positions = np.arange(len(placed)), placed.frac_coords @ placed.lattice
        return View(positions, placed.numbers, sites, placed.lattice, np.zeros(3), np.eye(3))

    def view(self, crystal: Crystal, rng: np.random.Generator, *, first: bool = False) -> View:  # noqa: ARG002
        """Rotate the cell uniformly over SO(3) and centre it."""
        chosen = self.choose_images(crystal, *niggli(crystal))
        self.patches(chosen)
        rotation = Rotation.random(random_state=rng).as_matrix()
        positions = chosen.frac_coords @ chosen.lattice @ rotation.T
        offset = self.field.edge / 2 - positions.mean(0)
        sites = np.arange(len(crystal))
        return View(positions + offset, crystal.numbers, sites, crystal.lattice @ rotation.T, offset, rotation)

    def view_settings(self) -> dict[str, Any]:
        """The field, and which images are the cell."""
        return {"name": self.config.kind, "window": asdict(self.field), "cell": self.config.cell}

    def sites_of_cell(
        self,
        positions: Float[np.ndarray, "atoms 3"],
        numbers: Int[np.ndarray, " atoms"],
        confidence: Float[np.ndarray, " atoms"],
        lattice: Float[np.ndarray, "3 3"],
    ) -> tuple[Float[np.ndarray, "sites 3"], Int[np.ndarray, " sites"], Float[np.ndarray, " sites"]]:
        """Return the atoms as the sites, in fractional coordinates of the cell."""
        return self.angstrom(positions) @ np.linalg.inv(lattice), numbers, confidence


def _radius(crystal: Crystal) -> float:
    """Å from the centroid to the farthest atom of the cell."""
    return float(np.linalg.norm((crystal.frac_coords - crystal.frac_coords.mean(0)) @ crystal.lattice, axis=1).max())
