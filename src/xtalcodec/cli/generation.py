"""`generate`: the paper's data generation, fields to disk."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.bulk import Executor, Scheduler, Where, Workers
from xtalcodec.cli.options import Cell, Inputs, Json, MaxSites, finite
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, progress_bar, tell
from xtalcodec.io.limits import MAX_SITES

if TYPE_CHECKING:
    from xtalcodec.representations.window import WindowTorusConfig


class Representation(StrEnum):
    """What a view shows."""

    unit_cell = "unit_cell"
    repeating = "repeating"


class Fits(StrEnum):
    """Which crystals a window on the lattice can show."""

    every_site = "every_site"
    shortest_edge = "shortest_edge"


class Images(StrEnum):
    """Which periodic images of a site are painted."""

    all = "all"
    nearest = "nearest"


class Ties(StrEnum):
    """Which atom labels a point that several reach."""

    nearest = "nearest"
    coin = "coin"


def generate(
    files: Inputs,
    representation: Annotated[
        Representation, typer.Option(help="One cell in a cube, rotated; or a cube of the infinite crystal.")
    ],
    out: Annotated[Path, typer.Option(help="The Zarr store; one that a killed run left is gone on with.")],
    views: Annotated[int, typer.Option(help="Views of each crystal.", min=1)] = 3,
    executor: Executor = Where.local,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    properties: Annotated[
        Path | None, typer.Option(help="Table of id,value,… (CGCNN's id_prop.csv), with or without a header.")
    ] = None,
    cell: Annotated[
        Cell,
        typer.Option(help="unit_cell: the images of the sites nearest together, or those inside of the cell as given."),
    ] = Cell.compact,
    fits: Annotated[
        Fits,
        typer.Option(help="repeating: crystals of which the cube shows every site, or with an edge below it (paper)."),
    ] = Fits.every_site,
    images: Annotated[
        Images, typer.Option(help="Periodic images of a site: all add up, or the nearest as in the paper's arrays.")
    ] = Images.all,
    ties: Annotated[
        Ties, typer.Option(help="A point that several atoms reach: the nearest labels it, or any as in the paper.")
    ] = Ties.nearest,
    edge: Annotated[
        float,
        typer.Option(help="Å: edge of the cube.", min=0.1, callback=finite),
    ] = 10.0,
    points: Annotated[int, typer.Option(help="Points along an edge, both faces included.", min=2)] = 30,
    sigma: Annotated[float, typer.Option(help="Å: width of an atom's Gaussian.", min=0.01, callback=finite)] = 1.0,
    label_radius: Annotated[
        float | None,
        typer.Option(
            help="Å: reach of an atom's label; the paper's 0.667 (unit_cell), 0.65 (repeating).", min=0, callback=finite
        ),
    ] = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="Rotate repeating views too.")] = False,
    seed: Annotated[int, typer.Option(help="Of offsets and rotations.", min=0)] = 0,
    shard: Annotated[
        int, typer.Option(help="Views of a shard: the work of one task, one file of each array.", min=1)
    ] = 256,
    max_sites: MaxSites = MAX_SITES,
    json: Json = None,
) -> None:
    """Paint views of crystals into a Zarr store, on any number of processes; killed, it goes on where it was.

    Example: xtalcodec generate cifs/ --representation repeating --views 3 --out fields.zarr --workers 8

    Under MPI: mpiexec -n 32 xtalcodec generate cifs/ --representation unit_cell --out fields.zarr --executor mpi
    """
    from xtalcodec.cli.report import write_json

    with clear_errors():
        from xtalcodec.datasets import inputs
        from xtalcodec.datasets.generate import prepare, run
        from xtalcodec.datasets.views import ViewsConfig
        from xtalcodec.io.alone import alone
        from xtalcodec.io.properties import Properties, read_properties
        from xtalcodec.parallel import open_pool

        if rotate and representation is Representation.unit_cell:
            raise ValueError("unit_cell always rotates; --rotate is for repeating")
        if cell is not Cell.compact and representation is not Representation.unit_cell:
            raise ValueError("--cell is for unit_cell")
        if fits is not Fits.every_site and representation is not Representation.repeating:
            raise ValueError("--fits is for repeating")
        keep_inputs(files, json=json)
        looks = _looks(representation, edge, points, sigma, label_radius, cell.value, fits.value, rotate=rotate)
        config = ViewsConfig(looks, views, images.value, ties.value, seed, shard)
        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            crystals = inputs.Usable(inputs.Inputs(files, max_sites, shard))
            unusable = crystals.unusable  # full once the crystals have been read, before the store is made
            table = read_properties(properties) if properties else Properties()
            with alone(out):
                with progress_bar("fitting", None) as advance:
                    job = prepare(out, crystals, config, pool, table, unusable, advance)
                for what in job.damaged:
                    typer.echo(f"made again: {what}", err=True)
                if job.whole:
                    typer.echo(f"{len(job.whole)} of {job.layout.shards} shards are whole: going on", err=True)
                with progress_bar("painting", job.layout.rows) as advance:
                    told = run(job, pool, advance)
        if properties:
            told["without_properties"] = table.unknown(job.crystals)
        tell([*unusable, *job.unfit])
        _show(told)
        write_json(json, told)
    finish([], lost=bool(unusable or job.unfit))


def _looks(
    representation: Representation,
    edge: float,
    points: int,
    sigma: float,
    label_radius: float | None,
    cell: str,
    fits: str,
    *,
    rotate: bool,
) -> "WindowTorusConfig":
    """Settings of the representation."""
    from xtalcodec.representations.repeating import RepeatingConfig
    from xtalcodec.representations.unit_cell import UnitCellConfig

    cells = representation is Representation.unit_cell
    looks: Any = UnitCellConfig(cell=cell) if cells else RepeatingConfig(rotate=rotate, fits=fits)  # type: ignore[arg-type]
    radius = looks.window.label_radius if label_radius is None else label_radius
    return replace(looks, window=replace(looks.window, edge=edge, points=points, sigma=sigma, label_radius=radius))


def _show(told: dict[str, Any]) -> None:
    """Tell how many, how fast, how large, and what the full size would take."""
    typer.echo(f"{told['views']} views of {told['crystals']} crystals are in {told['store']} ({told['sha256'][:12]})")
    if "without_properties" in told:
        typer.echo(f"{told['without_properties']} crystals have no line in the table of properties: NaN")
    each = sum(told["bytes_per_view"].values())
    parts = ", ".join(f"{name} {size:.0f}" for name, size in told["bytes_per_view"].items())
    typer.echo(f"{told['bytes'] / 1e6:.1f} MB, {each:.0f} bytes per view: {parts}")
    plan = told["projection"]
    size = f"{plan['bytes'] / 1e9:.1f} GB for {plan['crystals']} crystals × {plan['views'] // plan['crystals']} views"
    if told["views_per_second"] is None:
        typer.echo(f"nothing was left to paint; {size}")
        return
    rate, workers = told["views_per_second"], told["workers"]
    typer.echo(f"{told['views_made']} views in {told['seconds']:.1f} s: {rate:.0f} views/s on {workers} workers")
    typer.echo(f"at that rate {plan['seconds'] / 60:.0f} min, and {size}")
