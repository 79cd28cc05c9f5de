"""The symmetry operations of a CIF: listed, magnetic, or from the tables where the space group is only named."""

import re

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import CrystalError
from xtalcodec.io.cif.syntax import Block
from xtalcodec.io.symmetry.operations import IDENTITY, Operations, check_group, from_triplets
from xtalcodec.io.symmetry.space_groups import Named, resolve

_LISTED = r"_(symmetry_equiv_pos_as_xyz|space_group_symop_operation_xyz)_?$"
_MAGNETIC = "_space_group_symop_magn_operation_xyz"
_MAGNETIC_CENTRING = "_space_group_symop_magn_centering_xyz"
_MODULATED = (
    r"_(cell_modulation_dimension|cell_wave_vector|atom_site_fourier|atom_site_displace|space_group_ssg|.*_ssg_)"
)
_SYMBOLS = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_symmetry_space_group_name_h-m_full",
    "_space_group_name_h-m_ref",
)
_HALLS = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")


def check_not_modulated(block: Block) -> None:
    """Refuse a modulated or composite structure: no cell of three dimensions repeats."""
    for tag in block.matching(_MODULATED):
        value = block.one(tag)
        if value is not None and not (tag == "_cell_modulation_dimension" and value == "0"):
            raise CrystalError(
                f"it is a modulated structure ({tag}), which has no cell that repeats in three dimensions"
            )


def named(block: Block, *, listed: bool = False) -> Named:
    """Collect what the file calls its space group.

    Parameters
    ----------
    block
        The data block.
    listed
        Whether it lists its operations; then a number that is none of 1 to 230 counts as not given.

    Raises
    ------
    CrystalError
        Two tags with two numbers, or a number that is none of 1 to 230.
    """
    numbers = {value for tag in _NUMBERS if (value := block.one(tag)) and (_is_number(value) or not listed)}
    if len(numbers) > 1:
        raise CrystalError(f"it gives two numbers of a space group: {' and '.join(sorted(numbers))[:40]}")
    text = numbers.pop() if numbers else None
    if text is not None and not _is_number(text):
        raise CrystalError(f"its space group's number is {text[:20]!r}, not 1 to 230")
    symbol, hall = block.one(*_SYMBOLS), block.one(*_HALLS)
    code = block.one("_space_group_it_coordinate_system_code")
    return Named(symbol, hall, int(text) if text else None, code)


def _is_number(text: str) -> bool:
    """Whether a text is the number of a space group."""
    return bool(re.fullmatch(r"\d{1,3}", text)) and 1 <= int(text) <= 230


def read_operations(block: Block, metric: Float[np.ndarray, "3 3"]) -> tuple[Operations, bool, tuple[str, ...]]:
    """Return the operations, whether the file lists them, and what was assumed.

    Parameters
    ----------
    block
        The data block.
    metric
        Metric tensor of the cell in Å².

    Raises
    ------
    CrystalError
        Operations that cannot be read, are no group or do not fit the cell; a space group that is not clear.
    """
    listed = next((block.values[tag] for tag in block.matching(_LISTED) if block.one(tag)), None)
    notes: tuple[str, ...] = ()
    if block.one(_MAGNETIC):
        operations = _magnetic(block)
        check_group(operations, metric)
        return operations, True, notes
    if listed:
        operations = from_triplets([text for value in listed for text in re.split(r"[\n;]", value) if text.strip()])
        check_group(operations, metric)
        return operations, True, notes
    if spelt := [tag for tag in block.matching(r".*(symop.operation|equiv.pos.as|symop_magn).*xyz") if block.one(tag)]:
        raise CrystalError(f"its symmetry operations ({spelt[0]}) cannot be read")
    if block.one("_space_group_magn_name_bns", "_space_group_magn_number_bns"):
        operations = _by_magnetic_name(block)
        notes += ("operations from the table of magnetic space groups",)
    else:
        operations, assumed = _named_operations(named(block), metric)
        notes += (assumed,) if assumed else ()
    check_group(operations, metric)
    return operations, False, notes


def _named_operations(group: Named, metric: Float[np.ndarray, "3 3"]) -> tuple[Operations, str]:
    if group.symbol is None and group.hall is None and group.number is None:
        return IDENTITY, "no symmetry is given: taken as P 1"
    trivial = re.sub(r"[\s_'\"]", "", group.symbol or "P1").casefold() == "p1" and group.number in (None, 1)
    if trivial and group.hall is None:
        return IDENTITY, ""
    return resolve(group, metric)


def _magnetic(block: Block) -> Operations:
    """Combine magnetic operations, `x,y,z,+1`, with the magnetic centring; time reversal moves no atom."""

    def parts(tag: str) -> tuple[Operations, Int[np.ndarray, " ops"]]:
        texts = block.values.get(tag) or ["x,y,z,+1"]
        spatial = from_triplets([re.sub(r",\s*[+-]?1?\s*$", "", text) for text in texts])
        return spatial, np.array([-1 if re.search(r",\s*-1?\s*$", text) else 1 for text in texts])

    operations, reversal = parts(_MAGNETIC)
    centring, reversal_of_centring = parts(_MAGNETIC_CENTRING)
    if (abs(centring.rotations - np.eye(3)) > 1e-6).any():
        raise CrystalError("its magnetic centring is no translation")
    shifts = (operations.shifts[:, None] + centring.shifts).reshape(-1, 3)
    signs = (reversal[:, None] * reversal_of_centring).ravel()
    return Operations(np.repeat(operations.rotations, len(centring), axis=0), shifts, signs)


def _by_magnetic_name(block: Block) -> Operations:
    """Operations of a magnetic space group by its BNS name, in its standard setting."""
    from pymatgen.symmetry.maggroups import MagneticSpaceGroup

    transform = block.one("_space_group_magn_transform_bns_pp_abc")
    if transform and transform.replace(" ", "") != "a,b,c;0,0,0":
        raise CrystalError("it lists no magnetic operations, and its magnetic group is not in the standard setting")
    name, text = block.one("_space_group_magn_name_bns"), block.one("_space_group_magn_number_bns")
    try:
        group = MagneticSpaceGroup(name or [int(part) for part in str(text).split(".")])
    except (ValueError, TypeError, KeyError, IndexError) as error:
        what = str(name or text)[:30]
        raise CrystalError(f"it lists no magnetic operations, and its magnetic group {what!r} is unknown") from error
    rotations = np.array([operation.rotation_matrix for operation in group.symmetry_ops], dtype=float)
    shifts = np.array([operation.translation_vector for operation in group.symmetry_ops], dtype=float)
    both = np.unique(np.round(np.concatenate([rotations.reshape(-1, 9), shifts % 1.0], axis=1), 6), axis=0)
    return Operations(both[:, :9].reshape(-1, 3, 3), both[:, 9:])
