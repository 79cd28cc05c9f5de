"""`sample`: crystals of random codes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.decoded import Formatted, Html, Movie, Out, Strip, check_pictures, draw, print_rows, write
from xtalcodec.cli.options import Device, Format, Json, Symprec
from xtalcodec.cli.running import clear_errors, load_codec, progress_bar

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec, DecodedCrystal
    from xtalcodec.codecs.latents import LatentSet
    from xtalcodec.evaluation.generation import Generated
    from xtalcodec.priors.base import Prior

DRAWN = 8
"""Samples, at most, in a strip, a film or a page."""


def sample(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder of a prior (`xtalcodec train-prior`, or --save); or what `xtalcodec encode` wrote, to fit a "
            "normal distribution to."
        ),
    ],
    prior: Annotated[str, typer.Option(help="Distribution that is fitted to codes.")] = "gaussian",
    codec: Annotated[str | None, typer.Option(help="The codec, where the file's own is not one that ships.")] = None,
    n: Annotated[int, typer.Option("-n", "--number", help="Samples.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Another gives other samples.")] = 0,
    elements: Annotated[str | None, typer.Option(help="Just these elements, as in Ti,O (flows).")] = None,
    composition: Annotated[str | None, typer.Option(help="Whole formula units of this, as in TiO2 (flows).")] = None,
    sites: Annotated[str | None, typer.Option(help="In the cell, as in 6-20 or 6 (flows).")] = None,
    space_group: Annotated[str | None, typer.Option(help="Number, or symbol as Fm-3m (flows).")] = None,
    crystal_system: Annotated[str | None, typer.Option(help="As in cubic (flows).")] = None,
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="As in band_gap=1.5; may be repeated (flows).")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="From noise to latents, 32 if not given (flows).", min=1)] = None,
    guidance: Annotated[
        float | None, typer.Option(help="How loudly conditions are asked, 1 if not given (flows).", min=0)
    ] = None,
    churn: Annotated[
        float | None, typer.Option(help="Noise put back at every step, none if not given (flows).", min=0)
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="Standard deviations are multiplied by it; 0 gives the mean code.", min=0)
    ] = 1.0,
    variance: Annotated[float, typer.Option(help="Share of the variance that principal axes hold.")] = 0.95,
    grid: Annotated[str | None, typer.Option(help="Fit on the codes of this grid alone, as in 3x2x2.")] = None,
    save: Annotated[Path | None, typer.Option(help="Folder for the fitted prior.")] = None,
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

    A flow makes what a cell holds, its shape, and the latents of its patches, and can be asked for any of them; a
    normal distribution is fitted to the codes of many crystals. Every sample is told. A valid one decodes to atoms
    apart by more than half of the sum of their covalent radii, with 4 to 150 Å³ each; of a repeating window it accounts
    for 90 % of the atoms. "same as" names an earlier sample that is the same crystal.

    Example: xtalcodec sample runs/perov-5/best -n 32 --elements Sr,Ti,O --out samples --strip samples.png
    """
    from xtalcodec.cli.report import write_json
    from xtalcodec.codecs.hub import named_in
    from xtalcodec.config import build
    from xtalcodec.evaluation.generation import assess, generation_summary
    from xtalcodec.priors.asked import asked
    from xtalcodec.priors.conditions import Conditions
    from xtalcodec.priors.plan import SamplerConfig

    with clear_errors():
        check_pictures(strip, movie)
        wanted = asked(elements, composition, sites, space_group, crystal_system, properties or [])
        fitted = _prior(source, prior, variance, grid)
        if wanted != Conditions():
            fitted = fitted.condition(wanted)
        if given := {k: v for k, v in (("steps", steps), ("guidance", guidance), ("churn", churn)) if v is not None}:
            fitted = fitted.flow.sampled_by(build(SamplerConfig, given))
        if save:
            fitted.save(save)
            typer.echo(f"the prior is in {save}")
        model = load_codec(codec or named_in(source, fitted.codec), device)
        codes, found, planned = _drawn(model, fitted, n, seed, temperature)
        assessed = assess(model, codes, found)
        rows = [{**_assessed(row), **plan} for row, plan in zip(assessed, planned, strict=True)]
        print_rows(rows)
        told = generation_summary(assessed)
        _tell_samples(fitted, told)
        chosen = [k for k, row in enumerate(assessed) if row.valid or not valid_only]
        write([found[k] for k in chosen], out, fmt, symprec)
        if chosen:
            drawn = chosen[:DRAWN]
            part = type(codes)(tuple(codes[k] for k in drawn), codes.codec)
            titles = [f"{rows[k]['formula']}{'' if assessed[k].valid else ' (not valid)'}" for k in drawn]
            draw(model, part, [found[k] for k in drawn], titles, strip, movie, html)
        elif strip or movie or html:
            typer.echo("no valid sample to draw", err=True)
        settings = {"prior": fitted.format, "crystals": fitted.crystals, "seed": seed, "temperature": temperature}
        write_json(json, {"codec": fitted.codec, **settings, **told, "samples": rows})


def _drawn(
    model: "Codec", prior: "Prior", n: int, seed: int, temperature: float
) -> "tuple[LatentSet, list[DecodedCrystal | None], list[dict[str, Any]]]":
    """Codes, crystals, and what of each was planned."""
    from xtalcodec.codecs.latents import LatentSet
    from xtalcodec.latent_space.sample import draw as draw_planned

    if prior.plans:
        with progress_bar("sampling", n) as advance:
            every = list(draw_planned(model, prior, n, seed, temperature, advance))
        codes = LatentSet(tuple(one.code for one in every), prior.codec)
        return codes, [one.decoded for one in every], [{"as_planned": one.as_planned} for one in every]
    codes = prior.sample(n, seed, temperature)
    with progress_bar("decoding", n) as advance:
        return codes, model.decode_crystals(codes, progress=advance), [{}] * n


def _prior(source: Path, name: str, variance: float, grid: str | None) -> "Prior":
    """Load a prior, or fit one."""
    from xtalcodec.codecs.latents import LatentSet
    from xtalcodec.priors import open_prior, prior
    from xtalcodec.priors.gaussian import GaussianPrior, grids

    if (source / "prior.json").is_file():
        return open_prior(source)
    if prior(name) is not GaussianPrior:
        raise ValueError(f"a prior of the kind {name} is trained on crystals, by `xtalcodec train-prior`")
    codes = LatentSet.from_parquet(source)
    if grid is not None:
        part = tuple(c for c in codes if "x".join(map(str, c.patches)) == grid.replace("×", "x"))
        typer.echo(f"{len(part)} of {len(codes)} codes are on the grid {grid}")
        codes = LatentSet(part, codes.codec)
    try:
        return GaussianPrior.of(codes, variance)
    except ValueError as error:
        hint = "; --grid chooses one of them" if len(grids(codes)) > 1 else ""
        raise ValueError(f"{source}: {error}{hint}") from error


def _assessed(row: "Generated") -> dict[str, Any]:
    """A sample, in a row."""
    about: dict[str, Any] = {"name": row.name, "formula": row.crystal.formula if row.crystal else "–"}
    about |= {"sites": len(row.crystal) if row.crystal else 0, "volume_per_atom": row.volume}
    about |= {"closest": row.closest, "confidence": row.confidence, "space_group": row.space_group}
    about |= {"explained": row.explained}
    return about | {"valid": row.valid, "reason": row.reason, "same_as": row.same_as}


def _tell_samples(fitted: "Prior", told: dict[str, Any]) -> None:
    """How many are sensible, of all that were drawn."""
    typer.echo(fitted.description)
    flaws = f"{told['too_close']} have atoms too close, {told['not_repeating']} do not repeat"
    good = f"{told['valid']} valid ({100 * told['valid_rate']:.0f} %), {told['unique']} of them different crystals"
    typer.echo(f"{told['n']} samples: {told['decoded']} decoded to crystals, {flaws}, {good}")
    if told["valid"]:
        formulas = [f"{f} ×{k}" if k > 1 else f for f, k in told["formulas"].items()]
        more = f" and {len(formulas) - 12} more" if len(formulas) > 12 else ""
        typer.echo(f"valid: {', '.join(formulas[:12])}{more}; {told['volume_per_atom']:.1f} Å³ per atom (median)")
