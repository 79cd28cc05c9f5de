"""`hull`: energies of known crystals by the potentials that judge stability."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtalcodec.cli.bulk import Executor, Scheduler, Where, Workers, check_table
from xtalcodec.cli.options import Cache, Inputs, MaxSites, Potential
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, progress_bar
from xtalcodec.io.limits import MAX_SITES

if TYPE_CHECKING:
    from xtalcodec.evaluation.generation import Hull


def hull(
    data: Inputs,
    out: Annotated[Path, typer.Option(help="The table: composition, energy per atom, potential (parquet).")],
    potential: Annotated[list[Potential], typer.Option(help="Of which potential; both if not given.")] = [*Potential],  # noqa: B006
    max_sites: MaxSites = MAX_SITES,
    workers: Workers = 1,
    executor: Executor = Where.local,
    scheduler: Scheduler = None,
    cache: Cache = None,
) -> None:
    """Compute the energies of known crystals as they are; the lowest of each composition is kept.

    `evaluate-samples --stability` takes the distance to the hull of these energies. Elements that no crystal is pure of
    are relaxed in AFLOW's prototypes of elements, which takes longest where crystals are few. Crystals are read as they
    are needed, and a run that was killed goes on.

    Example: xtalcodec hull train.parquet --out hull.parquet --workers 8
    """
    with clear_errors():
        from xtalcodec.evaluation.generation import Memo
        from xtalcodec.evaluation.generation.hull import hull_energies
        from xtalcodec.evaluation.generation.inputs import stream
        from xtalcodec.parallel import open_pool

        check_table(out, "--out")
        keep_inputs(data, out=out)
        names = [p.value for p in potential]
        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            with Memo(cache or out.with_suffix(".sqlite")) as memo, progress_bar("energies", None) as advance:
                table = hull_energies(stream(data, max_sites), names, memo, pool, advance)
        if not table.lowest:
            first = f": {table.failures[0].name}: {table.failures[0].reason}" if table.failures else ""
            raise ValueError(f"no crystal has an energy{first}")
        typer.echo(f"{table.write(out)} compositions of {table.crystals} crystals are in {out}")
    finish(table.failures)


def tell_far_below(heights: Iterable[float | None], hull: "Hull", what: str = "") -> None:
    """Say on the error stream how many crystals lie so far below a hull that it must lack phases there.

    Parameters
    ----------
    heights
        eV/atom above the hull; None where it is not known.
    hull
        The table's, of the potential that decides.
    what
        Which crystals, as the note begins.
    """
    from xtalcodec.evaluation.generation.hull import FAR_BELOW

    if below := sum(height is not None and height < -FAR_BELOW for height in heights):
        typer.echo(
            f"note: {what}{below} more than {FAR_BELOW:g} eV/atom below the hull, which lacks phases there: it knows "
            f"{hull.compositions} compositions; `xtalcodec hull` makes one of crystals of yours",
            err=True,
        )
