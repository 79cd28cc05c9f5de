"""Energies of known crystals by a potential, and how far above their convex hull another crystal lies."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.memo import Memo, crystal_hash, remembered
from xtalcodec.evaluation.generation.potentials import (
    POTENTIALS,
    check_potential,
    relaxation,
    relaxed,
    single_point,
    what_computes,
    what_relaxes,
)
from xtalcodec.evaluation.generation.pure_elements import STEPS, pure
from xtalcodec.geometry.elements import symbol
from xtalcodec.geometry.room import room
from xtalcodec.io.read import Unusable, quiet
from xtalcodec.io.tables import write_rows
from xtalcodec.parallel import Pool

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PhaseDiagram

COLUMNS = ("composition", "energy_per_atom", "potential")
"""What a table of a hull must have; `crystal`, whose energy it is, comes on top."""

SHIPPED = Path(__file__).parent / "hulls"
"""Folder of the tables that ship, one folder each, with a card."""
TABLE = "hull.parquet"
DEFAULT = "mp"
"""The table that is taken where none is named: of crystals of the Materials Project."""

FAR_BELOW = 0.1
"""eV/atom: a crystal further below a hull than this says that the hull lacks phases, more than that it is stable."""

_TOGETHER = 256
"""Crystals read and computed before the next are read."""


class HullError(ValueError):
    """A composition for which a hull has no reference."""


@dataclass(frozen=True, eq=False)
class Hull:
    """Lowest energies of known compositions by one potential. It equals itself alone: diagrams are kept for each."""

    potential: str
    entries: dict[frozenset[str], dict[str, float]]
    """Elements → reduced formula → eV/atom."""

    @classmethod
    def read(cls, path: str | Path, potential: str) -> "Hull":
        """Take the rows of a potential from a table.

        Parameters
        ----------
        path
            A table of `xtalcodec hull`, or the name of one that ships.
        potential
            Its name.

        Raises
        ------
        ValueError
            No table of a hull, or none with this potential.
        OSError
            No such file, or one that cannot be read.
        """
        return cls.of(potential, _energies(path, potential)[potential])

    @classmethod
    def up_to(cls, path: str | Path, potential: str | None = None) -> "list[Hull]":
        """Take the hulls of a potential and of all that are faster from a table, the fastest first.

        Parameters
        ----------
        path
            A table of `xtalcodec hull`, or the name of one that ships.
        potential
            Its name; the slowest one in the table if not given.

        Raises
        ------
        ValueError
            No table of a hull, or none with this potential.
        OSError
            No such file, or one that cannot be read.
        """
        return [cls.of(name, energies) for name, energies in _energies(path, potential).items()]

    @classmethod
    def of(cls, potential: str, energies: Iterable[tuple[str, float]]) -> "Hull":
        """Take formulas and energies in eV/atom, of which the lowest of each formula counts."""
        from pymatgen.core import Composition

        entries: dict[frozenset[str], dict[str, float]] = {}
        with quiet():  # pymatgen warns of elements without an electronegativity
            for formula, energy in energies:
                composition = Composition(formula)
                lowest = entries.setdefault(frozenset(e.symbol for e in composition), {})
                name = composition.reduced_formula
                lowest[name] = min(energy, lowest.get(name, np.inf))
        return cls(potential, entries)

    @property
    def compositions(self) -> int:
        """How many are known."""
        return sum(map(len, self.entries.values()))

    def above(self, numbers: Int[np.ndarray, " sites"], energy: float) -> float:
        """Distance in eV/atom of a composition at an energy (eV/atom) from the hull; below it is negative.

        Raises
        ------
        HullError
            An element of which the table has no crystal.
        """
        from pymatgen.core import Composition

        symbols = [symbol(int(z)) for z in numbers]
        composition = Composition({s: symbols.count(s) for s in set(symbols)})
        diagram = _diagram(self, frozenset(symbols))
        return energy - float(diagram.get_hull_energy_per_atom(composition))


def _energies(path: str | Path, last: str | None) -> dict[str, list[tuple[str, float]]]:
    """Formulas and energies of a table by potential, the fastest potential first, up to one; all if None."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shipped = SHIPPED / str(path) / TABLE
    file = shipped if shipped.is_file() else path
    if not Path(file).exists():
        raise FileNotFoundError(f"{path}: there is no such table of a hull; `xtalcodec hull` makes one")
    try:
        there = pq.read_schema(file).names
        lacking = [name for name in COLUMNS if name not in there]
        if lacking:
            raise ValueError(f"{path}: it is no table of a hull: no column {', '.join(lacking)}")
        table = pq.read_table(file, columns=list(COLUMNS))
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: it is no table of a hull: {error}") from error
    energies: dict[str, list[tuple[str, float]]] = {}
    for k, row in enumerate(table.to_pylist(), start=1):
        energy, texts = row["energy_per_atom"], (row["composition"], row["potential"])
        known = isinstance(energy, int | float) and all(isinstance(text, str) and text for text in texts)
        if not known or not np.isfinite(energy):
            told = ", ".join(f"{name} {row[name]}" for name in COLUMNS)
            raise ValueError(f"{path}: row {k} is no energy of a composition by a potential: {told}")
        energies.setdefault(row["potential"], []).append((row["composition"], energy))
    order = [*POTENTIALS, *sorted(energies.keys() - POTENTIALS.keys())]
    names = [name for name in order if name in energies]
    if not names or last not in (None, *names):
        have, of = ", but of " + ", ".join(names) if names else "", f" of {last}" if last else ""
        raise ValueError(f"{path}: it has no energies{of}{have}; `xtalcodec hull` computes them")
    return {name: energies[name] for name in (names[: names.index(last) + 1] if last else names)}


@lru_cache(maxsize=256)
def _diagram(hull: Hull, elements: frozenset[str]) -> "PhaseDiagram":
    """Phase diagram of all known compositions of these elements."""
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    missing = sorted(e for e in elements if frozenset((e,)) not in hull.entries)
    if missing:
        raise HullError(f"the hull has no crystal of pure {', '.join(missing)}")
    known = [pair for own, formulas in hull.entries.items() if own <= elements for pair in formulas.items()]
    with quiet():
        compositions = [Composition(formula) for formula, _ in known]
        entries = [PDEntry(c, energy * c.num_atoms) for c, (_, energy) in zip(compositions, known, strict=True)]
        return PhaseDiagram(entries)


def hull_energies(
    crystals: Iterable[Crystal | Unusable],
    potentials: Sequence[str],
    memo: Memo,
    pool: Pool,
    progress: Callable[[int], None] | None = None,
) -> "HullTable":
    """Compute the energy of crystals as they are, and keep the lowest of each composition.

    Elements that no crystal is pure of are relaxed in AFLOW's prototypes of elements.

    Parameters
    ----------
    crystals
        Read as they are needed; what could not be read is among the failures.
    potentials
        Names of one or several.
    memo, pool
        Where energies are kept, so that a run goes on where it was killed, and where they are computed.
    progress
        Called with the number of energies done since the last call.
    """
    for name in potentials:
        check_potential(name)
    table = HullTable({}, [], 0)
    waiting = iter(crystals)
    while batch := list(islice(waiting, _TOGETHER)):
        good = {crystal_hash(c): c for c in batch if isinstance(c, Crystal)}
        table.failures.extend(item for item in batch if isinstance(item, Unusable))
        table.crystals += sum(isinstance(c, Crystal) for c in batch)
        for name in potentials:
            tasks = {key: (crystal, name) for key, crystal in good.items()}
            found = remembered(memo, what_computes(name), single_point, tasks, pool, progress, chunk=4)
            for key, value in found.items():
                table.take(good[key], name, value)
    for name in potentials:
        _add_elements(table, name, memo, pool, progress)
    return table


def _add_elements(
    table: "HullTable", potential: str, memo: Memo, pool: Pool, progress: Callable[[int], None] | None
) -> None:
    """Relax the elements that no crystal is pure of, in the structures of others."""
    for z in table.lacking(potential):
        tasks = {crystal_hash(crystal): (crystal, potential, STEPS) for crystal in pure(z)}
        found = remembered(memo, what_relaxes(potential, STEPS), relaxation, tasks, pool, progress, chunk=1)
        ended = {key: value for key, value in found.items() if _came_to_rest(value)}
        for key, value in ended.items():
            table.take(tasks[key][0], potential, value)
        if not ended:
            table.failures.append(Unusable(symbol(z), "no crystal is pure of it, and in no prototype it has an energy"))


def _came_to_rest(value: dict[str, Any]) -> bool:
    """Whether a relaxation ended with small forces and atoms apart: potentials have deep holes where atoms overlap."""
    return "failure" not in value and value["converged"] and not room(relaxed(value).crystal).reasons


@dataclass
class HullTable:
    """Lowest energies as they come in."""

    lowest: dict[tuple[str, str], tuple[float, str]]
    """Potential and formula → eV/atom, and the crystal's name."""
    failures: list[Unusable]
    """What has no energy, and why."""
    crystals: int
    """How many crystals were read."""

    def take(self, crystal: Crystal, potential: str, value: dict[str, Any]) -> None:
        """Keep an energy where it is the lowest of its composition.

        Parameters
        ----------
        crystal
            Whose energy it is.
        potential
            Whose name is noted.
        value
            Of `single_point` or `relaxation`.
        """
        if "failure" in value:
            self.failures.append(Unusable(crystal.name, value["failure"]))
            return
        entry = (value["energy"], crystal.name)
        key = (potential, crystal.formula)
        self.lowest[key] = min(entry, self.lowest.get(key, entry))

    def lacking(self, potential: str) -> list[int]:
        """Atomic numbers of elements that are in compounds with an energy, and have none of their own."""
        from pymatgen.core import Composition

        held = [Composition(formula).elements for name, formula in self.lowest if name == potential]
        alone = {elements[0].Z for elements in held if len(elements) == 1}
        return sorted({element.Z for elements in held for element in elements} - alone)

    def write(self, path: str | Path) -> int:
        """Write one row for every potential and composition, and return how many. All or nothing."""
        import pyarrow as pa

        rows = [
            {"composition": formula, "energy_per_atom": energy, "potential": potential, "crystal": name}
            for (potential, formula), (energy, name) in sorted(self.lowest.items())
        ]
        kinds = [pa.string(), pa.float64(), pa.string(), pa.string()]
        schema = pa.schema(list(zip((*COLUMNS, "crystal"), kinds, strict=True)))
        return write_rows(rows, schema, path)
