"""What the rules say of one crystal, and what CDVAE's metrics compare."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.fingerprints import composition_fingerprint, structure_fingerprint
from xtalcodec.evaluation.generation.memo import with_versions
from xtalcodec.evaluation.generation.validity import composition_valid, structure_valid
from xtalcodec.geometry.symmetry import SYMPREC, conventional, crystal_system
from xtalcodec.io.read import quiet


@dataclass(frozen=True, slots=True)
class Description:
    """One crystal by itself, whatever it is compared with."""

    structure_valid: bool
    composition_valid: bool
    density: float
    """g/cm³."""
    elements: int
    space_group: int | None
    """Number of the group found within 0.1 Å; None where no symmetry could be determined."""
    structure_fingerprint: Float[np.ndarray, "61"] | None
    """None where CrystalNN failed."""
    composition_fingerprint: Float[np.ndarray, "132"]

    @property
    def valid(self) -> bool:
        """CDVAE's validity: atoms apart, charges balance, and CrystalNN finds neighbours."""
        return self.structure_valid and self.composition_valid and self.structure_fingerprint is not None

    @property
    def flaw(self) -> str:
        """Why the crystal is not valid; empty where it is."""
        flaws = [] if self.structure_valid else ["two atoms are nearer than 0.5 Å"]
        flaws += [] if self.composition_valid else ["no oxidation states balance"]
        flaws += ["CrystalNN finds no neighbours"] if self.structure_fingerprint is None else []
        return "; ".join(flaws)

    @property
    def crystal_system(self) -> str:
        """One of seven, or "?" where no symmetry could be determined."""
        return crystal_system(self.space_group or 0)


def what_describes() -> str:
    """Name of this computation, with what shapes it."""
    return with_versions("description 1", "smact", "matminer", "pymatgen", "moyopy")


def describe(crystal: Crystal) -> dict[str, Any]:
    """Apply the rules and compute the fingerprints; as JSON, which `described` reads."""
    with quiet():
        found = conventional(crystal, SYMPREC)
        structure = structure_fingerprint(crystal)
        return {
            "structure_valid": structure_valid(crystal),
            "composition_valid": composition_valid(crystal.numbers),
            "density": float(crystal.to_pymatgen().density),
            "elements": len(set(crystal.numbers.tolist())),
            "space_group": found[1] if found else None,
            "structure_fingerprint": None if structure is None else structure.tolist(),
            "composition_fingerprint": composition_fingerprint(crystal).tolist(),
        }


def described(value: dict[str, Any]) -> Description:
    """Read what `describe` returned."""
    structure = value["structure_fingerprint"]
    arrays = {
        "structure_fingerprint": None if structure is None else np.array(structure, dtype=np.float64),
        "composition_fingerprint": np.array(value["composition_fingerprint"], dtype=np.float64),
    }
    return Description(**value | arrays)
