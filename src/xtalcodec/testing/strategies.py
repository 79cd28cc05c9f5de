"""Hypothesis strategies for crystals."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import SearchStrategy
from jaxtyping import Float

from xtalcodec.crystal import Crystal

ELEMENTS = tuple(range(1, 101))
"""Atomic numbers of the elements whose chemistry is known, up to fermium."""

Draw = Callable[..., Any]
"""hypothesis' own `DrawFn` is a protocol that cannot be checked at run time."""


@st.composite
def lattices(draw: Draw) -> Float[np.ndarray, "3 3"]:
    """Cells with edges of 2.5 to 12 Å, angles of 50° to 130°, and a volume of at least 0.3 abc."""
    angles = st.tuples(*[st.integers(50, 130)] * 3).filter(lambda given: _unit_volume(*given) > 0.3)
    x, y, z = np.cos(np.radians(draw(angles)))
    sine = np.sqrt(1 - z * z)
    across = (x - y * z) / sine
    unit = np.array([[1, 0, 0], [z, sine, 0], [y, across, np.sqrt(1 - y * y - across * across)]])
    lengths = draw(st.tuples(*[st.floats(2.5, 12, allow_nan=False)] * 3))
    return np.array(lengths)[:, None] * unit


def _unit_volume(alpha: int, beta: int, gamma: int) -> float:
    """Return the volume of the cell with edges of 1 and these angles in degrees."""
    x, y, z = np.cos(np.radians([alpha, beta, gamma]))
    return float(np.sqrt(max(1 - x * x - y * y - z * z + 2 * x * y * z, 0)))


def crystals(
    max_sites: int = 8,
    elements: Sequence[int] = ELEMENTS,
    min_separation: float | None = 0.9,
    left_handed: bool = False,
) -> SearchStrategy[Crystal]:
    """Draw crystals of 1 to `max_sites` sites.

    Parameters
    ----------
    max_sites
        Most sites in a cell; fewer where they would not fit.
    elements
        Atomic numbers to draw from.
    min_separation
        Å; sites nearer than this to another, in this cell or the next, are left out. None
        leaves them wherever they fall.
    left_handed
        Whether to draw left-handed cells too.
    """
    return _crystals(max_sites, st.sampled_from(list(elements)), min_separation, left_handed)


@st.composite
def _crystals(
    draw: Draw, max_sites: int, elements: SearchStrategy, min_separation: float | None, left_handed: bool
) -> Crystal:
    lattice = draw(lattices())
    if left_handed and draw(st.booleans()):
        lattice = lattice[[1, 0, 2]]
    count = draw(st.integers(1, max_sites))
    coordinate = st.floats(0, 1, exclude_max=True, allow_subnormal=False)
    frac_coords = draw(arrays(np.float64, (count, 3), elements=coordinate))
    if min_separation is not None:
        frac_coords = _apart(frac_coords, lattice, min_separation)
    count = len(frac_coords)
    numbers = draw(st.lists(elements, min_size=count, max_size=count))
    return Crystal(lattice, frac_coords, np.array(numbers, dtype=np.int64))


def _apart(
    frac_coords: Float[np.ndarray, "sites 3"], lattice: Float[np.ndarray, "3 3"], separation: float
) -> Float[np.ndarray, "kept 3"]:
    """Keep the first site and every further one that is far enough from all kept and their images."""
    images = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), -1).reshape(-1, 3)
    kept = frac_coords[:1]
    for x in frac_coords[1:]:
        away = x - kept
        distance = np.linalg.norm(((away - np.round(away))[:, None] + images) @ lattice, axis=-1)
        if distance.min() >= separation:
            kept = np.vstack([kept, x])
    return kept


def shifts() -> SearchStrategy[Float[np.ndarray, "3"]]:
    """Draw translations in fractional coordinates, within two cells."""
    return arrays(np.float64, 3, elements=st.floats(-2, 2, allow_subnormal=False))
