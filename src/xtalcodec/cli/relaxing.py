"""`--relax` of several verbs: crystals become what a potential relaxes them to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.options import Potential
from xtalcodec.cli.running import progress_bar

if TYPE_CHECKING:
    from xtalcodec.crystal import Crystal
    from xtalcodec.evaluation.generation.relaxing import Relaxed

Relax = Annotated[
    bool,
    typer.Option(
        "--relax",
        help="Relax what was made, cell and sites, by --potential: files hold where it ended, the table its energy "
        "before and after (eV/atom) and how far sites moved (Å); --symprec then keeps what costs no energy.",
    ),
]
Relaxer = Annotated[
    Potential | None,
    typer.Option(help="What relaxes (--relax, and --rank stability of samples); sevennet-0 if not given."),
]


def relaxer(potential: Potential | None, asked: bool, by: str = "--relax") -> Potential:
    """Return the potential that is needed, before anything is computed.

    Parameters
    ----------
    potential
        The one that is named.
    asked
        Whether one is needed.
    by
        Options that need one.

    Raises
    ------
    ValueError
        One is named, and none is needed.
    ModuleNotFoundError
        SevenNet is not installed.
    """
    from xtalcodec.evaluation.generation.potentials import check_potential

    chosen = potential or Potential.sevennet_0
    if asked:
        check_potential(chosen.value)
    elif potential:
        raise ValueError(f"--potential is for {by}")
    return chosen


def relaxed_rows(
    rows: Sequence[dict[str, Any]],
    crystals: "Sequence[Crystal | None]",
    potential: Potential,
    symprec: float | None,
) -> "tuple[list[dict[str, Any]], list[Crystal | None]]":
    """Relax crystals that were made; return their rows with energies and new space groups, and where they ended.

    What has atoms too close, shared sites, or is none, stays as it is, and its row says so.

    Parameters
    ----------
    rows
        Of the table.
    crystals
        None where nothing was made.
    potential
        What relaxes.
    symprec
        Å: brought to their symmetry within it, where their energy does not rise.
    """
    from xtalcodec.evaluation.generation import Memo, checked
    from xtalcodec.evaluation.generation.relaxing import Relaxed, relaxed_each
    from xtalcodec.parallel import HERE

    result: dict[int, Relaxed] = {}
    for k, crystal in enumerate(crystals):
        if crystal is not None:
            why = checked("", crystal, 0.0).reason if crystal.is_ordered else "sites are shared"
            result[k] = Relaxed(crystal, why=why)
    good = {k: one.crystal for k, one in result.items() if not one.why}
    with Memo() as memo:
        result |= relaxed_each(good, potential.value, memo, HERE, progress_bar, symprec=symprec)
    told = [{**row, **_ended(result.get(k))} for k, row in enumerate(rows)]
    return told, [result[k].crystal if k in result else None for k in range(len(rows))]


def _ended(one: "Relaxed | None") -> dict[str, Any]:
    """What a row says of it."""
    from xtalcodec.geometry.symmetry import SYMPREC, space_group

    if one is None:
        return dict.fromkeys(("energy_before", "energy_per_atom", "displacement", "relaxed", "symmetrised", "why_not"))
    row: dict[str, Any] = {"space_group": space_group(one.crystal, SYMPREC)}
    row |= {"energy_before": one.before, "energy_per_atom": one.energy, "displacement": one.displacement}
    return row | {"relaxed": one.converged, "symmetrised": one.symmetrised, "why_not": one.why or None}
