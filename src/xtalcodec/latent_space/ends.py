"""What all ways between two crystals begin with: how many steps there are, and both ends on a common cell."""

from typing import TYPE_CHECKING

import numpy as np

from xtalcodec.codecs.latents import LatentsError
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.common_cell import CommonCell, common_cell

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec


def even_shares(steps: int) -> list[float]:
    """Even shares of the way, from 0 to 1.

    Raises
    ------
    LatentsError
        Fewer than two steps.
    """
    if steps < 2:
        raise LatentsError(f"a path has at least two steps, its ends, not {steps}")
    return np.linspace(0, 1, steps).tolist()


def common_ends(codec: "Codec", a: Crystal, b: Crystal, max_sites: int) -> CommonCell:
    """Bring two crystals to a common cell that a periodic codec can hold.

    Parameters
    ----------
    codec
        A periodic one.
    a, b
        Ends of the path.
    max_sites
        Sites of the common cell, at most.

    Raises
    ------
    CrystalError
        One that this codec cannot hold, or two without a common cell, by name.
    """
    cells = common_cell(a, b, max_sites)
    for given, crystal in ((a, cells.a), (b, cells.b)):
        try:
            codec.place(crystal)
        except CrystalError as error:
            raise CrystalError(f"{given.called}: {error}") from error
    return cells
