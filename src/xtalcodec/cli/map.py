"""`map`: the space of vectors as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from xtalcodec.cli.decoded import check_pictures
from xtalcodec.cli.options import CodecName, Inputs, MaxSites
from xtalcodec.cli.running import (
    clear_errors,
    finish,
    keep_inputs,
    load_crystals,
    names_of,
    progress_bar,
    tell,
    tell_notes,
)
from xtalcodec.io.limits import MAX_SITES, evenly

if TYPE_CHECKING:
    import numpy as np

    from xtalcodec.crystal import Crystal
    from xtalcodec.datasets.columns import Entry
    from xtalcodec.embedding.embedding import Embedding, Of
    from xtalcodec.io.read import Unusable
    from xtalcodec.latent_space.map import Method

LIMIT = 20_000
"""Crystals on a map, if nothing else is said: the page stays below 15 MB and answers at once."""


class Vector(StrEnum):
    """What a vector is of."""

    crystal = "crystal"
    structure = "structure"


class Layout(StrEnum):
    """How vectors are laid out in a plane."""

    pca = "pca"
    umap = "umap"


@dataclass(frozen=True)
class _Mapped:
    """What is laid out."""

    entries: "list[Entry]"
    vectors: "np.ndarray"
    """One row for each entry."""
    unusable: "list[Unusable]"


def draw_map(
    files: Inputs,
    colour: Annotated[
        list[str] | None,
        typer.Option(
            help="What points are coloured by at first: a column of the data, crystal_system, space_group, density, "
            "share:O … The page offers the others; may be repeated."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the page here; it opens offline.")] = None,
    chemiscope: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a file for chemiscope here, as .json.gz or .json.")
    ] = None,
    of: Annotated[
        Vector, typer.Option(help="Vectors of crystals, or of structures alone, whatever the elements and the volume.")
    ] = Vector.crystal,
    layout: Annotated[
        Layout, typer.Option(help="Principal components; or UMAP, which keeps neighbours together (extra umap).")
    ] = Layout.pca,
    seed: Annotated[int, typer.Option(help="Of UMAP: another gives another layout.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="Crystals on the map, at most, evenly spread over all.", min=1)] = LIMIT,
    index: Annotated[
        Path | None,
        typer.Option(help="Folder of an index of the data, which is made or gone on with: vectors are made once."),
    ] = None,
    codec: CodecName = "mp",
    max_sites: MaxSites = MAX_SITES,
) -> None:
    """Draw the space of crystals: near points are like crystals. Hover, click, search, lasso; see each in 3-D.

    FILES may be an index: it keeps names and formulas, no atoms; with the data and --index there are both.

    Example: xtalcodec map crystals.parquet --colour band_gap --out map.html
    """
    with clear_errors():
        from xtalcodec.latent_space.map import check_method
        from xtalcodec.viz.chemiscope import check_name, write_chemiscope
        from xtalcodec.viz.crystal_map import crystal_map
        from xtalcodec.viz.pages.map_page import write_map_page

        if out is None and chemiscope is None:
            raise ValueError("say where the map goes: --out map.html, or --chemiscope map.json.gz")
        keep_inputs(files, out=out, chemiscope=chemiscope)
        check_pictures(page=out)
        if chemiscope:
            check_name(chemiscope)
        kind, method = cast("Of", of.value), cast("Method", layout.value)
        check_method(method)
        found = _found(files, kind, colour or [], index, codec, max_sites, limit)
        if not found.entries:
            tell(found.unusable)
            raise ValueError(f"there is no crystal to draw in {', '.join(files)}")
        drawn = crystal_map(
            found.entries, found.vectors, colour or (), of=kind, method=method, seed=seed, told=_tell_step
        )
        title = f"Map of {names_of(files)}"
        notes = (
            f"Vectors of the codec {codec}, laid out by {'UMAP' if layout is Layout.umap else 'principal components'}. "
            "Rings are around the crystals most alike to the chosen one, by all numbers of the vectors."
        )
        if chemiscope:
            write_chemiscope(drawn, chemiscope, title, notes)
            typer.echo(f"{chemiscope} is for chemiscope")
        if out:
            without = write_map_page(drawn, out, title, notes)
            typer.echo(f"{len(found.entries)} crystals are in {out}")
            if without:
                why = "which the index does not keep" if without == len(found.entries) else "for the page's size"
                typer.echo(f"note: {without} of them without their atoms, {why}", err=True)
    finish(found.unusable)


def _tell_step(what: str) -> None:
    """Say on the error stream what takes its time, where that is a terminal."""
    import sys

    if sys.stderr.isatty():
        typer.echo(f"{what} …", err=True)


def _found(
    words: list[str], of: "Of", colours: list[str], index: Path | None, codec: str, max_sites: int, limit: int
) -> _Mapped:
    """Return what is known of the crystals, and their vectors; a column that is not there is told before these."""
    from xtalcodec.codecs.base import Codec
    from xtalcodec.datasets.columns import column
    from xtalcodec.latent_space.index import is_index

    embedding = Codec.from_pretrained(codec).embedding
    if some := next((word for word in words if is_index(word)), None):
        if len(words) > 1 or index:
            raise ValueError(f"{some} is an index: it is drawn alone, or given with --index beside the data")
        return _of_index(Path(some), embedding, of, limit)
    if index:
        return _kept(words, index, codec, of, max_sites, limit)
    crystals, unusable = load_crystals(words, max_sites)
    known = _with_vector(crystals, unusable, embedding, of)
    chosen = evenly(known, limit)
    entries = _entries(chosen)
    for name in colours if entries else ():
        column(entries, name)
    with progress_bar("embedding", len(chosen)) as advance:
        return _Mapped(entries, embedding.vectors(chosen, of, advance), unusable)


def _with_vector(
    crystals: "Sequence[Crystal]", unusable: "list[Unusable]", embedding: "Embedding", of: "Of"
) -> "list[Crystal]":
    """Those whose elements the embedding knows, where elements count."""
    from xtalcodec.crystal import CrystalError
    from xtalcodec.io.read import Unusable

    known = []
    for crystal in crystals:
        try:
            embedding.check(crystal, of)
            known.append(crystal)
        except CrystalError as error:
            unusable.append(Unusable(crystal.name, str(error)))
    return known


def _entries(crystals: "Sequence[Crystal]") -> "list[Entry]":
    from xtalcodec.datasets.columns import Entry

    return [Entry.of(crystal) for crystal in crystals]


def _kept(words: list[str], folder: Path, codec: str, of: "Of", max_sites: int, limit: int) -> _Mapped:
    """Vectors out of an index of the data, to which they are added if they are not there."""
    import numpy as np

    from xtalcodec.cli.embedding import indexed
    from xtalcodec.latent_space.index import IndexPart
    from xtalcodec.parallel import HERE

    shards, _ = indexed(words, folder, codec, max_sites, HERE)
    tell_notes(shards.notes())
    crystals, unusable = load_crystals(words, max_sites)
    vectors = IndexPart(shards.folder).vectors(of)
    if len(vectors) != len(crystals):
        raise ValueError(
            f"{shards.folder} has {len(vectors)} vectors of {len(crystals)} crystals: the data has changed"
        )
    places = evenly(np.flatnonzero(np.isfinite(vectors[:, 0])).tolist(), limit)
    return _Mapped(_entries([crystals[k] for k in places]), np.asarray(vectors[places]), unusable)


def _of_index(folder: Path, embedding: "Embedding", of: "Of", limit: int) -> _Mapped:
    """Names, formulas and vectors of an index."""
    import numpy as np

    from xtalcodec.datasets.columns import Entry
    from xtalcodec.latent_space.index import Index

    opened = Index(folder, embedding.identity)
    vectors = [part.vectors(of) for part in opened.parts]
    rows = [row for part in opened.parts for row in part.rows.to_pylist()]
    known = np.concatenate([np.isfinite(some[:, 0]) for some in vectors])
    places = evenly(np.flatnonzero(known).tolist(), limit)
    chosen = np.concatenate(vectors)[places] if len(vectors) > 1 else np.asarray(vectors[0][places])
    entries = [
        Entry(rows[k]["material_id"] or rows[k]["formula"], rows[k]["formula"], rows[k]["sites"]) for k in places
    ]
    return _Mapped(entries, chosen, [])
