"""CDVAE's two rules of validity (Xie et al. 2022, section 5.2): atoms apart, and charges that can balance.

The rules follow `structure_validity` and `smact_validity` of `scripts/eval_utils.py` in github.com/txie-93/cdvae.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, product
from math import gcd

import numpy as np
from jaxtyping import Int

from xtalcodec.crystal import Crystal
from xtalcodec.io.read import quiet

APART = 0.5
"""Å: the least distance of two sites; H–H, the shortest bond, is 0.74. An atom's own images are not looked at."""

CELL = 0.1
"""Å³: the least volume of a cell."""

PRODUCT = 8
"""Elements up to which charges are tried one by one, where an element has no electronegativity."""

Element = tuple[tuple[int, ...], float | None]
"""Oxidation states, and Pauling electronegativity where it is known."""


def structure_valid(crystal: Crystal) -> bool:
    """Whether no two sites are nearer than `APART` and the cell has a volume of `CELL` or more."""
    if crystal.volume < CELL:
        return False
    distance = crystal.to_pymatgen().distance_matrix
    np.fill_diagonal(distance, np.inf)
    return bool(distance.min() >= APART)


def composition_valid(numbers: Int[np.ndarray, " sites"]) -> bool:
    """Whether a composition is an element, an alloy, or has charges that balance with anions more electronegative.

    Oxidation states are smact's set of 2014 as of smact 2.2.1, which CDVAE pins; one state for each element. An
    element of which smact knows no oxidation state makes a composition not valid.
    """
    species, counts = np.unique(numbers, return_counts=True)
    counts = counts // gcd(*counts.tolist())
    if len(species) == 1:
        return True
    symbols, metals = _names(tuple(species.tolist()))
    if set(symbols) <= metals:
        return True
    elements = [_element(symbol) for symbol in symbols]
    return charges_balance(elements, counts.tolist())


def charges_balance(elements: Sequence[Element], counts: Sequence[int]) -> bool:
    """Whether one oxidation state for each element makes the sum zero, every cation less electronegative than anions.

    Where electronegativities are known, the cations are the least electronegative elements, however many: a set
    of reachable sums decides for each number of them, so that many elements take no longer than a few.
    """
    known = [(value, states, n) for (states, value), n in zip(elements, counts, strict=True) if value is not None]
    if len(known) < len(elements):
        return len(elements) <= PRODUCT and _tried(elements, counts)
    known.sort(key=lambda element: element[0])
    for cations in range(1, len(known)):
        if known[cations - 1][0] == known[cations][0]:
            continue  # of two elements of one electronegativity neither is the other's cation
        sums = {0}
        for k, (_, states, n) in enumerate(known):
            allowed = [n * s for s in states if (s > 0) == (k < cations)]
            sums = {total + charge for total in sums for charge in allowed}
        if 0 in sums:
            return True
    return False


def _tried(elements: Sequence[Element], counts: Sequence[int]) -> bool:
    """The same by trying all charges, with CDVAE's rule for electronegativities that are not known."""
    values = [value for _, value in elements]
    return any(
        sum(s * n for s, n in zip(states, counts, strict=True)) == 0 and _pauling(states, values)
        for states in product(*[states for states, _ in elements])
    )


def _pauling(states: Sequence[int], values: Sequence[float | None]) -> bool:
    """Smact 2.2.1 as CDVAE calls it: pairs in the order of atomic numbers, the first that decides does.

    A cation and an anion of which one has no electronegativity pass as a whole; two ions of one sign, of which one
    has none, fail.
    """
    for (a, x), (b, y) in combinations(zip(states, values, strict=True), 2):
        if x is None or y is None:
            return (a > 0) != (b > 0)
        if (a > 0 > b and x >= y) or (a < 0 < b and x <= y):
            return False
    return True


@lru_cache(maxsize=4096)
def _names(species: tuple[int, ...]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Symbols, and the symbols of all metals."""
    from ase.data import chemical_symbols

    with quiet():
        import smact

    return tuple(chemical_symbols[z] for z in species), frozenset(smact.metals)


@lru_cache(maxsize=128)
def _element(symbol: str) -> Element:
    """Oxidation states and electronegativity as of smact 2.2.1; no state where smact does not know the element."""
    with quiet():
        import smact

    try:
        element = smact.Element(symbol)
    except (KeyError, NameError):  # heavier than smact's table
        return (), None
    states = tuple(element.oxidation_states_smact14 or ())
    if symbol == "Ir":  # corrected to -3 in later releases, after CDVAE
        states = tuple(-2 if s == -3 else s for s in states)
    return states, element.pauling_eneg
