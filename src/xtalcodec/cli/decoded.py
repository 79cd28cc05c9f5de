"""What the verbs of the latent space show: rows, files of crystals, strips, films and pages."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xtalcodec.cli.options import Format
from xtalcodec.cli.running import progress_bar, write_each

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.codecs.decoding import DecodedCrystal
    from xtalcodec.codecs.latents import LatentSet
    from xtalcodec.crystal import Crystal
    from xtalcodec.io.read import Unusable

Out = Annotated[Path | None, typer.Option(help="Folder for the decoded crystals.")]
Formatted = Annotated[Format, typer.Option("--format", help="Format of the decoded crystals.")]
Strip = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Draw densities, atoms and slices side by side here (.png or .pdf).")
]
Movie = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Film of density and atoms as they turn (.gif or .mp4).")
]
Html = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Write a page with densities and atoms in 3-D, frame by frame.")
]


def abouts(codec: "Codec", codes: "LatentSet", found: "Sequence[DecodedCrystal | None]") -> list[dict[str, Any]]:
    """What decoded, a row for each code."""
    from xtalcodec.evaluation.generation import explained

    shares = explained(codec, codes, found)
    return [_about(code.name, decoded, share) for code, decoded, share in zip(codes, found, shares, strict=True)]


def _about(name: str, decoded: "DecodedCrystal | None", share: float | None) -> dict[str, Any]:
    from xtalcodec.geometry.symmetry import SYMPREC, space_group

    about = {"name": name, "formula": "–", "sites": 0, "confidence": 0.0, "space_group": ""}
    if decoded is not None:
        crystal = decoded.crystal
        about |= {"formula": crystal.formula, "sites": len(crystal), "confidence": decoded.confidence}
        about["space_group"] = space_group(crystal, SYMPREC)
    return about | {"explained": share}


def tell_unsure(rows: Sequence[dict[str, Any]], valid: str) -> None:
    """Say of how many valid rows, called so, the decoder is not sure."""
    from xtalcodec.codecs.decoding import SURE

    if unsure := sum(row["confidence"] < SURE for row in rows if row["valid"]):
        typer.echo(f"{unsure} {valid} have a confidence below {SURE:g}: their fields show other atoms than these")


def print_rows(rows: Sequence[dict[str, Any]]) -> None:
    """A table of rows, those that failed in red."""
    from xtalcodec.cli.report import show_table

    def text(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "–" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)

    shown = [key for key in rows[0] if any(row[key] not in (None, "") for row in rows)]
    good = [bool(row["sites"]) and row.get("valid", row.get("matched", True)) for row in rows]
    cells = [[text(row[key]) for key in shown] for row in rows]
    show_table([key.replace("_", " ") for key in shown], cells, good)


def write(made: "Sequence[Crystal | None]", out: Path | None, fmt: Format, symprec: float | None) -> int:
    """Write what decoded; None where nothing did. Return how many the format could not hold (listed)."""
    if out is None:
        return 0
    count, refused = write_each((crystal for crystal in made if crystal), out, fmt.value, symprec)
    typer.echo(f"{count} decoded crystals are in {out}")
    return refused


def check_pictures(strip: Path | None = None, movie: Path | None = None, page: Path | None = None) -> None:
    """Refuse files of other kinds before anything is computed."""
    from xtalcodec.viz.figures.frames import FILMS
    from xtalcodec.viz.figures.style import FORMATS

    for path, kinds in ((strip, [f".{x}" for x in FORMATS]), (movie, FILMS), (page, [".html", ".htm"])):
        if path and path.suffix.lower() not in kinds:
            raise ValueError(f"{path.name}: such a picture is written as {' or '.join(kinds)}")


def draw(
    codec: "Codec",
    codes: "LatentSet",
    found: "Sequence[DecodedCrystal | None]",
    titles: Sequence[str],
    strip: Path | None,
    movie: Path | None,
    html: Path | None,
) -> None:
    """Draw the strip, the film and the page that were asked for."""
    if not strip and not movie and not html:
        return
    from xtalcodec.viz.figures import frames as pictures
    from xtalcodec.viz.figures.codes import frames
    from xtalcodec.viz.figures.style import save
    from xtalcodec.viz.pages.frames_page import write_frames_page

    shown = frames(codec, codes, found, titles)
    if strip:
        save(pictures.strip(shown, titles), strip.parent, strip.stem, [strip.suffix[1:].lower()])
        typer.echo(f"densities, atoms and slices side by side: {strip}")
    if movie:
        seconds = max(6.0, float(len(shown)))
        with progress_bar("filming", round(seconds * pictures.RATE)) as advance:
            pictures.movie(shown, movie, seconds=seconds, progress=advance)
        typer.echo(f"density and atoms turning: {movie}")
    if html:
        write_frames_page(shown, html, "xtalcodec: densities and atoms, frame by frame", f"codec {codec.identity}")
        typer.echo(f"density and atoms, to be turned: {html}")


def lost(rows: Sequence[dict[str, Any]]) -> "list[Unusable]":
    """Rows where no crystal decoded, and why."""
    from xtalcodec.evaluation.generation import nothing
    from xtalcodec.io.read import Unusable

    return [Unusable(row["name"], nothing(row["explained"])) for row in rows if not row["sites"]]
