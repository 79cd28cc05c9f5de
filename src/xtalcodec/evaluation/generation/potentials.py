"""Energies and relaxations by SevenNet, whose weights lie in its wheel: nothing is fetched.

SevenNet's own loader unpickles its checkpoints. Here it runs with torch's restricted unpickler
(`weights_only`), which builds tensors, plain containers and NumPy arrays, and refuses anything else.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.memo import with_versions
from xtalcodec.geometry.elements import symbol
from xtalcodec.io.read import quiet

if TYPE_CHECKING:
    from ase import Atoms

POTENTIALS = {"sevennet-0": "7net-0", "sevennet-l3i5": "7net-l3i5"}
"""Our names of the potentials whose weights SevenNet ships, and its own. The first is three times as fast."""

FMAX = 0.05
"""eV/Å: a crystal is relaxed when no force, on an atom or on the cell, is larger."""

ROOM = (2.0, 500.0)
"""Å³ per atom; a relaxation that leaves this range has lost the crystal."""


class PotentialError(ValueError):
    """A crystal of which the potential has no energy: the message says why."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Where a relaxation ended."""

    crystal: Crystal
    energy: float
    """eV/atom."""
    before: float
    """eV/atom of the crystal that was given."""
    converged: bool
    """Whether all forces are below `FMAX`."""


def check_potential(name: str) -> None:
    """Refuse a name that is no potential, and tell when SevenNet is not installed.

    Raises
    ------
    ValueError
        An unknown name.
    ModuleNotFoundError
        SevenNet is not there.
    """
    from importlib.util import find_spec

    if name not in POTENTIALS:
        raise ValueError(unknown("potential", name, list(POTENTIALS)))
    if find_spec("sevenn") is None:
        raise ModuleNotFoundError("SevenNet is not installed", name="sevenn")


def what_relaxes(name: str, steps: int) -> str:
    """Name of a relaxation with all that shapes it but the crystal."""
    return with_versions(f"relaxation 2 {name} {steps} steps to {FMAX} eV/Å", "sevenn", "ase")


def what_computes(name: str) -> str:
    """Name of a single-point energy with all that shapes it but the crystal."""
    return with_versions(f"single point 1 {name}", "sevenn", "ase")


def single_point(crystal: Crystal, name: str) -> dict[str, Any]:
    """Compute the energy of a crystal as it is, without forces, in a third of the time; as JSON, for `energy_in`.

    What goes wrong is a reason and no exception, see `relaxation`.

    Parameters
    ----------
    crystal
        Ordered, its atoms apart.
    name
        Of the potential.
    """
    return _or_reason(lambda: {"energy": static_energy(crystal, name)})


def energy_in(value: dict[str, Any]) -> float:
    """Read what `single_point` or `relaxation` returned, in eV/atom.

    Raises
    ------
    PotentialError
        With the reason, where there is no energy.
    """
    if "failure" in value:
        raise PotentialError(value["failure"])
    return value["energy"]


def relaxation(crystal: Crystal, name: str, steps: int) -> dict[str, Any]:
    """Relax; as JSON, which `relaxed` reads.

    What goes wrong, with elements that the potential does not know or with crystals that fly apart, is a reason and
    no exception.

    Parameters
    ----------
    crystal
        Ordered, its atoms apart.
    name
        Of the potential.
    steps
        Of FIRE on cell and sites, at most.
    """

    def told() -> dict[str, Any]:
        done = relax(crystal, name, steps)
        return {
            "energy": done.energy,
            "before": done.before,
            "converged": done.converged,
            "lattice": done.crystal.lattice.ravel().tolist(),
            "frac_coords": done.crystal.frac_coords.ravel().tolist(),
            "numbers": done.crystal.numbers.tolist(),
        }

    return _or_reason(told)


def _or_reason(told: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is told, or why there is nothing to tell."""
    try:
        with quiet():
            return told()
    except (MemoryError, OSError, ImportError):
        raise  # this machine's trouble, not the crystal's
    except Exception as error:  # noqa: BLE001 - whatever a library finds wrong with a sample is its row's reason
        return {"failure": " ".join(str(error).split())[:200] or type(error).__name__}


def relaxed(value: dict[str, Any], name: str = "") -> Relaxation:
    """Read what `relaxation` returned.

    Raises
    ------
    PotentialError
        With the reason, where there is no energy.
    """
    energy = energy_in(value)
    lattice = np.array(value["lattice"], dtype=np.float64).reshape(3, 3)
    frac_coords = np.array(value["frac_coords"], dtype=np.float64).reshape(-1, 3)
    crystal = Crystal(lattice, frac_coords, np.array(value["numbers"], dtype=np.int64), name)
    return Relaxation(crystal, energy, value["before"], value["converged"])


def relax(crystal: Crystal, name: str, steps: int) -> Relaxation:
    """Relax cell and sites by FIRE until no force exceeds `FMAX`, or for so many steps.

    Parameters
    ----------
    crystal
        In any cell; coordinates may leave it.
    name
        Of the potential.
    steps
        At most.

    Raises
    ------
    PotentialError
        An element that the potential does not know, a crystal that falls in on itself or flies apart, an energy that is
        not finite.
    """
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE

    atoms = _with(_calculator(name), crystal, name)
    before = _per_atom(atoms)
    optimiser = FIRE(FrechetCellFilter(atoms), logfile=None)
    converged = False
    for below in optimiser.irun(fmax=FMAX, steps=steps):
        converged = bool(below)
        room = atoms.get_volume() / len(atoms)
        if not ROOM[0] <= room <= ROOM[1]:
            raise PotentialError(f"its cell comes to {room:.3g} Å³ per atom")
    energy = _per_atom(atoms)
    end = Crystal(np.asarray(atoms.cell), atoms.get_scaled_positions(wrap=False), crystal.numbers, crystal.name)
    return Relaxation(end, energy, before, converged)


def static_energy(crystal: Crystal, name: str) -> float:
    """Energy of a crystal as it is, in eV/atom.

    Parameters
    ----------
    crystal
        In any cell.
    name
        Of the potential.

    Raises
    ------
    PotentialError
        An element that the potential does not know, an energy that is not finite.
    """
    import torch

    with torch.no_grad():
        return _per_atom(_with(_without_forces(name), crystal, name))


def _with(calculator: Any, crystal: Crystal, name: str) -> "Atoms":
    """Atoms whose energy the potential is asked for."""
    strange = sorted({symbol(z) for z in crystal.numbers.tolist() if z not in calculator.type_map})
    if strange:
        raise PotentialError(f"{name} does not know {', '.join(strange)}")
    atoms = crystal.to_ase()
    atoms.calc = calculator
    return atoms


def _per_atom(atoms: "Atoms") -> float:
    energy = float(atoms.get_potential_energy()) / len(atoms)
    if not np.isfinite(energy):
        raise PotentialError("its energy is not finite")
    return energy


def displacement(before: Crystal, after: Crystal) -> float:
    """Root mean square displacement of the sites in Å, the cell's strain and the drift of all sites taken out.

    Site k of one is site k of the other. Fractional coordinates are compared, on the mean of the two cells.
    """
    moved = after.frac_coords - before.frac_coords
    moved = moved - np.round(moved - moved[0])
    away = (moved - moved.mean(0)) @ ((before.lattice + after.lattice) / 2)
    return float(np.sqrt((away**2).sum(1).mean()))


@lru_cache(maxsize=2)
def _calculator(name: str) -> Any:
    """Load a potential, once in each process."""
    return _loaded(name)


@lru_cache(maxsize=2)
def _without_forces(name: str) -> Any:
    """Load a potential that computes energies alone: forces are their gradients, and take two thirds of the time."""
    calculator = _loaded(name)
    calculator.model.delete_module_by_key("force_output")
    calculator.output_to_results = lambda output: {"energy": output["inferred_total_energy"].item()}
    return calculator


def _loaded(name: str) -> Any:
    check_potential(name)
    with quiet():
        from sevenn.calculator import SevenNetCalculator

        with only_weights():
            return SevenNetCalculator(POTENTIALS[name], device="cpu")


@contextmanager
def only_weights() -> Iterator[None]:
    """Let torch.load build tensors, containers and NumPy arrays alone, whatever the caller asks it for."""
    from numpy._core import multiarray
    from torch.serialization import safe_globals

    rebuild = multiarray._reconstruct  # noqa: SLF001 - by this name it stands in files of NumPy 1
    arrays: list[Any] = [np.dtype, np.ndarray, rebuild, (rebuild, "numpy.core.multiarray._reconstruct")]
    arrays += [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)]
    switch = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(switch)
    os.environ[switch] = "1"
    try:
        with safe_globals(arrays):
            yield
    finally:
        if before is None:
            del os.environ[switch]
        else:
            os.environ[switch] = before
