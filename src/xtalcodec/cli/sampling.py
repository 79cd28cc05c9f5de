"""`sample`: crystals of random codes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from xtalcodec.cli.beside import Beside, Rank
from xtalcodec.cli.bulk import Workers
from xtalcodec.cli.decoded import Formatted, Html, Movie, Out, Strip, check_pictures, draw, print_rows, tell_unsure
from xtalcodec.cli.hull import tell_far_below
from xtalcodec.cli.options import Cache, Device, Format, Json, Symprec, finite
from xtalcodec.cli.priors import load_pair
from xtalcodec.cli.relaxing import Relax, Relaxer
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, load_codec, progress_bar
from xtalcodec.cli.sample_folder import TABLE, SampleFolder

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.evaluation.generation.proposals import Proposal
    from xtalcodec.parallel import Pool
    from xtalcodec.priors.base import Prior

DRAWN = 8
"""Samples, at most, in a strip, a film or a page."""

UNSHOWN = ("volume_per_atom",)
"""Columns of the table that are in files alone."""


def sample(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A prior that ships (`xtalcodec info`), or its folder (`xtalcodec train-prior`, --save); or what "
            "`xtalcodec encode` wrote, to fit a normal distribution to. The prior of --codec, or mp, if not given."
        ),
    ] = None,
    prior: Annotated[
        str | None, typer.Option(help="Distribution that is fitted to codes; gaussian if not given.")
    ] = None,
    codec: Annotated[str | None, typer.Option(help="The codec, where the file's own is not one that ships.")] = None,
    n: Annotated[int, typer.Option("-n", "--number", help="Samples.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Another gives other samples.", min=0)] = 0,
    elements: Annotated[str | None, typer.Option(help="Just these elements, as in Ti,O (flows).")] = None,
    composition: Annotated[str | None, typer.Option(help="Whole formula units of this, as in TiO2 (flows).")] = None,
    sites: Annotated[str | None, typer.Option(help="In the cell, as in 6-20 or 6 (flows).")] = None,
    space_group: Annotated[str | None, typer.Option(help="Number, or symbol as Fm-3m (flows).")] = None,
    crystal_system: Annotated[str | None, typer.Option(help="As in cubic (flows).")] = None,
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="As in band_gap=1.5; may be repeated (flows).")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="From noise to latents; as the prior says if not given (flows).", min=1)
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(
            help="How loudly conditions are asked; as the prior says if not given (flows).", min=0, callback=finite
        ),
    ] = None,
    churn: Annotated[
        float | None,
        typer.Option(
            help="Noise put back at every step; as the prior says if not given (flows).", min=0, callback=finite
        ),
    ] = None,
    tries: Annotated[
        int | None,
        typer.Option(
            help="Cells drawn and filled for a sample, at most, until one comes out and does not surprise the flow; as "
            "the prior says if not given (flows).",
            min=1,
        ),
    ] = None,
    as_drawn: Annotated[
        bool,
        typer.Option(
            "--as-drawn", help="Give no sample a space group, and take what the flow makes at first: rough, and sooner."
        ),
    ] = False,
    settle_once: Annotated[
        bool,
        typer.Option("--settle-once", help="Settle each sample on its space group, but do not make it anew: sooner."),
    ] = False,
    temperature: Annotated[
        float,
        typer.Option(help="Standard deviations are multiplied by it; 0 gives the mean code.", min=0, callback=finite),
    ] = 1.0,
    variance: Annotated[
        float | None,
        typer.Option(help="Share of the variance that principal axes hold, where codes are fitted; 0.95 if not given."),
    ] = None,
    grid: Annotated[str | None, typer.Option(help="Fit on the codes of this grid alone, as in 3x2x2.")] = None,
    save: Annotated[Path | None, typer.Option(help="Folder for the fitted prior.")] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(help="Known crystals, as those of the training: tells which samples are novel; may be repeated."),
    ] = None,
    rank: Annotated[
        Rank | None,
        typer.Option(help="Order the table and number it: by confidence; or by energy, for which samples are relaxed."),
    ] = None,
    relax: Relax = False,
    potential: Relaxer = None,
    hull: Annotated[
        str | None,
        typer.Option(
            help="Table of `xtalcodec hull`: --rank stability goes by the energy above it; mp, which ships, if not "
            "given."
        ),
    ] = None,
    workers: Workers = 1,
    cache: Cache = None,
    out: Out = None,
    fmt: Formatted = Format.cif,
    valid_only: Annotated[bool, typer.Option("--valid-only", help="Write and draw only valid samples.")] = False,
    symprec: Symprec = None,
    strip: Strip = None,
    movie: Movie = None,
    html: Html = None,
    json: Json = None,
    device: Device = "auto",
) -> None:
    """Make crystals: codes of a prior, decoded.

    A flow makes what a cell holds, its space group, its shape, and the latents of its patches, and can be asked for
    any of them. What comes out is settled on the space group, and made anew from there, a few times; what lacks
    atoms, has them too near, cannot be settled, or surprises the flow, is tried again with another group and cell,
    and at last, where the prior says so, with other atoms.
    A normal distribution is fitted to the codes of many crystals. Every sample is told. A valid one decodes to
    atoms apart by more than half of the sum of their covalent radii, with 4 to 150 Å³ each; of a repeating window
    it accounts for 90 % of the atoms. "same as" names an earlier sample that is the same crystal. Files are written
    as samples come; samples.parquet, beside them, has a row for every sample, with its CIF, and why it is not
    valid. A run that was stopped keeps what it has, and the same command goes on from there.

    Example: xtalcodec sample perov-5 -n 32 --elements Sr,Ti,O --out samples --strip samples.png

    New, the most stable first: xtalcodec sample perov-5 -n 100 --reference train.parquet --rank stability --out samples
    """
    from xtalcodec.cli.report import SHOWN, write_json
    from xtalcodec.evaluation.generation import Memo, generation_summary
    from xtalcodec.evaluation.generation.proposals import proposals, write_table
    from xtalcodec.parallel import open_pool
    from xtalcodec.priors.asked import asked
    from xtalcodec.priors.conditions import Conditions

    with clear_errors():
        read = [*(reference or []), *(word for word in (source, hull) if word and Path(word).is_file())]
        keep_inputs(read, out=out, strip=strip, movie=movie, html=html, json=json)
        keep_inputs(read, out=out and out / TABLE)
        check_pictures(strip, movie, html)
        beside = Beside.read(reference or [], rank, potential, hull, relax=relax)
        wanted = asked(elements, composition, sites, space_group, crystal_system, properties or [])
        given = _given(
            as_drawn=as_drawn, settle_once=settle_once, steps=steps, guidance=guidance, churn=churn, tries=tries
        )
        model, fitted = _opened(source, codec, device, prior, variance, grid)
        if wanted != Conditions():
            fitted = fitted.condition(wanted)
        if given:
            fitted = fitted.flow.sampled_by(replace(fitted.flow.sampler, **given))
        if save:
            fitted.save(save)
            typer.echo(f"the prior is in {save}")
        with Memo(cache or (out and out / "samples.sqlite")) as memo, open_pool(workers=workers) as opened:
            pool = cast("Pool", opened)  # of this machine: there is one
            with progress_bar("sampling", n) as advance:
                drawn = proposals(model, fitted, n, seed, temperature, None if relax else advance, memo, pool)
                if relax:
                    drawn = beside.relaxed(drawn, symprec, memo, pool, advance)
                folder = SampleFolder(out, fmt.value, symprec, n, valid_only=valid_only) if out else None
                found = list(drawn if folder is None else folder.taking(drawn))
            if folder:
                typer.echo(f"{len(folder.written)} decoded crystals are in {out}")
            found = beside.looked_at(found, memo, pool)
        rows = [one.row() for one in found]
        print_rows([{k: v for k, v in row.items() if k not in UNSHOWN} for row in rows[:SHOWN]])
        if n > SHOWN:
            typer.echo(f"… and {n - SHOWN} more: --out and --json keep them all")
        told = generation_summary([one.about for one in found])
        _tell_samples(fitted, told, rows)
        if beside.hull:
            tell_far_below([one.above_hull for one in found], beside.hull)
        if folder:
            typer.echo(f"{write_table(found, folder.table, symprec)} rows, one for every sample, are in {folder.table}")
        _draw(model, [one for one in found if one.about.valid or not valid_only], strip, movie, html)
        settings = {"prior": fitted.format, "crystals": fitted.crystals, "seed": seed, "temperature": temperature}
        write_json(json, {"codec": fitted.codec, **settings, **told, "samples": rows})
    finish((), lost=bool(folder and folder.refused))


def _given(*, as_drawn: bool, settle_once: bool, **others: Any) -> dict[str, Any]:
    """What is to be other than the prior says of how it is sampled."""
    if as_drawn and settle_once:
        raise ValueError("--as-drawn settles nothing: leave out --settle-once, or --as-drawn")
    given: dict[str, Any] = {name: value for name, value in others.items() if value is not None}
    if as_drawn:
        given["symmetric"] = "never"
    if settle_once:
        given |= {"returns": (), "surprise": None}
    return given


def _draw(
    model: "Codec", chosen: "Sequence[Proposal]", strip: Path | None, movie: Path | None, html: Path | None
) -> None:
    """Draw the first samples."""
    from xtalcodec.codecs.latents import LatentSet

    shown = chosen[:DRAWN]
    if not shown and (strip or movie or html):
        typer.echo("no valid sample to draw", err=True)
    if shown:
        codes = LatentSet(tuple(one.code for one in shown), model.identity)
        titles = [f"{one.row()['formula'] or '–'}{'' if one.about.valid else ' (not valid)'}" for one in shown]
        draw(model, codes, [one.decoded for one in shown], titles, strip, movie, html)


def _opened(
    source: str | None, codec: str | None, device: str, name: str | None, variance: float | None, grid: str | None
) -> "tuple[Codec, Prior]":
    """The codec, and the prior: loaded, or fitted to latents."""
    from xtalcodec.codecs.hub import named_in
    from xtalcodec.priors import ABOUT, folder_of, shipped

    if source is None or source in shipped() or (Path(source) / ABOUT).is_file():
        for option, value in {"--prior": name, "--variance": variance, "--grid": grid}.items():
            if value is not None:
                raise ValueError(f"{option} is for codes, to which a distribution is fitted; here a prior is loaded")
        return load_pair(source, codec, device)
    if not Path(source).exists():
        folder_of(source)  # says which priors there are
    fitted = _fitted(Path(source), name or "gaussian", variance, grid)
    return load_codec(codec or named_in(source, fitted.codec), device), fitted


def _fitted(source: Path, name: str, variance: float | None, grid: str | None) -> "Prior":
    """Fit a prior to latents."""
    from xtalcodec.codecs.latents import LatentSet
    from xtalcodec.priors import prior
    from xtalcodec.priors.gaussian import GaussianPrior, grids

    if prior(name) is not GaussianPrior:
        raise ValueError(f"a prior of the kind {name} is trained on crystals, by `xtalcodec train-prior`")
    codes = LatentSet.from_parquet(source)
    if grid is not None:
        part = tuple(c for c in codes if "x".join(map(str, c.patches)) == grid.replace("×", "x"))
        typer.echo(f"{len(part)} of {len(codes)} codes are on the grid {grid}")
        codes = LatentSet(part, codes.codec)
    try:
        return GaussianPrior.of(codes) if variance is None else GaussianPrior.of(codes, variance)
    except ValueError as error:
        hint = "; --grid chooses one of them" if len(grids(codes)) > 1 else ""
        raise ValueError(f"{source}: {error}{hint}") from error


def _tell_samples(fitted: "Prior", told: dict[str, Any], rows: "Sequence[dict[str, Any]]") -> None:
    """How many are sensible, of all that were drawn."""
    typer.echo(fitted.description)
    flaws = f"{told['too_close']} have atoms too close, {told['not_repeating']} do not repeat"
    good = f"{told['valid']} valid ({100 * told['valid_rate']:.0f} %), {told['unique']} of them different crystals"
    typer.echo(f"{told['n']} samples: {told['decoded']} decoded to crystals, {flaws}, {good}")
    if told["valid"]:
        formulas = [f"{f} ×{k}" if k > 1 else f for f, k in told["formulas"].items()]
        more = f" and {len(formulas) - 12} more" if len(formulas) > 12 else ""
        typer.echo(f"valid: {', '.join(formulas[:12])}{more}; {told['volume_per_atom']:.1f} Å³ per atom (median)")
    if asked := [row["as_asked"] for row in rows if row["as_asked"] is not None]:
        typer.echo(f"{sum(asked)} of the {told['n']} are as asked, in atoms and symmetry")
    if fitted.plans and fitted.flow.conditions.properties:
        typer.echo("properties that are asked for are aimed at, and not measured on what came out")
    tell_unsure(rows, "of the valid")
    if compared := [row["novel"] for row in rows if row["novel"] is not None]:
        typer.echo(f"{sum(compared)} of the valid are novel: none of the reference crystals")
    if weighed := [row for row in rows if row["energy_per_atom"] is not None]:
        typer.echo(f"{len(weighed)} of the valid have an energy; {sum(row['relaxed'] for row in weighed)} are relaxed")
