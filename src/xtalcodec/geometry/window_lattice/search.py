"""Atoms in a window → the lattice that repeats them, and with it the crystal.

How exactly the atoms repeat is not known beforehand, so lattices are proposed at several tolerances
(`translations`). Each is folded and compared with the window, and the finest is the answer, unless a larger
cell explains the window better than it would by chance.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.images import minimum_image
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.window_lattice.folding import FoldConfig, Folded, fold, reproduced, window_of
from xtalcodec.geometry.window_lattice.translations import TranslationConfig, find_translations, proposals


class LatticeError(ValueError):
    """A window that does not show its lattice: the message says why."""


@dataclass(frozen=True, slots=True)
class LatticeConfig:
    """When a lattice explains a window, and which of several does best; lengths in Å."""

    errors: float = 0.05
    """Share of atoms that may be wrong in a window that is explained."""
    deviations: float = 2.5
    """So many standard deviations of that number are allowed on top, for windows of few atoms."""
    unseen: float = 0.5
    """Atoms, at most, that are to be expected in the part of the cell that the window does not hold."""
    repeated: float = 0.2
    """Share of the atoms, at least, that are copies of others."""
    saving: float = 4.0
    """Evidence in nats for a larger cell from each further atom that it explains, net of its exceptions: about what it
    takes to name an atom and its error."""
    proof: float = 12.0
    """Least evidence in nats for which a larger cell is preferred."""
    distortion: float = 0.02
    """Sites that differ by no more are one."""
    translations: TranslationConfig = field(default_factory=TranslationConfig)
    """Settings of the search for translations, which propose lattices."""
    fold: FoldConfig = field(default_factory=FoldConfig)
    """How copies are folded."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """A lattice that explains a window."""

    folded: Folded
    wrong: int
    """Atoms that it does not explain."""
    free: int
    """Atoms beyond one for each site: what the lattice predicted."""

    @property
    def volume(self) -> float:
        """Volume of the cell, Å³."""
        return float(abs(np.linalg.det(self.folded.lattice)))

    def beats(self, finer: "Explanation", centre: Float[np.ndarray, "3"], config: LatticeConfig) -> bool:
        """Whether this larger cell is preferred to a smaller one.

        Evidence is counted in nats: for each atom that it alone explains and that costs it no exception among its
        sites, `saving`; and minus the logarithm of the chance that atoms would scatter so much less about its
        additional sites if there were none (F-test of nested models). Of cells of one size the one with fewer errors
        is better.

        Parameters
        ----------
        finer
            The explanation by a smaller cell.
        centre
            Å: the middle of the window.
        config
            When one is better.
        """
        from scipy.special import fdtrc

        if self.volume < 1.05 * finer.volume:  # a rival, not a larger cell
            return (self.wrong, self.folded.noise) < (finer.wrong, finer.folded.noise)
        saved = finer.wrong - self.wrong - self.exceptions(finer, centre, config.fold.radius)
        scatter = 3 * self.free * max(self.folded.noise, 1e-4) ** 2
        more = 3 * finer.free * max(finer.folded.noise**2 - config.distortion**2, 0) - scatter
        added, free = 3 * (finer.free - self.free), 3 * self.free
        chance = fdtrc(added, free, more / added / (scatter / free)) if added > 0 and more > 0 else 1.0
        return bool(config.saving * saved - np.log(max(chance, 1e-300)) > config.proof)

    def exceptions(self, finer: "Explanation", centre: Float[np.ndarray, "3"], radius: float) -> int:
        """Sites of the cell, in its copy around the centre of the window, in which it differs from the finer one.

        Parameters
        ----------
        finer
            The explanation by a smaller cell.
        centre
            Å: the middle of the window.
        radius
            Å: how near atoms must be to be the same.
        """
        mine, other = self.folded, finer.folded
        inverse = np.linalg.inv(mine.lattice)
        near = mine.frac_coords - np.round(mine.frac_coords - centre @ inverse)
        apart = (near @ mine.lattice @ np.linalg.inv(other.lattice))[:, None] - other.frac_coords
        distance = np.linalg.norm(minimum_image(apart) @ other.lattice, axis=-1)
        same = (distance <= radius) & (mine.numbers[:, None] == other.numbers)
        places = round(self.volume / finer.volume) * len(other.numbers)
        return max(len(mine.numbers), places) - int(same.any(1).sum())


def crystal_from_window(
    positions: Float[np.ndarray, "atoms 3"],
    numbers: Int[np.ndarray, " atoms"],
    edge: float = 10.0,
    config: LatticeConfig = LatticeConfig(),
) -> Crystal:
    """Return the crystal of a window on its primitive Niggli-reduced cell, in the frame of the window.

    Parameters
    ----------
    positions, numbers
        The atoms in the window, Å from its corner.
    edge
        Length of the window, Å.
    config
        When a lattice explains a window, and which of several is taken.

    Raises
    ------
    LatticeError
        The window does not show three periods, or none of the lattices it suggests explains it.
    """
    folded = explain(positions, numbers, edge, config)
    try:
        return niggli(Crystal(folded.lattice, folded.frac_coords, folded.numbers))[0]
    except CrystalError as error:
        raise LatticeError(f"the window's lattice cannot be: {error}") from error


def explain(
    positions: Float[np.ndarray, "atoms 3"],
    numbers: Int[np.ndarray, " atoms"],
    edge: float = 10.0,
    config: LatticeConfig = LatticeConfig(),
) -> Folded:
    """Return the smallest cell that explains the window as well as any lattice it suggests.

    Parameters
    ----------
    positions, numbers
        Atoms in the window, Å from its corner.
    edge
        Of the window, Å.
    config
        How lattices are looked for.

    Raises
    ------
    LatticeError
        The window does not show three periods, or none of the lattices it suggests explains it.
    """
    if not len(numbers):
        raise LatticeError(f"the window of {edge:g} Å holds no atoms")
    translations = find_translations(positions, numbers, edge, config.translations)
    explained: list[Explanation] = []
    best, rank = 1.0, 0
    for lattice in proposals(translations, config.translations):
        rank = max(rank, len(lattice))
        if len(lattice) < 3:
            continue
        folded = fold(positions, numbers, lattice, edge, config.fold)
        wrong, compared = reproduced(folded, positions, numbers, edge, config.fold)
        best = min(best, wrong / max(compared, 1))
        usual = config.errors * compared
        free = len(numbers) - len(folded.numbers)
        if wrong <= usual + config.deviations * np.sqrt(usual) and free >= config.repeated * len(numbers):
            explained.append(Explanation(folded, wrong, free))
    if rank < 3:
        which = ("period", "second period", "third period")[rank]
        raise LatticeError(f"the window of {edge:g} Å shows no {which} of its {len(numbers)} atoms")
    if not explained:
        raise LatticeError(
            f"no lattice that the window of {edge:g} Å suggests explains its {len(numbers)} atoms: "
            f"the best leaves {best:.0%} unexplained"
        )
    explained.sort(key=lambda explanation: explanation.volume)
    answer = explained[0]
    for other in explained[1:]:
        if other.beats(answer, np.full(3, edge / 2), config):
            answer = other
    _check_seen(answer.folded, edge, config)
    return answer.folded


def _check_seen(folded: Folded, edge: float, config: LatticeConfig) -> None:
    """Refuse a cell of which the window leaves out a part that would hold atoms at the density of the rest."""
    count = np.ceil(np.linalg.norm(folded.lattice, axis=1) / 0.8).astype(int)
    grid = np.stack(np.meshgrid(*[np.arange(n) / n for n in count], indexing="ij"), -1).reshape(-1, 3)
    _, held = window_of(folded.lattice, grid, np.arange(len(grid)), edge)
    unseen = 1 - len(np.unique(held)) / len(grid)
    atoms = len(folded.numbers) * unseen / (1 - unseen)
    if atoms > config.unseen:
        raise LatticeError(
            f"the window of {edge:g} Å does not hold {unseen:.0%} of the cell it suggests, about {atoms:.1f} atoms"
        )
