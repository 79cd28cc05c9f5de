"""`data`: sources of crystals, and conversion to parquet."""

from pathlib import Path
from typing import Annotated

import typer

from xtalcodec.cli.bulk import (
    Chunk,
    Executor,
    Scheduler,
    Where,
    Workers,
    check_folder_for,
    check_table,
    deliver,
    is_file,
    run_bulk,
    shards_of,
    write_shards,
)
from xtalcodec.cli.options import Format, Inputs, MaxSites, finite
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, load_crystals, tell, tell_left_out, tell_notes
from xtalcodec.io.limits import MAX_SITES

data_app = typer.Typer(help="Sources of crystals, and conversion to parquet.", no_args_is_help=True)


@data_app.command("list")
def data_list() -> None:
    """List the sources of crystals: how to ask each, its licence, its size and what to cite."""
    from xtalcodec.datasets.sources import sources

    for name, source in sorted(sources().items()):
        typer.echo(f"{name}: {source.description}")
        for what in ("example", "licence", "size", "citation"):
            typer.echo(f"    {what:9} {getattr(source, what)}")


@data_app.command("cache")
def data_cache(
    remove: Annotated[str | None, typer.Option(help="A line of the list, which is to be asked anew.")] = None,
) -> None:
    """List what was fetched from sources and is kept, or remove it.

    Example: xtalcodec data cache --remove jarvis:dft_3d
    """
    from xtalcodec.datasets import kept
    from xtalcodec.io.cache import cache

    with clear_errors():
        if remove is not None:
            typer.echo(f"{kept.forget(remove) / 1e6:.1f} MB of {remove} are removed")
            return
        typer.echo(f"kept in {cache()}")
        for item in kept.contents():
            typer.echo(f"{item.asked} {item.bytes / 1e6:10.1f} MB  {item.source}")


@data_app.command("show")
def data_show(files: Inputs, max_sites: MaxSites = MAX_SITES) -> None:
    """Count crystals, sites and elements of any supported input.

    Example: xtalcodec data show mp_train.parquet
    """
    import numpy as np
    from ase.data import chemical_symbols

    with clear_errors():
        crystals, unusable = load_crystals(files, max_sites)
    if crystals:
        sites = np.array([len(c) for c in crystals])
        symbols = sorted({chemical_symbols[z] for c in crystals for z in c.elements})
        typer.echo(f"crystals  {len(crystals)}")
        typer.echo(f"sites     {sites.min()} to {sites.max()}, median {np.median(sites):g}, {sites.sum()} in all")
        typer.echo(f"elements  {len(symbols)}: {' '.join(symbols)}")
        volume = sum(c.volume for c in crystals) / sites.sum()
        typer.echo(f"volume    {volume:.2f} Å³ per site")
    finish(unusable)


@data_app.command("convert")
def data_convert(
    files: Inputs,
    out: Annotated[Path, typer.Option(help="A .parquet file, or a folder of such files, or of those of --format.")],
    format: Annotated[Format | None, typer.Option(help="Write one file of this format a crystal, not parquet.")] = None,  # noqa: A002
    max_sites: MaxSites = MAX_SITES,
    executor: Executor = Where.local,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    chunk: Chunk = None,
) -> None:
    """Convert any supported input to parquet, or to a folder of files. Killed, the same command goes on where it was.

    What is known of a crystal beside its sites (charges, magnetic moments, energies, ids) goes along, in the source's
    units; POSCAR holds none of it.

    Example: xtalcodec data convert cifs/ --out crystals.parquet --workers 8
    """
    with clear_errors():
        from xtalcodec.bulk import convert
        from xtalcodec.datasets import inputs
        from xtalcodec.parallel import open_pool

        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            keep_inputs(files, out=out)
            check_folder_for(out, format and format.value)
            crystals = inputs.Inputs(files, max_sites, chunk or convert.CHUNK)
            with shards_of(out, kept=format is None and not is_file(out)) as folder:
                shards = run_bulk("converting", folder, crystals, convert.Convert(), pool)
                rows, refused = (deliver(shards, out), 0) if format is None else write_shards(shards, out, format.value)
                if rows:
                    typer.echo(f"{rows} crystals are in {out}")
                tell_notes(shards.notes())
                if format is Format.poscar:
                    tell_left_out(shards.totals, "POSCAR holds")
                lost = tell(shards.unusable()) + refused
    finish([], lost=bool(lost))


@data_app.command("split")
def data_split(
    files: Inputs,
    train: Annotated[Path, typer.Option(help="The parquet file of the crystals to learn from.")],
    val: Annotated[Path, typer.Option(help="The parquet file of the crystals that are held out.")],
    fraction: Annotated[
        float, typer.Option(help="Share of the crystals that is held out.", min=0, max=1, callback=finite)
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Another seed holds out others.", min=0)] = 0,
    max_sites: MaxSites = MAX_SITES,
) -> None:
    """Split crystals in two: a crystal's side depends on its name and the seed alone.

    Example: xtalcodec data split aflow-prototypes --train train.parquet --val val.parquet
    """
    from xtalcodec.datasets.split import held_out
    from xtalcodec.io.write import write_parquet

    with clear_errors():
        check_table(train, "--train")
        check_table(val, "--val")
        keep_inputs(files, train=train, val=val)
        if train.resolve() == val.resolve():
            raise ValueError(f"--train and --val are two files, not both {val}")
        crystals, unusable = load_crystals(files, max_sites)
        aside = held_out([c.name for c in crystals], fraction, seed)
        parts = [
            (path, [c for c, out in zip(crystals, aside, strict=True) if out == side])
            for path, side in ((train, False), (val, True))
        ]
        for path, part in parts:
            if not part:
                raise ValueError(f"no crystal is left for {path}; another --fraction or --seed")
        for path, part in parts:
            typer.echo(f"{write_parquet(part, path)} crystals are in {path}")
    finish(unusable)
