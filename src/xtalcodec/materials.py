"""What users have in hand, structures, atoms and paths, as crystals."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.latents import Kind

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    Material = Structure | Atoms | Crystal | str | Path


def as_crystals(materials: "Material | Iterable[Material]") -> tuple[list[Crystal], Kind]:
    """Turn what users have into crystals, and say whether it was ASE's."""
    from ase import Atoms
    from pymatgen.core import Structure

    if isinstance(materials, (Structure, Atoms, Crystal, str, Path)):
        materials = [materials]
    crystals: list[Crystal] = []
    kinds = set()
    for material in materials:
        if isinstance(material, (str, Path)):
            crystals.extend(_from_file(Path(material)))
        elif isinstance(material, Crystal):
            crystals.append(material)
        elif isinstance(material, Structure):
            crystals.append(Crystal.from_pymatgen(material))
        elif isinstance(material, Atoms):
            crystals.append(Crystal.from_ase(material))
            kinds.add("ase")
        else:
            raise TypeError(f"a crystal is a pymatgen Structure, ASE Atoms or a path, not {type(material).__name__}")
    return crystals, "ase" if kinds else "pymatgen"


def _from_file(path: Path) -> Iterator[Crystal]:
    """Crystals of a file that must all be good."""
    from xtalcodec.io.read import Unusable, read

    for crystal in read(path):
        if isinstance(crystal, Unusable):
            raise CrystalError(f"{crystal.name}: {crystal.reason}")
        yield crystal
