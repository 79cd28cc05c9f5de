"""`index`, `similar`: one vector per crystal, and what it finds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.bulk import Chunk, Executor, Scheduler, Where, Workers, run_bulk
from xtalcodec.cli.options import CodecName, Inputs, Json, MaxSites
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, load_crystals, progress_bars, tell, tell_notes
from xtalcodec.io.limits import MAX_SITES

if TYPE_CHECKING:
    from xtalcodec.bulk.shards import Shards
    from xtalcodec.embedding.embedding import Embedding, Of
    from xtalcodec.latent_space.index import Found, Index
    from xtalcodec.parallel import Pool


def index(
    files: Inputs,
    out: Annotated[Path, typer.Option(help="Folder of the index; more crystals may be added to it later.")],
    codec: CodecName = "mp",
    max_sites: MaxSites = MAX_SITES,
    executor: Executor = Where.local,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    chunk: Chunk = None,
) -> None:
    """Make an index of crystals that `similar` searches, or add to one. Killed, the same command goes on where it was.

    From 200,000 crystals on, this machine's cache gets a graph too: the search looks at few then and may miss some.

    Example: xtalcodec index structures/ --out index/
    """
    with clear_errors():
        from xtalcodec.parallel import open_pool

        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            shards, rows = indexed(files, out, codec, max_sites, pool, chunk)
            typer.echo(f"{rows} crystals: {out}")
            tell_notes(shards.notes())
            if rows:
                _make_graphs(out)
            lost = tell(shards.unusable())
    finish([], lost=bool(lost))


def _make_graphs(folder: Path) -> None:
    """Make the graphs of a large index, where usearch is installed and all that was added is whole."""
    from xtalcodec.io.ended import UnfinishedError
    from xtalcodec.latent_space.index import Index, identity_of

    try:
        with progress_bars() as bar:
            Index(folder, identity_of(folder)).make_graphs(bar)
    except UnfinishedError as error:
        tell_notes([str(error)])
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "usearch":
            raise
        tell_notes(
            ["pip install 'xtalcodec[search]' and the same command make a graph, so that not every vector is looked at"]
        )


def indexed(
    words: list[str], out: Path, codec: str, max_sites: int, pool: "Pool", chunk: int | None = None
) -> "tuple[Shards, int]":
    """Put the crystals of some inputs into an index."""
    from xtalcodec.bulk import coding
    from xtalcodec.bulk.embedding import CHUNK, Embed, finish, part_of
    from xtalcodec.codecs.base import Codec
    from xtalcodec.datasets.inputs import Inputs
    from xtalcodec.latent_space.index import begin

    embedding = Codec.from_pretrained(codec).embedding
    crystals = Inputs(words, max_sites, chunk or CHUNK)
    begin(out, embedding.identity)
    work = Embed(coding.CodecName.of(codec, "cpu"), embedding.identity)
    shards = run_bulk("indexing", part_of(out, words, crystals.length), crystals, work, pool)
    return shards, finish(shards, embedding.size)


def similar(
    files: Inputs,
    among: Annotated[
        list[str] | None,
        typer.Option("--in", help="An index, or data. With --prototype, AFLOW's prototypes if not given."),
    ] = None,
    number: Annotated[int, typer.Option("-n", help="How many to find for each crystal.", min=1)] = 10,
    same_composition: Annotated[
        bool, typer.Option("--same-composition/--any-composition", help="Only crystals of the same reduced formula.")
    ] = False,
    prototype: Annotated[
        bool, typer.Option("--prototype", help="Compare structures alone, whatever the elements and the volume.")
    ] = False,
    codec: CodecName = "mp",
    max_sites: MaxSites = MAX_SITES,
    json: Json = None,
) -> None:
    """Find the crystals that are most like those given: by structure and elements, or by structure alone.

    Likeness is 1 for the same crystal.

    Example: xtalcodec similar unknown.cif --prototype -n 3
    """
    from xtalcodec.cli.report import write_json

    with clear_errors():
        from xtalcodec.crystal import CrystalError
        from xtalcodec.io.read import Unusable

        if prototype and same_composition:
            raise ValueError("--prototype compares structures whatever the elements: leave out --same-composition")
        if not among and not prototype:
            raise ValueError("name an index or data with --in")
        keep_inputs([*files, *(among or [])], json=json)
        of: Of = "structure" if prototype else "crystal"
        crystals, unusable = load_crystals(files, max_sites)
        with _open_index(among or ["aflow-prototypes"], codec, max_sites) as (found_in, embedding):
            if found_in.large and not same_composition and not found_in.graph(of):
                tell_notes(
                    ["every vector is looked at: `xtalcodec index` makes a graph of this index, of which few are"]
                )
            rows = []
            for crystal in crystals:
                try:
                    embedding.check(crystal, of)
                except CrystalError as error:
                    unusable.append(Unusable(crystal.name, str(error)))
                    continue
                (vector,) = embedding.vectors([crystal], of)
                formula = crystal.formula if same_composition else None
                found = found_in.nearest(vector, number, of, formula)
                rows.append({"name": crystal.name, "formula": crystal.formula, "found": _told(found, among)})
        for row in rows:
            _show(row)
        write_json(json, rows)
    finish(unusable)


@contextmanager
def _open_index(words: list[str], codec: str, max_sites: int) -> "Iterator[tuple[Index, Embedding]]":
    """Open an index; of data, make one for this time."""
    from xtalcodec.codecs.base import Codec
    from xtalcodec.latent_space.index import Index, is_index
    from xtalcodec.parallel import HERE

    embedding = Codec.from_pretrained(codec).embedding
    if len(words) == 1 and is_index(words[0]):
        yield Index(Path(words[0]), embedding.identity), embedding
        return
    if some := next((word for word in words if is_index(word)), None):
        raise ValueError(f"{some} is an index: it is searched alone, not together with data")
    with TemporaryDirectory(prefix="xtalcodec-") as temporary:
        shards, _ = indexed(words, Path(temporary, "index"), codec, max_sites, HERE)
        tell(shards.unusable())
        tell_notes(shards.notes())
        if not shards.totals["rows"]:
            raise ValueError(f"there is no crystal in {', '.join(words)}")
        yield Index(Path(temporary, "index"), embedding.identity), embedding


def _told(found: "list[Found]", among: list[str] | None) -> list[dict[str, Any]]:
    """What is told of what was found; of AFLOW's prototypes, the mineral too."""
    from xtalcodec.datasets.sources.aflow_prototypes import minerals

    known = {} if among else minerals()
    return [{**asdict(one), **({"mineral": known[one.name]} if one.name in known else {})} for one in found]


def _show(row: dict[str, Any]) -> None:
    typer.echo(f"{row['name']} ({row['formula']})")
    for one in row["found"]:
        mineral = f"  {one['mineral']}" if one.get("mineral") else ""
        typer.echo(f"  {one['likeness']:.4f}  {one['formula']:16} {one['sites']:4} sites  {one['name']}{mineral}")
    if not row["found"]:
        typer.echo("  nothing of its composition")
