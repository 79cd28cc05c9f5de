"""What samples are compared with, and ranked by."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Optional

from xtalcodec.cli.options import Potential
from xtalcodec.cli.relaxing import relaxer
from xtalcodec.cli.running import progress_bar, tell

if TYPE_CHECKING:
    from xtalcodec.crystal import Crystal
    from xtalcodec.evaluation.generation.hull import Hull
    from xtalcodec.evaluation.generation.memo import Memo
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
    relax: bool
    """Whether samples become what they relax to."""

    @classmethod
    def read(
        cls,
        reference: Sequence[str],
        rank: Rank | None,
        potential: Potential | None,
        hull: str | None,
        *,
        relax: bool = False,
    ) -> "Beside":
        """Read the crystals and the hull, and see that what is needed is installed.

        Parameters
        ----------
        reference
            Files, folders and named sources.
        rank
            What samples are ordered by, if they are.
        potential
            What relaxes; sevennet-0 if not given.
        hull
            Table of `xtalcodec hull`; for a ranking the one that ships, if not given.
        relax
            Whether samples become what they relax to.

        Raises
        ------
        ValueError
            No reference crystal, a potential or a hull that is not asked for, a hull without energies of the potential.
        ModuleNotFoundError
            What is needed is not installed.
        """
        from xtalcodec.evaluation.generation.hull import DEFAULT, Hull
        from xtalcodec.evaluation.generation.inputs import read_crystals
        from xtalcodec.evaluation.generation.weighing import check_comparison

        weighed = relax or rank is Rank.stability
        if hull and not weighed:
            raise ValueError("--hull is for --rank stability and --relax")
        name = relaxer(potential, weighed, "--rank stability and --relax").value
        table = hull or (DEFAULT if rank is Rank.stability else None)
        energies = Hull.read(table, name) if table else None
        known = None
        if reference:
            check_comparison()
            known, unusable = read_crystals("reference", reference)
            tell(unusable)
        return cls(known, rank, name, energies, relax)

    def relaxed(
        self,
        drawn: "Iterable[Proposal]",
        symprec: float | None,
        memo: "Memo",
        pool: "Pool",
        advance: Callable[[int], None],
    ) -> "Iterator[Proposal]":
        """Relax samples as they come, some at a time; each is then what it relaxed to.

        Parameters
        ----------
        drawn
            As they come.
        symprec
            Å: brought to their symmetry within it, where their energy does not rise.
        memo, pool
            Where relaxations are kept, and where they are computed.
        advance
            Called with the number of samples done since the last call.
        """
        from xtalcodec.evaluation.generation.decoded import Kinds
        from xtalcodec.evaluation.generation.memo import silent
        from xtalcodec.evaluation.generation.weighing import weighed
        from xtalcodec.parallel import QUEUED

        samples, kinds = iter(drawn), Kinds()
        while part := list(islice(samples, QUEUED * pool.size())):
            ended = weighed(part, self.potential, self.hull, memo, pool, silent, keep=True, symprec=symprec)
            yield from (replace(one, about=kinds.compared(one.about)) for one in ended)
            advance(len(part))

    def looked_at(self, samples: "list[Proposal]", memo: "Memo", pool: "Pool") -> "list[Proposal]":
        """Compare samples with the reference, relax and order them, as asked.

        Parameters
        ----------
        samples
            As they were drawn, or relaxed.
        memo, pool
            Where results are kept, so that a run that was killed goes on, and where they are computed.
        """
        from xtalcodec.evaluation.generation.proposals import ranked
        from xtalcodec.evaluation.generation.weighing import compared, weighed

        if self.reference is not None:
            samples = compared(samples, self.reference, memo, pool, progress_bar)
        if self.rank is Rank.stability and not self.relax:
            samples = weighed(samples, self.potential, self.hull, memo, pool, progress_bar)
        return samples if self.rank is None else ranked(samples, self.rank.value)
