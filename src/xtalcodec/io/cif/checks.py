"""What a CIF says of its crystal as a whole, compared with the crystal that was read: formula, Z, density, symbol."""

import re

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.elements import G_PER_CM3, density
from xtalcodec.io.cif.elements import same_ratio
from xtalcodec.io.cif.syntax import UNKNOWN, Block, number
from xtalcodec.io.symmetry.operations import Operations, fits
from xtalcodec.io.symmetry.orbits import closed_under
from xtalcodec.io.symmetry.space_groups import Named, candidates

_DEUTERIUM = "Og", "Ts", "Lv"
"""What may stand for deuterium while a formula is read: the first that the formula does not hold."""
_DENSITY = 0.1
"""Relative; a lost centring halves a density at least."""


def formula_of(block: Block) -> tuple[dict[str, float], float]:
    """Return the sum formula, isotopes as their element, and how much deuterium is in it; empty if it has none."""
    from pymatgen.core import Composition

    text = block.one("_chemical_formula_sum")
    if text is None or text in UNKNOWN:
        return {}, 0.0
    stand_in = next(symbol for symbol in _DEUTERIUM if symbol not in text)
    apart = re.sub(r"D(?![a-z])", stand_in, re.sub(r"[,\n]", " ", text))  # to pymatgen, D is H
    try:
        amounts = Composition(apart).get_el_amt_dict()
    except (ValueError, ArithmeticError):
        return {}, 0.0
    deuterium = amounts.pop(stand_in, 0.0)
    amounts["H"] = amounts.get("H", 0.0) + deuterium
    return {symbol: float(count) for symbol, count in amounts.items() if count > 0}, float(deuterium)


def check_content(block: Block, crystal: Crystal, formula: dict[str, float], deuterium: float) -> bool:
    """Compare the crystal with formula, Z and density; True if one of the last two confirms it.

    Parameters
    ----------
    block
        The data block.
    crystal
        As it was read.
    formula
        The one that the file states.
    deuterium
        Whether D counts as H.

    Raises
    ------
    CrystalError
        Sites that contradict what the file states; the message names both.
    """
    dense = _check_density(block, crystal, formula, deuterium)
    if not formula:
        return bool(dense)
    found = contents(crystal)
    text = str(block.one("_chemical_formula_sum"))[:60]
    if not (same_ratio(found, formula) if crystal.is_ordered else _nearly_same(found, formula)):
        raise CrystalError(f"its sites make {crystal.formula}, its formula says {text}")
    # Whole formula units: a file cut between two rows of one element keeps its stoichiometry.
    ratio = sum(found.values()) / sum(formula.values())
    units = max(ratio, 1 / ratio)
    if crystal.is_ordered and abs(units - round(units)) > 0.01 * units:
        raise CrystalError(f"it has {len(crystal)} sites, no multiple of its formula {text}")
    stated = block.one("_cell_formula_units_z")
    if stated is None or not stated.isdigit() or int(stated) == 0:
        return bool(dense)
    # Some programs write the formula of the whole cell, and count the units of the reduced one.
    counts = [int(count) for count in formula.values()]
    reduced = float(np.gcd.reduce(counts)) if all(count == int(count) for count in formula.values()) else 1.0
    # and of an element the molecule: pymatgen counts N₂.
    agrees = any(abs(ratio * unit - int(stated)) < 0.01 * int(stated) for unit in (1.0, reduced))
    agrees = agrees or (len(formula) == 1 and len(crystal) % int(stated) == 0)
    if not agrees and not dense:
        units_found = f"{ratio:g} unit{'s' * (ratio != 1)} of {text}"
        raise CrystalError(f"its sites make {units_found} in the cell, its Z says {stated}")
    return True


def contents(crystal: Crystal) -> dict[str, float]:
    """Return how many atoms of each element are in the cell."""
    from pymatgen.core import Element

    amounts = crystal.content
    return {Element.from_Z(z).symbol: float(amounts[z]) for z in crystal.elements}


def _nearly_same(found: dict[str, float], formula: dict[str, float]) -> bool:
    """Compare compositions of a disordered crystal, whose formula has rounded shares: each within 0.02 and 2 %."""
    ratio = sum(found.values()) / sum(formula.values())
    off = {x: abs(found.get(x, 0.0) / ratio - formula.get(x, 0.0)) for x in {*found, *formula}}
    return all(difference <= 0.02 + 0.02 * formula.get(x, 0.0) for x, difference in off.items())


def _check_density(block: Block, crystal: Crystal, formula: dict[str, float], deuterium: float) -> bool | None:
    """Compare with the density that the file calculates; None where it states none."""
    text = block.one("_exptl_crystal_density_diffrn")
    if text is None:
        return None
    try:
        stated = number(text, "the density").value
    except CrystalError:
        return None
    dense = density(crystal)
    if deuterium:
        dense += G_PER_CM3 * 1.006 * contents(crystal)["H"] * deuterium / formula["H"] / crystal.volume
    if stated <= 0:
        return None
    if abs(dense / stated - 1) > _DENSITY:
        raise CrystalError(f"its sites make a density of {dense:.3g} Mg/m³, the file says {text[:20]}")
    return True


def check_complete(crystal: Crystal, group: Named, operations: Operations, *, proven: bool) -> None:
    """Refuse an asymmetric unit whose operations were lost: fewer are listed than the space group's symbol has.

    Programs that write all atoms of a cell in P 1 leave the old symbol in the file. Then the atoms have the
    symmetry of the symbol, or Z or the density confirms them; otherwise sites are missing.

    Parameters
    ----------
    crystal
        As read, with the listed operations.
    group
        What the file calls its space group.
    operations
        The listed ones.
    proven
        Whether Z or the density confirms the crystal.

    Raises
    ------
    CrystalError
        Fewer operations than the symbol has, and atoms that lack them.
    """
    if proven or (group.symbol is None and group.number is None):
        return
    try:
        settings = [s for s in candidates(group) if fits(s.operations, crystal.lattice @ crystal.lattice.T)]
    except CrystalError:
        return  # symbol and number contradict each other, and the operations are there
    groups = [setting.operations for setting in settings]
    if not groups or any(len(operations) >= len(full) for full in groups):
        return
    if any(closed_under(crystal.frac_coords, crystal.numbers, full, crystal.lattice) for full in groups):
        return
    missing = len(operations.centring) < min(len(full.centring) for full in groups)
    what = "lack the centring of" if missing else "are fewer than those of"
    raise CrystalError(f"the {len(operations)} symmetry operations it lists {what} its space group {group.text}")
