"""What users have in hand, structures, atoms and paths, as crystals."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xtalcodec.crystal import Crystal, CrystalError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    Material = Structure | Atoms | Crystal | str | Path

Kind = Literal["pymatgen", "ase"]
"""What crystals are given as, and come back as."""


def as_crystals(materials: "Material | Iterable[Material]") -> tuple[list[Crystal], list[Kind], list[str]]:
    """Turn what users have into crystals; a folder stands for all files of known formats in it.

    Returns
    -------
    crystals
        In order.
    kinds
        Of each, whether it was ASE's.
    names
        What to call each in messages.

    Raises
    ------
    CrystalError
        An item that is no crystal, or a file that cannot be read, by name.
    TypeError
        An item of another type, by its place.
    """
    from ase import Atoms
    from pymatgen.core import Structure

    if isinstance(materials, (Structure, Atoms, Crystal, str, Path)):
        materials = [materials]
    found: list[tuple[Crystal, Kind, str]] = []
    for k, material in enumerate(materials):
        if isinstance(material, (str, Path)):
            found += [(crystal, "pymatgen", crystal.name) for crystal in _from_files(Path(material))]
            continue
        crystal, kind = _from_object(material, k)
        found.append((crystal, kind, crystal.name or f"item {k} ({crystal.formula})"))
    return [c for c, _, _ in found], [kind for _, kind, _ in found], [name for _, _, name in found]


def named_crystals(materials: "Material | Iterable[Material]") -> list[Crystal]:
    """Turn what users have into crystals that are all called by what messages call them, see `as_crystals`."""
    crystals, _, names = as_crystals(materials)
    return [replace(crystal, name=name) for crystal, name in zip(crystals, names, strict=True)]


def _from_object(material: Any, place: int) -> tuple[Crystal, Kind]:
    """One item of a list as a crystal."""
    from ase import Atoms
    from pymatgen.core import Structure

    try:
        if isinstance(material, Crystal):
            return material, "pymatgen"
        if isinstance(material, Structure):
            return Crystal.from_pymatgen(material), "pymatgen"
        if isinstance(material, Atoms):
            return Crystal.from_ase(material), "ase"
    except CrystalError as error:
        raise CrystalError(f"item {place}: {error}") from error
    kind = type(material).__name__
    raise TypeError(f"item {place}: a crystal is a pymatgen Structure, ASE Atoms or a path, not {kind}")


def _from_files(path: Path) -> Iterator[Crystal]:
    """Crystals of a file, or of all files in a folder, that must all be good."""
    from xtalcodec.io.read import Unusable, iterate

    for crystal in iterate([path]):
        if isinstance(crystal, Unusable):
            raise CrystalError(f"{crystal.name}: {crystal.reason}")
        yield crystal
