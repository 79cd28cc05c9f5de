"""`repeating`: a window on the infinite crystal, at its origin or anywhere, along its axes or rotated."""

from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from xtalcodec.config import settings
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.window_lattice.folding import fold
from xtalcodec.representations.base import Patches, spread_origin
from xtalcodec.representations.window import Window, WindowTorusConfig
from xtalcodec.representations.window_field import View


@settings
class RepeatingConfig(WindowTorusConfig):
    """Settings of a window on the infinite crystal."""

    kind: Literal["repeating"] = "repeating"
    rotate: bool = True
    """Whether every view of a data set is rotated, uniformly over SO(3)."""
    fits: Literal["every_site", "shortest_edge"] = "every_site"
    """Which crystals the window can show: those of which it shows every site, or, as in the paper, those whose
    shortest cell edge, of the cell that was given, is below the window's."""

    def open(self) -> "Repeating":
        """Make the representation."""
        return Repeating(self)


class Repeating(Window):
    """The infinite crystal, as far as it shows in the window."""

    closed = False
    title = "repeating windows"

    def patches(self, crystal: Crystal) -> Patches:
        """Refuse a crystal that the window does not show whole."""
        self._check_shown(crystal, self.shown(crystal.translated(self.origin(crystal, 0)), self.config.reach))
        return self._all_patches()

    def origin(self, crystal: Crystal, attempt: int) -> Float[np.ndarray, "3"]:  # noqa: ARG002
        """Another place for each attempt, none on a corner: atoms of high symmetry stay off the faces."""
        return spread_origin(attempt + 1)

    def random_origin(self, crystal: Crystal, rng: np.random.Generator) -> Float[np.ndarray, "3"]:  # noqa: ARG002
        """Return a uniformly random shift in fractional coordinates."""
        return rng.random(3)

    def shown(self, placed: Crystal, reach: float) -> View:
        """Every atom of the infinite crystal within `reach` Å of the window."""
        return seen(placed, placed.lattice, np.zeros(3), np.eye(3), self.field.edge, reach)

    def view(self, crystal: Crystal, rng: np.random.Generator, *, first: bool = False) -> View:
        """Look at the crystal from a random place, or with its origin at the window's corner where it is the `first`.

        Raises
        ------
        CrystalError
            A crystal that does not fit, see `RepeatingConfig.fits`.
        """
        edge, by_edge = self.field.edge, self.config.fits == "shortest_edge"
        shortest = float(np.linalg.norm(crystal.lattice, axis=1).min())
        if by_edge and shortest >= edge:
            raise CrystalError(f"its cell does not fit: the shortest edge is {shortest:.2f} Å, the limit is {edge:g} Å")
        shift = rng.random(3) * (not first)
        rotation = Rotation.random(random_state=rng).as_matrix() if self.config.rotate else np.eye(3)
        lattice = crystal.lattice @ rotation.T
        view = seen(crystal, lattice, -shift @ lattice, rotation, edge, self.field.reach)
        if not by_edge:
            self._check_shown(crystal, view)
        return view

    def view_settings(self) -> dict[str, Any]:
        """The field, the rule of what fits, and whether views are rotated."""
        return {"name": self.config.kind, "window": asdict(self.field)} | {
            name: getattr(self.config, name) for name in ("rotate", "fits")
        }

    def sites_of_cell(
        self,
        positions: Float[np.ndarray, "atoms 3"],
        numbers: Int[np.ndarray, " atoms"],
        confidence: Float[np.ndarray, " atoms"],
        lattice: Float[np.ndarray, "3 3"],
    ) -> tuple[Float[np.ndarray, "sites 3"], Int[np.ndarray, " sites"], Float[np.ndarray, " sites"]]:
        """Copies of a site are averaged, and vote on its species; how many agree is the site's confidence."""
        if not len(numbers):
            return positions, numbers, confidence
        folded = fold(self.angstrom(positions), numbers, lattice, self.field.edge, refine=False)
        return folded.frac_coords, folded.numbers, folded.agreement

    def _check_shown(self, crystal: Crystal, view: View) -> None:
        """Refuse a crystal of which a view shows some sites nowhere in the window."""
        hidden = len(crystal) - len(np.unique(view.site[view.inside(self.field.edge)]))
        if hidden:
            raise CrystalError(
                f"the window of {self.field.edge:g} Å is smaller than its cell: {hidden} sites stay outside"
            )


def seen(
    crystal: Crystal,
    lattice: Float[np.ndarray, "3 3"],
    offset: Float[np.ndarray, "3"],
    rotation: Float[np.ndarray, "3 3"],
    edge: float,
    reach: float,
) -> View:
    """Every atom of the infinite crystal that lies in a cube or near it.

    Parameters
    ----------
    crystal
        Its sites, in fractional coordinates.
    lattice
        Its cell vectors in the cube's frame, rows in Å.
    offset
        Where its origin is in the cube, Å.
    rotation
        From the crystal's frame to the cube's; kept in the view.
    edge
        Of the cube, Å.
    reach
        Å: how far outside of the cube atoms are seen.
    """
    frac = crystal.frac_coords - np.floor(crystal.frac_coords)
    half, inverse = edge / 2, np.linalg.inv(lattice)
    # Fractional coordinates of the cube's middle, and how far from it the cube grown by a ball goes along each.
    middle = (half - offset) @ inverse
    extent = half * abs(inverse).sum(0) + reach * np.sqrt((inverse**2).sum(0))
    low, high = np.floor(middle - extent), np.floor(middle + extent)
    cells = np.indices((high - low + 1).astype(int)).reshape(3, -1) + low[:, None]
    corners = lattice.T @ cells + offset[:, None]
    positions = (corners[:, None] + (frac @ lattice).T[:, :, None]).reshape(3, -1)  # site by site
    x, y, z = np.maximum(abs(positions - half) - half, 0)  # how far outside
    shows = np.flatnonzero(x * x + y * y + z * z <= reach**2)
    site = shows // cells.shape[1]
    return View(positions.T.take(shows, axis=0), crystal.numbers[site], site, lattice, offset, rotation)
