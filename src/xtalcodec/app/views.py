"""What the scene in the browser draws: crystals, densities and latents as plain data, and crystals as files."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from xtalcodec.codecs.latents import CrystalCode
from xtalcodec.crystal import Crystal
from xtalcodec.io.write import write_many
from xtalcodec.viz.cell_density import cell_density
from xtalcodec.viz.pages.page import crystal_data, elements, packed_density


def view(crystal: Crystal | None, title: str, group: str = "", reason: str = "") -> dict[str, Any]:
    """One picture: a crystal with its density, or why there is none.

    Parameters
    ----------
    crystal
        What is drawn.
    title
        Above it.
    group
        Hermann-Mauguin symbol.
    reason
        Why there is no crystal, where there is none.
    """
    if crystal is None:
        return {"title": title, "crystal": None, "reason": reason}
    density = packed_density(cell_density(crystal))
    return {"title": title, "crystal": crystal_data(crystal), "density": density, "group": group, "name": crystal.name}


def table_of(crystals: Iterable[Crystal | None]) -> dict[str, Any]:
    """Symbol, colour and radius of every element in crystals."""
    return elements({z for crystal in crystals if crystal is not None for z in crystal.elements})


def latent_data(code: CrystalCode) -> dict[str, Any]:
    """A latent as a table: a row for each of its numbers, a column for each patch."""
    return {"patches": list(code.patches), "rows": np.round(code.z.T.astype(float), 3).tolist()}


def files_of(crystals: Sequence[Crystal], fmt: str = "cif") -> tuple[str, bytes]:
    """Return crystals as one file, or as a zip of files where there are several: its name and its bytes."""
    with TemporaryDirectory(prefix="xtalcodec-") as folder:
        paths = write_many(crystals, folder, fmt)
        if len(paths) == 1:
            return paths[0].name, paths[0].read_bytes()
        archive = Path(folder, "all")
        with ZipFile(archive, "w", ZIP_DEFLATED) as file:
            for path in paths:
                file.write(path, path.name)
        return "crystals.zip", archive.read_bytes()
