"""Atoms as flat discs, and sites that elements share as pie charts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import HEAVIEST, VACANCY
from xtalcodec.geometry.elements import radii
from xtalcodec.viz.elements import colors, in_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GLINT = np.array([0.144, 0.192])
"""Where the middle of a disc's glint is and, as 0.35 of it, how large: over the disc's radius."""

CLEAR = (0.0, 0.0, 0.0, 0.0)
TOP = 90.0
"""Degrees: where the first sector of a pie begins; the others follow clockwise."""


def site_radii(shares: Float[np.ndarray, "sites 119"]) -> Float[np.ndarray, " sites"]:
    """Covalent radius in Å of every site, the mean over the atoms on it."""
    filled = shares[:, 1:]
    return filled @ radii(np.arange(1, HEAVIEST + 1)) / filled.sum(1)


def sectors(shares: Float[np.ndarray, " 119"]) -> list[tuple[int, float, float]]:
    """Z, start and end in turns of the sectors of one site: the largest first, what is empty, as Z 0, last."""
    order = in_order(shares)
    ends = np.cumsum(shares[order])
    return list(zip(order, (ends - shares[order]).tolist(), ends.tolist(), strict=True))


def draw_pies(
    axes: "Axes",
    seen: Float[np.ndarray, "sites 2"],
    shares: Float[np.ndarray, "sites 119"],
    size: Float[np.ndarray, " sites"],
    haze: Float[np.ndarray, " sites"],
) -> None:
    """Sites as discs with sectors, drawn in the order that they are given in: the farthest first.

    Parameters
    ----------
    axes
        To draw on.
    seen
        Where the reader sees each site, Å.
    shares
        Of each site by Z, in column 0 what is empty: that is left clear, within a rim.
    size
        Radius of each disc, Å.
    haze
        0 to 1: how pale each is.
    """
    from matplotlib.collections import PatchCollection

    patches = [
        patch for site in zip(seen, shares, size.tolist(), haze.tolist(), strict=True) for patch in _patches(*site)
    ]
    axes.add_collection(PatchCollection(patches, match_original=True, clip_on=False, zorder=2), autolim=False)


def _patches(
    place: Float[np.ndarray, "2"], shares: Float[np.ndarray, " 119"], size: float, haze: float
) -> Iterator[Any]:
    """Sectors of one site, and a glint on it."""
    from matplotlib.patches import Circle, Wedge

    parts = sectors(shares)
    for z, start, end in parts:
        rgb = np.ones(3) if z == VACANCY else colors(np.array([z]))[0]
        rgb = rgb + (1 - rgb) * haze
        style: dict[str, Any] = {"facecolor": CLEAR if z == VACANCY else rgb, "edgecolor": 0.45 * rgb, "linewidth": 0.4}
        if len(parts) == 1:
            yield Circle(tuple(place), size, **style)
            yield Circle(tuple(place + GLINT * size), 0.35 * size, facecolor=rgb + (1 - rgb) * 0.55, linewidth=0)
        else:
            yield Wedge(tuple(place), size, TOP - 360 * end, TOP - 360 * start, **style)
