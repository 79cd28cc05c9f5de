"""`complete`: known sites are kept, the rest is drawn from a prior."""

from collections.abc import Sequence
from math import inf
from typing import Annotated, Any

import typer

from xtalcodec.cli.decoded import Formatted, Out, print_rows
from xtalcodec.cli.options import Device, Format, Json, MaxSites, One
from xtalcodec.cli.priors import PriorName, load_pair
from xtalcodec.cli.relaxing import Relax, Relaxer, relaxed_rows, relaxer
from xtalcodec.cli.running import clear_errors, keep_inputs, one, write_each
from xtalcodec.io.limits import MAX_SITES


def complete(
    crystal: One,
    prior: PriorName = None,
    codec: Annotated[str | None, typer.Option(help="The codec, where the prior's own is not one that ships.")] = None,
    remove_species: Annotated[
        list[str] | None, typer.Option(help="Take out an element, as in Li; may be repeated.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Take out what is there, as in 0.2<z<0.5 (fractions of the cell).")
    ] = None,
    around: Annotated[
        str | None, typer.Option(help="Take out what is near an element, as in Ti:2.5 (Å); the element stays.")
    ] = None,
    add: Annotated[
        str | None,
        typer.Option(help="Add so many atoms of any element, as in 4, or these, as in Li4; else what was taken out."),
    ] = None,
    n: Annotated[int, typer.Option("-n", "--number", help="Ways to complete it.", min=1)] = 20,
    as_drawn: Annotated[
        bool, typer.Option(help="Give every way as it was drawn, ranked by the decoder's confidence.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another gives other ways.", min=0)] = 0,
    relax: Relax = False,
    potential: Relaxer = None,
    out: Out = None,
    fmt: Formatted = Format.cif,
    json: Json = None,
    max_sites: MaxSites = MAX_SITES,
    device: Device = "auto",
) -> None:
    """Complete a crystal: keep its known sites, and draw what may be where others are missing; the surest first.

    Draws are moved onto the symmetry of what is known, where they nearly have it, and ranked by how far they agree, and
    how little the whole crystal surprises the flow.

    With --relax known sites move too, and the crystal of least energy comes first, where all hold the same atoms.

    The whole cell holds as many sites as the prior makes, at most: 20 of mp.

    Example: xtalcodec complete LiCoO2.cif --remove-species Li -n 20 --out completed
    """
    from dataclasses import replace

    from xtalcodec.cli.report import write_json
    from xtalcodec.geometry.symmetry import SYMPREC, space_group
    from xtalcodec.latent_space import holes
    from xtalcodec.latent_space.complete import complete as draw
    from xtalcodec.priors.asked import composition_of

    with clear_errors():
        keep_inputs([crystal], out=out, json=json)
        by = relaxer(potential, relax)
        given = one(crystal, max_sites)
        gone = given.numbers < 0
        for element in remove_species or []:
            gone |= holes.of_species(given, element)
        if region:
            gone |= holes.in_region(given, region)
        if around:
            gone |= holes.around(given, around)
        if not gone.any() and add is None:
            raise ValueError("nothing to complete: give --remove-species, --region or --around; or --add")
        added = None if add is None else int(add) if add.removeprefix("-").isdecimal() else composition_of(add)
        model, fitted = load_pair(prior, codec, device)
        ways = draw(model, fitted, given, gone, n, added=added, seed=seed, as_drawn=as_drawn)
        called = given.called
        rows: list[dict[str, Any]] = [
            {
                "name": f"{called}-{k + 1}",
                "formula": way.crystal.formula,
                "sites": len(way.crystal),
                "space_group": space_group(way.crystal, SYMPREC),
                "added": way.added,
                "drawn": len(way.draws),
                "confidence": way.confidence,
                "surprise": way.surprise,
                "reason": way.reason,
            }
            for k, way in enumerate(ways)
        ]
        made = [way.crystal for way in ways]
        if relax:
            rows, ended = relaxed_rows(rows, made, by, None)
            order = by_energy(rows)
            rows, made = [rows[k] for k in order], [end for k in order if (end := ended[k]) is not None]
        if rows:
            print_rows(rows)
        typer.echo(f"{n} draws, ways that differ: {len(ways)}; {int((~gone).sum())} sites of {called} are kept")
        if out:
            named = (replace(crystal, name=row["name"]) for crystal, row in zip(made, rows, strict=True))
            written, _ = write_each(named, out, fmt.value, None)
            typer.echo(f"{written} crystals are in {out}")
        write_json(json, {"codec": model.identity, "seed": seed, "asked": n, "ways": rows})


def by_energy(rows: Sequence[dict[str, Any]]) -> list[int]:
    """Order of relaxed ways to complete a crystal: the least energy first, those that are wrong last.

    As they were where the ways that are right do not all hold the same atoms: then energies per atom say nothing.
    """
    alike = len({(row["formula"], row["sites"]) for row in rows if not row["reason"]}) == 1

    def height(k: int) -> tuple[bool, float]:
        wrong, energy = bool(rows[k]["reason"]), rows[k]["energy_per_atom"]
        return wrong, 0.0 if wrong or not alike else inf if energy is None else energy

    return sorted(range(len(rows)), key=height)
