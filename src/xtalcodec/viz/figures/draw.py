"""The paper's figures of one codec: measured windows and a learning curve to files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xtalcodec.codecs.windows import window_of
from xtalcodec.evaluation.windows import WindowRow, window_summary
from xtalcodec.viz.figures.examples import examples, isosurfaces, slices
from xtalcodec.viz.figures.learning import Curve, learning_curve
from xtalcodec.viz.figures.parity import counts_and_species, density_parity, distances
from xtalcodec.viz.figures.style import FORMATS, save
from xtalcodec.viz.pages.window_page import write_window_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xtalcodec.codecs.base import Codec

PAGE = "windows.html"
COUNT = 6
"""Files or pairs of files that `draw_windows` makes."""


@dataclass(frozen=True, slots=True)
class About:
    """Facts that captions of figures state."""

    codec: str
    """Name and first digits of the weights' hash."""
    kind: str
    """"unit cells" or "repeating windows"."""
    edge: float
    """Å: of the window."""
    own_density: bool
    """Whether the network decodes a density; otherwise it is painted from the decoded atoms."""
    paper: bool
    """Whether the paper's numbers, of unit cells, are of the same task."""
    data: str
    """What the crystals are called."""

    @classmethod
    def of(cls, codec: "Codec", data: str) -> "About":
        """Tell of a codec and the data that it is measured on.

        Raises
        ------
        TypeError
            A codec whose representation is no window.
        """
        window = window_of(codec)
        return cls(codec.identity, window.title, window.field.edge, codec.decodes_density, window.closed, data)

    def caption(self, rows: Sequence[WindowRow]) -> str:
        """Codec, length of the code, data and how many crystals of it fit."""
        scores = window_summary(rows)
        length = f"{scores['code_length']:.0f} numbers per crystal, lattice included"
        what = f"{self.codec}: {self.kind}, cube of {self.edge:g} Å, {length}"
        return f"{what}; {self.data}, {scores['fit']} of {scores['n']} fit"

    @property
    def density(self) -> str:
        """Where decoded densities come from."""
        return "density as the network decodes it" if self.own_density else "density painted from the decoded atoms"


def draw_windows(
    rows: Sequence[WindowRow],
    about: About,
    folder: Path,
    formats: Sequence[str] = FORMATS,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Draw what was measured: counts and species, distances, density, slices, surfaces, and the page.

    Parameters
    ----------
    rows
        What was measured.
    about
        What figures say of it.
    folder
        For the files.
    formats
        Of the printed figures.
    progress
        Called with 1 after each of `COUNT` figures.

    Raises
    ------
    ValueError
        No crystal fits the window; the message has the first reason.
    """
    if not any(row.fits for row in rows):
        reason = rows[0].reconstruction.reason if rows else "there is none"
        raise ValueError(f"no crystal of {about.data} fits the window: {reason}")
    caption = about.caption(rows)
    with_density = f"{caption}; {about.density}"
    chosen = examples(rows, about.edge)
    drawings: dict[str, Callable[[], Figure]] = {
        "counts-and-species": lambda: counts_and_species(rows, caption),
        "distances": lambda: distances(rows, caption, about.paper),
        "density": lambda: density_parity(rows, with_density),
        "slices": lambda: slices(chosen, with_density),
        "isosurfaces": lambda: isosurfaces(chosen, with_density),
    }
    paths = []
    for name, draw in drawings.items():
        paths += save(draw(), folder, name, formats)
        if progress:
            progress(1)
    title = f"{about.codec.rpartition('-')[0]}: windows and what came back"
    write_window_page(rows, folder / PAGE, about.edge, title, f"{with_density}.")
    if progress:
        progress(1)
    return [*paths, folder / PAGE]


def draw_curve(curve: Curve, codec: str, folder: Path, *, paper: bool, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw the learning curve of a codec.

    Parameters
    ----------
    curve
        What training noted.
    codec
        What the codec is called.
    folder
        For the files.
    paper
        Whether the paper's density error may stand beside.
    formats
        Of the files.
    """
    return save(learning_curve(curve, f"{codec}: learning curve", paper), folder, "learning-curve", formats)
