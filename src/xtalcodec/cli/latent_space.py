"""`interpolate` and `alter`: what lies between two crystals, and what becomes of one that is altered."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.decoded import (
    Formatted,
    Html,
    Movie,
    Out,
    Strip,
    abouts,
    check_pictures,
    draw,
    lost,
    print_rows,
    tell_unsure,
    write,
)
from xtalcodec.cli.options import Device, Format, Json, MaxSites, NoRefine, One, Potential, Symprec, finite
from xtalcodec.cli.priors import DEFAULT, CodecOrPriors, PriorName, load_pair
from xtalcodec.cli.relaxing import Relax, Relaxer, relaxed_rows, relaxer
from xtalcodec.cli.running import clear_errors, finish, keep_inputs, load_codec, one, progress_bar
from xtalcodec.io.limits import MAX_SITES

if TYPE_CHECKING:
    from xtalcodec.codecs.decoding import DecodedCrystal
    from xtalcodec.crystal import Crystal
    from xtalcodec.evaluation.along_path import Step


class Way(StrEnum):
    """How one goes from a crystal to another."""

    atoms = "atoms"
    line = "line"
    arc = "arc"
    flow = "flow"


VARIATIONS = 20
"""Of a crystal by a flow, where no number is given."""


def interpolate(
    a: One,
    b: One,
    codec: CodecOrPriors = None,
    steps: Annotated[int, typer.Option(help="Crystals on the way, both ends included.", min=2)] = 5,
    path: Annotated[
        Way | None,
        typer.Option(
            help="Atoms are moved, and every step is encoded; or latents are mixed on the line between them, along the "
            "arc, or along a flow (--prior). If not given: atoms, and of windows, which have no such cell, the line."
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(help="A flow that ships, or its folder; the codec's if not given. The same as --path flow."),
    ] = None,
    spherical: Annotated[bool, typer.Option("--spherical", help="The same as --path arc.")] = False,
    noise: Annotated[
        float | None,
        typer.Option(
            help="Noise that a codec which knows of it is told between the ends, where latents are mixed; 0.3 if not "
            "given.",
            min=0,
            callback=finite,
        ),
    ] = None,
    energy: Annotated[bool, typer.Option("--energy", help="Energy of every step, by --potential.")] = False,
    potential: Annotated[
        Potential | None, typer.Option(help="What gives the energies (--energy); sevennet-0 if not given.")
    ] = None,
    common_sites: Annotated[
        int | None, typer.Option(help="Sites of the common cell, at most; 64 if not given.", min=1)
    ] = None,
    out: Out = None,
    fmt: Formatted = Format.cif,
    symprec: Symprec = None,
    strip: Strip = None,
    movie: Movie = None,
    html: Html = None,
    json: Json = None,
    no_refine: NoRefine = False,
    max_sites: MaxSites = MAX_SITES,
    device: Device = "auto",
) -> None:
    """Decode what lies between two crystals, step by step.

    A periodic codec puts both on a common cell, with as few sites, and moves of atoms as short, as can be. There atoms
    are moved, making room for each other, and every step is encoded (--path atoms); or latents are mixed. A codec of
    windows (unit_cell, repeating) turns b so that its cell lies on a's, and mixes latents. Nothing is read that neither
    end has, where the codec can forbid it.

    Example: xtalcodec interpolate NaCl.cif CsCl.cif --steps 9 --energy --out path --strip path.png
    """
    from xtalcodec.cli.report import write_json
    from xtalcodec.evaluation.along_path import steps_along
    from xtalcodec.geometry.common_cell import MOST_SITES
    from xtalcodec.latent_space.flows import along, check_known
    from xtalcodec.latent_space.interpolate import NOISE, elements_of
    from xtalcodec.latent_space.interpolate import interpolate as mix
    from xtalcodec.latent_space.moving import move
    from xtalcodec.latent_space.paths import PATHS, usual_way

    with clear_errors():
        keep_inputs([a, b], out=out, strip=strip, movie=movie, html=html, json=json)
        check_pictures(strip, movie, html)
        by = relaxer(potential, energy, "--energy").value
        asked_way = _way(path, prior, spherical=spherical)
        fitted = None
        if asked_way is Way.flow:
            model, fitted = load_pair(prior, codec, device)
        else:
            model = load_codec(codec or DEFAULT, device)
        way = asked_way or Way(usual_way(model))
        if way is Way.atoms and noise is not None:
            raise ValueError("--noise is for latents that are mixed: --path line, arc or flow")
        if model.window is not None and common_sites is not None:
            raise ValueError("--common-sites is for periodic codecs: windows need no common cell")
        ends, most = (one(a, max_sites), one(b, max_sites)), common_sites or MOST_SITES
        if fitted:
            check_known(fitted, *ends)
        refine = not no_refine
        if way is Way.atoms:
            with progress_bar("encoding", steps) as advance:
                codes = move(model, *ends, steps, max_sites=most, refine=refine, progress=advance)
        else:
            path_of = along(fitted) if fitted else PATHS[way.value]
            told = NOISE if noise is None else noise
            with progress_bar("encoding", 2) as advance:
                codes = mix(
                    model,
                    *ends,
                    steps,
                    path=path_of,
                    noise=told,
                    max_sites=most,
                    refine=refine,
                    progress=advance,
                )
        with progress_bar("decoding", steps) as advance:
            asked = by if energy else None
            found = steps_along(model, codes, elements=elements_of(*ends), potential=asked, progress=advance)
        rows = [_step(step, energy) for step in found]
        print_rows(rows)
        _doubts(rows)
        decoded = [step.decoded for step in found]
        refused = write([step.decoded.crystal if step.decoded else None for step in found], out, fmt, symprec)
        titles = [f"{100 * row['share']:.0f} %  {row['formula']}" for row in rows]
        draw(model, codes, decoded, titles, strip, movie, html)
        about = {"path": way.value, "spherical": way is Way.arc, "noise": max(code.noise for code in codes)}
        write_json(json, {"codec": model.identity, **about, "potential": asked, "steps": rows})
    finish(lost(rows), lost=bool(refused))


def _way(path: Way | None, prior: str | None, *, spherical: bool) -> Way | None:
    """The way that any of three options asks for.

    Raises
    ------
    ValueError
        Two ways.
    """
    asked = {f"--path {path.value}": path} if path else {}
    asked |= {"--spherical": Way.arc} if spherical else {}
    asked |= {"--prior": Way.flow} if prior else {}
    if len(set(asked.values())) > 1:
        raise ValueError(f"{' and '.join(asked)} are different ways: give one of them")
    return next(iter(asked.values()), None)


def _step(step: "Step", energy: bool) -> dict[str, Any]:
    """A step of a path, in a row; what it is not asked for is not in it."""
    crystal = step.decoded.crystal if step.decoded else None
    row: dict[str, Any] = {"share": step.share, "name": step.name, "formula": crystal.formula if crystal else "–"}
    row |= {"sites": len(crystal) if crystal else 0, "confidence": step.confidence, "shortest": step.shortest}
    row |= {"space_group": step.space_group, "explained": step.explained}
    if energy:
        row |= {"energy_per_atom": step.energy, "why_no_energy": step.why_no_energy or None}
    return row | {"valid": step.valid}


def _doubts(rows: Sequence[dict[str, Any]]) -> None:
    """Say how many steps are valid by their distances, and still not to be believed."""
    ends = {rows[0]["sites"], rows[-1]["sites"]}
    if uneven := sum(row["sites"] not in ends for row in rows):
        typer.echo(f"{uneven} steps have not the sites of an end: atoms are lost or made on the way")
    tell_unsure(rows, "valid steps")


def alter(
    crystal: One,
    codec: CodecOrPriors = None,
    replace: Annotated[
        list[str] | None, typer.Option(help="Old=new element before encoding, as in Sr=Ba; may be repeated.")
    ] = None,
    scale_density: Annotated[
        list[float] | None,
        typer.Option(help="Multiply the painted field before encoding; several values give a series."),
    ] = None,
    strain: Annotated[
        str | None,
        typer.Option(help="Strain its cell before encoding: 0.02; xx,yy,zz,yz,xz,xy (Voigt); or random:0.02."),
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Vary it: noise its latent so far, up to 1, and denoise it by a flow.")
    ] = None,
    prior: PriorName = None,
    towards: Annotated[
        list[str] | None,
        typer.Option(help="Come back from --noise towards a property that the flow knows, as in band_gap=2."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", "--number", help="Variations (--noise); 20 if not given.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Another gives other variations, and another random strain.", min=0)] = 0,
    relax: Relax = False,
    potential: Relaxer = None,
    out: Out = None,
    fmt: Formatted = Format.cif,
    symprec: Symprec = None,
    strip: Strip = None,
    movie: Movie = None,
    html: Html = None,
    json: Json = None,
    no_refine: NoRefine = False,
    max_sites: MaxSites = MAX_SITES,
    device: Device = "auto",
) -> None:
    """Alter a crystal, and show what decodes: other elements, a strained cell, a denser field, or variations by a flow.

    "asked" is the crystal that was painted; a scaled field is encoded without refinement, as no crystal has it.

    Example: xtalcodec alter SrTiO3.cif --replace Sr=Ba --scale-density 0.9 --scale-density 1.1 --out altered

    Near it, by the flow that ships: xtalcodec alter SrTiO3.cif --noise 0.4 --towards band_gap=2 -n 20 --out varied
    """
    from xtalcodec.cli.report import write_json
    from xtalcodec.latent_space.alter import Replacement, replaced, with_density
    from xtalcodec.latent_space.flows import variations
    from xtalcodec.latent_space.strain import strain_of, strained
    from xtalcodec.priors.asked import properties_of
    from xtalcodec.priors.conditions import Conditions

    with clear_errors():
        keep_inputs([crystal], out=out, strip=strip, movie=movie, html=html, json=json)
        check_pictures(strip, movie, html)
        if not replace and not scale_density and noise is None and strain is None:
            raise ValueError("nothing to alter: give --replace Old=New, --strain X, --scale-density X or --noise X")
        if noise is not None and scale_density:
            raise ValueError("--noise goes without --scale-density: a variation is of a crystal")
        for option, value in {"--prior": prior, "--towards": towards, "-n": n}.items():
            if noise is None and value:
                raise ValueError(f"{option} is for --noise")
        by, count = relaxer(potential, relax), n or VARIATIONS
        wanted = Conditions(properties=properties_of(towards or []))
        cell = None if strain is None else strain_of(strain, seed)
        changes = [Replacement.parse(text) for text in replace or []]
        model, fitted = (
            (load_codec(codec or DEFAULT, device), None) if noise is None else load_pair(prior, codec, device)
        )
        given = one(crystal, max_sites)
        asked = replaced(given, changes) if cell is None else strained(replaced(given, changes), cell)
        holding, refine = None, not no_refine
        if scale_density:
            codes = with_density(model, asked, scale_density)
            targets = [asked] * len(scale_density)
        elif noise is not None and fitted is not None:
            near = fitted.condition(wanted) if towards else fitted
            codes = variations(model, near, asked, noise, count, seed, refine=refine)
            targets, holding = [asked] * count, [asked.holding] * count
        else:
            targets = [given, asked]
            with progress_bar("encoding", len(targets)) as advance:
                codes = model.encode(targets, refine=refine, progress=advance)
        found = model.decode_crystals(codes, holding=holding)
        rows = _beside(targets, abouts(model, codes, found), found)
        made = [decoded.crystal if decoded else None for decoded in found]
        if relax:
            rows, made = relaxed_rows(rows, made, by, symprec)
        print_rows(rows)
        refused = write(made, out, fmt, None if relax else symprec)
        titles = [row["formula"] for row in rows]
        if scale_density:
            titles = [f"× {scale:g}  {title}" for scale, title in zip(scale_density, titles, strict=True)]
        draw(model, codes, found, titles, strip, movie, html)
        settings = {"replace": replace or [], "scale_density": scale_density or [], "noise": noise, "seed": seed}
        about = {"codec": model.identity, **settings, "strain": strain, "towards": dict(wanted.properties)}
        write_json(json, about | {"crystals": rows})
    finish(lost(rows), lost=bool(refused))


def _beside(
    targets: "Sequence[Crystal]", rows: Sequence[dict[str, Any]], found: "Sequence[DecodedCrystal | None]"
) -> list[dict[str, Any]]:
    """Rows of what decoded, each beside the crystal that was asked for."""
    from xtalcodec.evaluation.displacement import rms_displacement

    told = []
    for row, target, decoded in zip(rows, targets, found, strict=True):
        rms = rms_displacement(target, decoded.crystal) if decoded else None
        told.append({**row, "asked": target.formula, "matched": rms is not None, "rms": rms})
    return told
