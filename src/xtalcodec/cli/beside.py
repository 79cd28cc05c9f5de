"""What samples are compared with, and ranked by."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Optional, cast

from xtalcodec.cli.running import progress_bar, tell

if TYPE_CHECKING:
    from xtalcodec.crystal import Crystal
    from xtalcodec.evaluation.generation.hull import Hull
    from xtalcodec.evaluation.generation.proposals import Proposal
    from xtalcodec.parallel import Pool


class Rank(StrEnum):
    """What samples are ordered by."""

    confidence = "confidence"
    stability = "stability"


@dataclass(frozen=True, slots=True)
class Beside:
    """All that is needed to compare and rank; read before anything is drawn."""

    reference: "Sequence[Crystal] | None"
    """Known crystals; None for no comparison."""
    rank: Rank | None
    potential: str
    """What relaxes, if samples are ranked by stability."""
    hull: Optional["Hull"]

    @classmethod
    def read(cls, reference: Sequence[str], rank: Rank | None, potential: str, hull: Path | None) -> "Beside":
        """Read the crystals and the hull, and see that what is needed is installed.

        Parameters
        ----------
        reference
            Files, folders and named sources.
        rank
            What samples are ordered by, if they are.
        potential
            Its name.
        hull
            Table of `xtalcodec hull`.

        Raises
        ------
        ValueError
            No reference crystal, a hull that is not asked for or has no energies of the potential.
        ModuleNotFoundError
            What is needed is not installed.
        """
        from xtalcodec.evaluation.generation.hull import Hull
        from xtalcodec.evaluation.generation.inputs import read_crystals
        from xtalcodec.evaluation.generation.potentials import check_potential
        from xtalcodec.evaluation.generation.weighing import check_comparison

        if hull and rank is not Rank.stability:
            raise ValueError("--hull is for --rank stability")
        if rank is Rank.stability:
            check_potential(potential)
        energies = Hull.read(hull, potential) if hull else None
        known = None
        if reference:
            check_comparison()
            known, unusable = read_crystals("reference", reference)
            tell(unusable)
        return cls(known, rank, potential, energies)

    def looked_at(self, samples: "list[Proposal]", workers: int, cache: Path | None) -> "list[Proposal]":
        """Compare samples with the reference, relax and order them, as asked.

        Parameters
        ----------
        samples
            As they were drawn.
        workers
            Processes.
        cache
            File that keeps results, so that a run that was killed goes on; in memory if None.
        """
        from xtalcodec.evaluation.generation.memo import Memo
        from xtalcodec.evaluation.generation.proposals import ranked
        from xtalcodec.evaluation.generation.weighing import compared, weighed
        from xtalcodec.parallel import open_pool

        if self.reference is not None or self.rank is Rank.stability:
            with Memo(cache) as memo, open_pool(workers=workers) as opened:
                pool = cast("Pool", opened)  # of this machine: there is one
                if self.reference is not None:
                    samples = compared(samples, self.reference, memo, pool, progress_bar)
                if self.rank is Rank.stability:
                    samples = weighed(samples, self.potential, self.hull, memo, pool, progress_bar)
        return samples if self.rank is None else ranked(samples, self.rank.value)
