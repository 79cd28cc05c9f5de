"""What the command line says of reconstructions: table, scores, JSON."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from typing import Any

import typer

from xtalcodec.evaluation.reconstruction import DISPLACED, Measured, Reconstruction, summary_of
from xtalcodec.io.atomic import atomic
from xtalcodec.io.read import Unusable

SHOWN = 500
"""Most crystals in a table on the screen, and on a page."""


def print_table(rows: Sequence[Reconstruction], cycle: bool, count: int) -> None:
    """One line per crystal.

    Parameters
    ----------
    rows
        The first `SHOWN`, or all.
    cycle
        Whether there was a self-check.
    count
        How many crystals there are in all.
    """
    columns = ["crystal", "formula", "space group", "decoded", "sites", "decoded", "matched", "RMS (Å)"]
    rows_of_cells = []
    disordered = any(not r.original.is_ordered for r in rows)
    columns += ["largest (Å)", *["occupancies off"] * disordered, "confidence"]
    for r in rows:
        cells = [r.original.name, r.original.formula, r.space_group, r.space_group_decoded, str(len(r.original))]
        cells += [str(len(r.decoded)) if r.decoded else "–", "yes" if r.matched else "no"]
        cells += ["–" if x is None else f"{x:.4f}" for x in (r.rms_angstrom, r.largest_angstrom)]
        cells[-1] += " !" * r.displaced
        if disordered:
            cells.append("–" if r.occupancy_error is None else f"{r.occupancy_error:.3f}")
        cells.append(f"{r.confidence:.2f}")
        if cycle:
            cells.append("–" if r.cycle_consistency is None else f"{r.cycle_consistency:.3f}")
        rows_of_cells.append(cells)
    show_table(columns + ["self-check"] * cycle, rows_of_cells, [r.matched for r in rows])
    for r in rows:
        if r.reason:
            typer.echo(f"{'other elements' if r.matched else 'no match'}: {r.original.called}: {r.reason}")
    if displaced := sum(r.displaced for r in rows):
        typer.echo(f"! {displaced} of the matched have a site that is more than {DISPLACED:g} Å off")
    if count > len(rows):
        typer.echo(f"… and {count - len(rows)} more: --rows and --json keep them all")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], good: Sequence[bool]) -> None:
    """A table on the screen, rows that are not good in red; where it is too narrow, nothing is cut off."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(*(Column(name, overflow="fold") for name in columns))
    for cells, fine in zip(rows, good, strict=True):
        table.add_row(*map(Text, cells), style=None if fine else "bold red")
    console = Console()
    console.width = console.width if console.is_terminal else 160
    console.print(table)


def print_summary(
    measured: Measured,
    identity: str,
    seconds: float,
    unusable: Iterable[Unusable],
    path: Path | None,
    rows: Iterable[Reconstruction] | None = None,
) -> dict[str, Any]:
    """Scores on the screen, and in a file where asked for.

    Parameters
    ----------
    measured
        What scores are made of.
    identity
        Of the codec.
    seconds
        What it took.
    unusable
        What could not be used.
    path
        Of the JSON file, if one is wanted.
    rows
        To be listed in it, one at a time in memory.
    """
    result = summary_of(measured, identity, seconds)
    result["unusable"] = [{"name": u.name, "reason": u.reason} for u in unusable]
    for name, part in [("all", result), *result["by_sites"].items()]:
        rmse = "–" if part["rmse"] is None else f"{part['rmse']:.4f} ({part['rmse_angstrom']:.4f} Å)"
        typer.echo(
            f"{name + ' sites':>12}: {part['n']:5d} crystals  matched {100 * part['match_rate']:6.2f} %  rmse {rmse}  "
            f"count {100 * part['count_rate']:.2f} %  composition {100 * part['composition_rate']:.2f} %"
            + (f"  matched but over {DISPLACED:g} Å off {part['displaced']}" if part["displaced"] else "")
            + (f"  {part['disordered']} disordered" if part["disordered"] else "")
            + (f", occupancies off by {part['occupancy_error']:.4f}" if part["occupancy_error"] is not None else "")
        )
    area = result["confidence_auc"]
    typer.echo(
        f"codec {result['codec']}, {result['code_length'] or 0:.0f} numbers per crystal, {seconds:.1f} s"
        + (f", confidence tells matched from unmatched with AUC {area:.3f}" if area is not None else "")
    )
    if path:
        write_json(path, result if rows is None else result | {"crystals": Listed(_row(r) for r in rows)})
    return result


def _row(r: Reconstruction) -> dict[str, Any]:
    """A row as JSON."""
    names = "space_group space_group_decoded matched rms rms_angstrom same_count same_composition"
    names += " largest_angstrom occupancy_error displaced confidence reason code_length cycle_consistency"
    about = {"name": r.original.name, "formula": r.original.formula, "sites": len(r.original)}
    about |= {"notes": list(r.original.notes)}
    about |= {"sites_decoded": len(r.decoded) if r.decoded else 0}
    return about | {name: getattr(r, name) for name in names.split()}


class Listed(list):
    """A JSON array of what an iterator yields, one item at a time in memory.

    The encoder asks a list whether it is empty and then goes through it; nothing else.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        """Take the items; the first is read now."""
        self._items = iter(items)
        self._first = list(islice(self._items, 1))

    def __len__(self) -> int:
        """Return 0 where there is none."""
        return len(self._first)

    def __iter__(self) -> Iterator[Any]:
        """Go through the items, once."""
        return chain(self._first, self._items)


def finite(value: Any) -> Any:
    """Return a value as JSON can hold it: None in the place of infinite numbers and NaN, as deep as they are."""
    if isinstance(value, Listed):
        return Listed(map(finite, value))
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def write_json(path: Path | None, value: Any) -> None:
    """Write a JSON file, whole or not at all; null for numbers that are not finite."""
    if path:
        with atomic(path) as temporary, temporary.open("w") as file:
            file.writelines(json.JSONEncoder(indent=2, allow_nan=False).iterencode(finite(value)))
            file.write("\n")
