"""`predict` and `train-head`: properties of crystals, and heads that learn others."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.options import CodecName, Inputs, MaxSites
from xtalcodec.cli.running import (
    clear_errors,
    finish,
    keep_inputs,
    load_crystals,
    progress_bar,
    progress_bars,
    reading_bar,
    tell,
)
from xtalcodec.cli.training_options import Licence, Source, facts_of
from xtalcodec.io.limits import MAX_SITES

if TYPE_CHECKING:
    from xtalcodec.crystal import Crystal
    from xtalcodec.datasets.valued import Valued
    from xtalcodec.heads.head import Predictions
    from xtalcodec.io.read import Unusable

TABLES = (".csv", ".parquet", ".json")
"""What a table of predictions is written as."""


def predict(
    files: Inputs,
    prop: Annotated[
        str,
        typer.Option(
            "--property",
            help="formation_energy, band_gap, e_above_hull, or another that the codec has a head for; "
            "or the folder of a head.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Write a table here: .csv, .parquet or .json.")] = None,
    codec: CodecName = "mp",
    max_sites: MaxSites = MAX_SITES,
) -> None:
    """Predict a property of crystals, with an uncertainty that holds the true value of 90 % of crystals like those
    that the head was trained on.

    Example: xtalcodec predict structures/ --property formation_energy --out energies.csv

    Example: xtalcodec predict mine.cif --property runs/bulk_modulus
    """  # noqa: D205 - the command line shows both lines
    with clear_errors():
        from xtalcodec.codecs.base import Codec
        from xtalcodec.crystal import CrystalError
        from xtalcodec.io.read import Unusable

        if out and out.suffix not in TABLES:
            raise ValueError(f"--out {out} is no table: {', '.join(TABLES)}")
        keep_inputs(files, out=out)
        loaded = Codec.from_pretrained(codec)
        head = loaded.head(prop)
        look = loaded.look(head.about.looks)
        crystals, unusable = load_crystals(files, max_sites)
        if not crystals:
            tell(unusable)
            raise ValueError(f"there is no crystal in {', '.join(files)}")
        seen, usable = [], []
        with progress_bar("looking", len(crystals)) as advance:
            for crystal in crystals:
                try:
                    head.check(crystal)
                    seen.append(look(crystal))
                    usable.append(crystal)
                except CrystalError as error:
                    unusable.append(Unusable(crystal.name, str(error)))
                advance(1)
        found = head.of_seen(seen)
        for crystal, value, uncertainty in zip(usable, found.values, found.uncertainties, strict=True):
            typer.echo(f"{value:10.4f} ± {uncertainty:.4f} {found.unit:8}  {crystal.formula:16}  {crystal.name}")
        if out:
            _write(out, usable, found)
    finish(unusable)


def _write(out: Path, crystals: "Sequence[Crystal]", found: "Predictions") -> None:
    """Write a table with a row for each crystal."""
    import csv

    import pyarrow as pa

    from xtalcodec.cli.report import write_json
    from xtalcodec.io.atomic import atomic
    from xtalcodec.io.tables import write_rows

    rows = [
        {
            "name": crystal.name,
            "formula": crystal.formula,
            "property": found.property,
            "value": float(value),
            "uncertainty": float(uncertainty),
            "unit": found.unit,
        }
        for crystal, value, uncertainty in zip(crystals, found.values, found.uncertainties, strict=True)
    ]
    texts, numbers = ("name", "formula", "property"), ("value", "uncertainty")
    columns = [
        *((name, pa.string()) for name in texts),
        *((name, pa.float64()) for name in numbers),
        ("unit", pa.string()),
    ]
    if out.suffix == ".json":
        write_json(out, rows)
    elif out.suffix == ".parquet":
        write_rows(rows, pa.schema(columns), out)
    else:
        with atomic(out) as temporary, temporary.open("w", newline="") as file:
            table = csv.DictWriter(file, [name for name, _ in columns])
            table.writeheader()
            table.writerows(rows)


def train_head(
    data: Annotated[
        list[str],
        typer.Argument(
            help="Crystals with a number each: CSV (a column with CIFs, or with paths of files), parquet, extxyz, "
            "JSON, a folder of files with a CSV of names and values, a source."
        ),
    ],
    prop: Annotated[str, typer.Option("--property", help="Column with the numbers; the head is called like it.")],
    out: Annotated[Path, typer.Option(help="Folder of the head, for `predict --property`.")],
    val: Annotated[
        list[str] | None, typer.Option("--val", help="Held-out crystals to measure on; may be repeated.")
    ] = None,
    unit: Annotated[str, typer.Option(help="Unit of the numbers, as eV/atom.")] = "",
    least: Annotated[
        float | None, typer.Option(help="Smallest value that the property can have; predictions stay above.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Begin with what another head has learnt, as formation_energy or a folder: for few crystals, or a "
            "property that goes with it."
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the training: epochs=80, network.members=8; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn at random.", min=0)] = 0,
    codec: CodecName = "mp",
    max_sites: MaxSites = MAX_SITES,
    licence: Licence = None,
    source: Source = None,
) -> None:
    """Train a head on a column of numbers: it predicts them for other crystals. Takes minutes.

    A tenth of the crystals, whole compositions, is kept back to calibrate the uncertainties.

    Example: xtalcodec train-head moduli.csv --property bulk_modulus --unit GPa --least 0 --out runs/bulk_modulus

    Example: xtalcodec train-head cifs/ --property property_1 --val held-out.parquet --out runs/mine
    """
    with clear_errors():
        import numpy as np

        from xtalcodec.codecs.base import Codec
        from xtalcodec.training import heads as training
        from xtalcodec.training.head_recipe import recipe_of
        from xtalcodec.training.stepping import check_free

        recipe = recipe_of([*(overrides or []), f"seed={seed}"])
        check_free(out)
        loaded = Codec.from_pretrained(codec)
        look, begun = loaded.look(recipe.looks), loaded.head(start) if start else None
        learnt, unusable = _valued(data, prop, max_sites)
        test, more = _valued(val, prop, max_sites) if val else (None, [])
        wanted = training.Wanted(prop, unit, least)
        with progress_bars() as bar:
            examples, strange = training.examples_of(
                learnt.crystals, learnt.values, look, bar("looking", len(learnt.crystals))
            )
            head, facts = training.train_head(wanted, examples, loaded.identity, recipe, bar, begun)
            if test:
                tests, others = training.examples_of(
                    test.crystals, test.values, look, bar("measuring", len(test.crystals))
                )
                strange += others
                facts["held_out"] = training.measured(head, tests, float(np.median(examples.values)))
        about = facts_of("", overrides, data, val, licence, source)
        training.keep(head, out, about | facts | training.facts_of(recipe))
        _tell_scores(facts, unit, out)
        unusable += more + _refused(strange)
    finish(unusable)


def _valued(inputs: list[str], column: str, max_sites: int) -> "tuple[Valued, list[Unusable]]":
    """Read crystals and their numbers, and tell how many have none."""
    from xtalcodec.datasets import named
    from xtalcodec.datasets.valued import load_valued

    with reading_bar(any(named(word) for word in inputs)) as tell_progress:
        found = load_valued(inputs, column, max_sites, tell_progress)
    if found.without:
        rows = len(found.crystals) + found.without
        typer.echo(
            f"note: {found.without} of {rows} crystals are left out: no number in the column {column!r}", err=True
        )
    return found, found.unusable


def _refused(strange: Sequence[tuple[str, str]]) -> "list[Unusable]":
    from xtalcodec.io.read import Unusable

    return [Unusable(name, reason) for name, reason in strange]


def _tell_scores(facts: dict[str, Any], unit: str, out: Path) -> None:
    """Print what is known of a head."""
    unit = f" {unit}" if unit else ""
    typer.echo(
        f"{facts['crystals_used']} crystals, {facts['seconds']} s; mean absolute error "
        f"{facts['kept_back_mae']:.4g}{unit} on {facts['kept_back']} that were kept back"
    )
    if scores := facts.get("held_out"):
        typer.echo(
            f"held out: mean absolute error {scores['mae']:.4g}{unit} (of the median "
            f"{scores['mae_of_the_median']:.4g}), {scores['coverage']:.1%} within the uncertainty, "
            f"of {scores['crystals']} crystals"
        )
    typer.echo(f"the head is in {out}")
