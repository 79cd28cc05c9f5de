"""`train-embedding`, `index`, `similar`: one vector per crystal, and what it finds."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from xtalcodec.cli.bulk import Chunk, Executor, Scheduler, Where, Workers, run_bulk
from xtalcodec.cli.options import CodecName, Inputs, Json, MaxSites, shown
from xtalcodec.cli.running import clear_errors, finish, load_crystals, names_of, progress_bars, tell, tell_notes
from xtalcodec.io.limits import MAX_SITES

if TYPE_CHECKING:
    from xtalcodec.bulk.shards import Shards
    from xtalcodec.embedding.embedding import Embedding
    from xtalcodec.latent_space.index import Found, Index
    from xtalcodec.parallel import Pool


def train_embedding(
    recipe: Annotated[str, typer.Argument(help="A recipe that ships (mp) or a YAML file.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Settings over the recipe's: codec=runs/mp steps=2000 …")
    ] = None,
    data: Annotated[list[str], typer.Option("--data", help="Crystals to learn from; may be repeated.")] = ...,  # type: ignore[assignment]
    val: Annotated[list[str], typer.Option("--val", help="Held-out crystals; may be repeated.")] = ...,  # type: ignore[assignment]
    out: Annotated[
        Path, typer.Option(help="Folder for the embedding; a codec finds it as `embedding` in its own folder.")
    ] = ...,  # type: ignore[assignment]
    licence: Annotated[str | None, typer.Option(help="Licence of the embedding, for its card.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the data is from and under what licence, for the card.")
    ] = None,
) -> None:
    """Train what makes one vector of a crystal, which `index`, `similar` and `duplicates` compare. Takes minutes.

    Example: xtalcodec train-embedding mp codec=runs/mp --data t.parquet --val v.parquet --out runs/mp/embedding
    """
    with clear_errors():
        from xtalcodec.training.embedding import train_embedding as run
        from xtalcodec.training.embedding_recipe import load

        settings = load(recipe, overrides or [])
        crystals, unusable = load_crystals(data, 10**6, None)
        held_out, more = load_crystals(val, 10**6, None)
        if not crystals or not held_out:
            tell(unusable + more)
            raise ValueError("no crystal to train on" if not crystals else "no held-out crystal")
        facts = {"data": names_of(data), "val": names_of(val)}
        facts |= {key: text for key, text in (("licence", licence), ("source", source)) if text}
        facts["command"] = shlex.join(["xtalcodec", *(shown(word) for word in sys.argv[1:])])
        with progress_bars() as bar:
            run(settings, crystals, held_out, out, facts=facts, progress=bar)
        typer.echo(f"the embedding is in {out}")
    finish(unusable + more)


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

    Example: xtalcodec index structures/ --out index/
    """
    with clear_errors():
        from xtalcodec.parallel import open_pool

        with open_pool(executor.value, workers, scheduler) as pool:
            if pool is None:
                return  # a rank that has worked for the first one
            shards, rows = _indexed(files, out, codec, max_sites, pool, chunk)
            typer.echo(f"{rows} crystals: {out}")
            tell_notes(shards.notes())
            lost = tell(shards.unusable())
    finish([], lost=bool(lost))


def _indexed(
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
        crystals, unusable = load_crystals(files, max_sites, None)
        with _open_index(among or ["aflow-prototypes"], codec, max_sites) as (found_in, embedding):
            rows = []
            for crystal in crystals:
                try:
                    (vector,) = embedding.vectors([crystal], "structure" if prototype else "crystal")
                except CrystalError as error:
                    unusable.append(Unusable(crystal.name, str(error)))
                    continue
                formula = crystal.formula if same_composition else None
                found = found_in.nearest(vector, number, "structure" if prototype else "crystal", formula)
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
    from xtalcodec.parallel import open_pool

    embedding = Codec.from_pretrained(codec).embedding
    if len(words) == 1 and is_index(words[0]):
        yield Index(Path(words[0]), embedding.identity), embedding
        return
    if some := next((word for word in words if is_index(word)), None):
        raise ValueError(f"{some} is an index: it is searched alone, not together with data")
    with TemporaryDirectory(prefix="xtalcodec-") as temporary, open_pool() as pool:
        shards, _ = _indexed(words, Path(temporary, "index"), codec, max_sites, cast("Pool", pool))
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
