"""A crystal as the text of a CIF."""

import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.symmetry import conventional
from xtalcodec.io.carried_text import cif_beside, cif_symbols


def cif_text(crystal: Crystal, symprec: float | None = None) -> str:
    """CIF text with twelve decimals, so that reading gives the crystal again.

    Parameters
    ----------
    crystal
        To be written.
    symprec
        Å: the crystal is written in the standard setting of the space group that it has within this much; None or 0
        for as it is, without symmetry.
    """
    from pymatgen.core import SymmOp
    from pymatgen.core.lattice import Lattice

    rotations, shifts = np.eye(3)[None], np.zeros((1, 3))
    number, symbol, first = 1, "P 1", np.arange(len(crystal))
    multiplicity = np.ones(len(crystal), dtype=np.int64)
    found = conventional(crystal, symprec) if symprec else None
    if found:
        operations = _standard_operations(found[1])
        orbits = _orbits(found[0], *operations)
        if orbits is not None:
            (crystal, number, symbol), (rotations, shifts) = found, operations
            first, multiplicity = orbits
    lattice = Lattice(crystal.lattice)
    cell = zip(
        ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"),
        lattice.parameters,
        strict=True,
    )
    types, loop_of_types = cif_symbols(crystal)
    rows = _rows(crystal, types, first, multiplicity)
    setting = (
        "cell and positions as given" if number == 1 else "standard setting: axis b, hexagonal axes, origin choice 2"
    )
    xyz = [SymmOp.from_rotation_and_translation(r, t).as_xyz_str() for r, t in zip(rotations, shifts, strict=True)]
    lines = [
        f"# {setting}",
        f"data_{re.sub(r'[^!-~]', '_', crystal.name) or 'crystal'}",
        f"_symmetry_space_group_name_H-M '{symbol}'",
        f"_symmetry_Int_Tables_number {number}",
        *(f"_cell_{key} {value:.12f}" for key, value in cell),
        f"_cell_volume {crystal.volume:.8f}",
        f"_chemical_formula_sum '{_sum_formula(crystal)}'",
        *("loop_", "_symmetry_equiv_pos_site_id", "_symmetry_equiv_pos_as_xyz"),
        *(f"{k + 1} '{operation}'" for k, operation in enumerate(xyz)),
        *loop_of_types,
        *("loop_", "_atom_site_type_symbol", "_atom_site_label", "_atom_site_symmetry_multiplicity"),
        *("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z", "_atom_site_occupancy"),
        *rows,
        *cif_beside(crystal),
    ]
    return "\n".join(lines) + "\n"


def _sum_formula(crystal: Crystal) -> str:
    """Atoms of the cell by element, in the order of their symbols."""
    from ase.data import chemical_symbols

    elements = sorted(crystal.elements, key=lambda z: chemical_symbols[z])
    return " ".join(f"{chemical_symbols[z]}{crystal.content[z].round(8):g}" for z in elements)


def _rows(
    crystal: Crystal, types: Sequence[str], first: Int[np.ndarray, " orbits"], multiplicity: Int[np.ndarray, " orbits"]
) -> list[str]:
    """Lines of the loop of atoms: one for each element on a site; those that share a site have its label's number.

    Parameters
    ----------
    crystal
        To be written.
    types
        Type symbols of its sites, of those that are one element's.
    first, multiplicity
        A site of each orbit, and how many the orbit has.
    """
    from ase.data import chemical_symbols

    shares = crystal.sites_shares()
    lines = []
    for k, m in zip(first, multiplicity, strict=True):
        x, y, z = crystal.frac_coords[k]
        for element, share in _written(shares[k]):
            symbol = chemical_symbols[element]
            kind = types[k] if len(shares[k]) == 1 else symbol
            lines.append(f"{kind} {symbol}{k + 1} {m} {x:.12f} {y:.12f} {z:.12f} {share:.10g}")
    return lines


def _written(shares: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Occupancies of a site to ten digits, and not a bit more than 1 in all, which pymatgen refuses."""
    written = [(z, round(share, 10)) for z, share in shares]
    over = sum(share for _, share in written) - 1
    if over <= 0:
        return written
    largest = max(range(len(written)), key=lambda k: written[k][1])
    z, share = written[largest]
    written[largest] = (z, math.floor((share - over) * 1e10) / 1e10)
    return written


def _standard_operations(number: int) -> tuple[Float[np.ndarray, "ops 3 3"], Float[np.ndarray, "ops 3"]]:
    import moyopy

    operations = moyopy.operations_from_number(number, setting=moyopy.Setting.standard(), primitive=False)
    return np.array(operations.rotations, dtype=np.float64), np.array(operations.translations, dtype=np.float64)


def _orbits(
    crystal: Crystal, rotations: Float[np.ndarray, "ops 3 3"], shifts: Float[np.ndarray, "ops 3"]
) -> tuple[Int[np.ndarray, " orbits"], Int[np.ndarray, " orbits"]] | None:
    """Return the first site and the number of sites of every orbit; None if an image meets no site."""
    first, sizes = [], []
    kinds = crystal.site_kinds()
    left = np.ones(len(crystal), dtype=bool)
    while left.any():
        k = int(left.argmax())
        images = rotations @ crystal.frac_coords[k] + shifts
        away = images[:, None] - crystal.frac_coords
        meets = (abs(away - np.round(away)).max(-1) < 1e-5) & (kinds == kinds[k])
        if not meets.any(1).all() or not left[meets.any(0)].all():
            return None
        first.append(k)
        sizes.append(int(meets.any(0).sum()))
        left &= ~meets.any(0)
    return np.array(first), np.array(sizes)
