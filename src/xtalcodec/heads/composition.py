"""What a crystal is made of, as numbers: shares of the elements, and statistics of what is known of these."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal

HEAVIEST = 100
"""Atomic number of the last element that is told apart."""

PROPERTIES = 9
"""What is known of an element: electronegativity, row, group, covalent radius, Mendeleev number, and its outer s, p, d
and f electrons."""

SIZE = HEAVIEST + 4 * PROPERTIES
"""Numbers that describe a composition."""


def described(crystal: Crystal) -> Float[np.ndarray, "136"]:
    """Shares of the elements by Z, then mean, deviation, least and largest of every property over the atoms."""
    content = crystal.content[1 : HEAVIEST + 1]
    shares = content / content.sum()
    table = elements()
    mean = shares @ table
    deviation = np.sqrt(shares @ (table - mean) ** 2)
    here = table[shares > 0]
    return np.concatenate([shares, mean, deviation, here.min(0), here.max(0)]).astype(np.float32)


@lru_cache(maxsize=1)
def elements() -> Float[np.ndarray, "100 9"]:
    """Properties of the elements from H on, by pymatgen; what it does not know is the mean of the others."""
    import warnings

    from pymatgen.core import Element

    from xtalcodec.geometry.elements import radius

    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # noble gases have no electronegativity
        for z in range(1, HEAVIEST + 1):
            element = Element.from_Z(z)
            rows.append([element.X, element.row, element.group, radius(z), element.mendeleev_no or np.nan, *_outer(z)])
    table = np.array(rows, dtype=np.float64)
    return np.where(np.isfinite(table), table, np.nanmean(np.where(np.isfinite(table), table, np.nan), axis=0))


def _outer(z: int) -> list[int]:
    """Electrons beyond the noble gas before the element, in s, p, d and f."""
    from pymatgen.core import Element

    core = max((gas for gas in (0, 2, 10, 18, 36, 54, 86) if gas < z), default=0)
    full = Element.from_Z(z).full_electronic_structure
    inner = {(n, kind): count for n, kind, count in Element.from_Z(core).full_electronic_structure} if core else {}
    return [sum(count - inner.get((n, kind), 0) for n, kind, count in full if kind == wanted) for wanted in "spdf"]
