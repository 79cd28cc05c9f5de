"""`duplicates`: crystals that are the same, within a data set or between two."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from xtalcodec.cli.bulk import Workers, check_table
from xtalcodec.cli.options import Json, MaxSites
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, load_crystals, progress_bars, tell
from xtalcodec.io.limits import MAX_SITES

if TYPE_CHECKING:
    from xtalcodec.parallel import Pool


def duplicates(
    data: Annotated[str, typer.Argument(help="Where duplicates are looked for: a file, a folder, a source.")],
    other: Annotated[str | None, typer.Argument(help="What DATA is compared with; itself if not given.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write DATA without the duplicates here, as .parquet; the first stays.")
    ] = None,
    max_sites: MaxSites = MAX_SITES,
    workers: Workers = 1,
    json: Json = None,
) -> None:
    """List crystals that are the same as an earlier one that stays, by pymatgen's StructureMatcher.

    The verdicts are those of comparing all pairs; most need no comparison.

    Example: xtalcodec duplicates crystals.parquet --out clean.parquet
    """
    from xtalcodec.cli.report import write_json

    with clear_errors():
        from xtalcodec.evaluation import duplicates as found_by
        from xtalcodec.io.write import write_parquet
        from xtalcodec.parallel import open_pool

        check_table(out, "--out")
        keep_inputs([data, other] if other else [data], out=out, json=json)
        crystals, unusable = load_crystals([data], max_sites)
        others, more = load_crystals([other], max_sites) if other else (crystals, [])
        if not crystals or not others:
            tell(unusable + more)
            raise ValueError(f"there is no crystal in {data if not crystals else other}")
        with progress_bars() as bar, open_pool(workers=workers) as pool:
            pairs = found_by.duplicates(crystals, others if other else None, pool=cast("Pool", pool), progress=bar)
        rows = [{"stays": others[p.first].name, "same": crystals[p.second].name} for p in pairs]
        for row, pair in zip(rows, pairs, strict=True):
            stays = f"{other}:{row['stays']}" if other else row["stays"]
            typer.echo(f"{crystals[pair.second].formula:16} {row['same']}  is the same as  {stays}")
        stay = found_by.without(len(crystals), pairs)
        typer.echo(f"{len(pairs)} of {len(crystals)} crystals are duplicates; {len(stay)} stay")
        if out:
            write_parquet([crystals[k] for k in stay], out)
        write_json(json, rows)
    finish(unusable + more)
