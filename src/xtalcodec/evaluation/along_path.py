"""What lies on a path through the latent space, step by step: crystals, how sure they are, and how sensible."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtalcodec.codecs.latents import LatentSet
from xtalcodec.evaluation.generation.decoded import explained
from xtalcodec.evaluation.generation.potentials import PotentialError, check_potential, energy_in, single_point
from xtalcodec.evaluation.generation.validity import APART
from xtalcodec.geometry.neighbours import shortest
from xtalcodec.geometry.symmetry import SYMPREC, space_group

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.codecs.decoding import DecodedCrystal


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path."""

    name: str
    share: float
    """Of the way, from 0 to 1."""
    decoded: "DecodedCrystal | None"
    """None where no atom was found."""
    explained: float | None = None
    """Share of the atoms in a repeating window that the crystal accounts for."""
    energy: float | None = None
    """eV/atom, where a potential was asked."""
    why_no_energy: str = ""
    """Why the potential had none."""

    @property
    def confidence(self) -> float:
        """0 to 1; 0 where nothing was decoded."""
        return self.decoded.confidence if self.decoded else 0.0

    @property
    def shortest(self) -> float | None:
        """Shortest distance of two atoms, Å."""
        return shortest(self.decoded.crystal) if self.decoded else None

    @property
    def space_group(self) -> str:
        """Hermann-Mauguin symbol, within `SYMPREC` Å; empty where nothing was decoded."""
        return space_group(self.decoded.crystal, SYMPREC) if self.decoded else ""

    @property
    def valid(self) -> bool:
        """Whether all atoms are more than `APART` Å, CDVAE's distance, from each other and from their own images."""
        return self.shortest is not None and self.shortest > APART


def steps_along(
    codec: "Codec",
    path: LatentSet,
    *,
    elements: Iterable[int] | None = None,
    potential: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Step]:
    """Decode a path and look at every step.

    Parameters
    ----------
    codec
        Whose latents the path is of.
    path
        Evenly spaced from one end to the other, as `interpolate` returns it.
    elements
        Atomic numbers that atoms are read as, where the codec can restrict them; otherwise what it finds.
    potential
        Name of the potential that gives energies; None for none.
    progress
        Called with the number of steps done since the last call.

    Raises
    ------
    ModuleNotFoundError
        A potential, and SevenNet is not installed.
    """
    if potential is not None:
        check_potential(potential)
    found = codec.decode_crystals(path, elements=elements if codec.can_restrict else None)
    shares = np.linspace(0, 1, len(path)).tolist()
    steps = []
    for code, share, decoded, told in zip(path, shares, found, explained(codec, path, found), strict=True):
        energy = energy_of(decoded, potential) if potential is not None else (None, "")
        steps.append(Step(code.name, share, decoded, told, *energy))
        if progress:
            progress(1)
    return steps


def energy_of(decoded: "DecodedCrystal | None", potential: str) -> tuple[float | None, str]:
    """eV/atom of a crystal as it is, or why there is none."""
    if decoded is None:
        return None, "nothing was decoded"
    if not decoded.crystal.is_ordered:
        return None, "sites are shared"
    try:
        return energy_in(single_point(decoded.crystal, potential)), ""
    except PotentialError as error:
        return None, str(error)
