"""One view of a crystal: how it is asked for, its own random stream, and the row of a store that it makes."""

import hashlib
from collections.abc import Iterable
from dataclasses import field
from typing import Any, Literal

import numpy as np
import torch

from xtalcodec import __version__
from xtalcodec.config import Count, settings
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.properties import Properties
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window import Window, WindowTorusConfig
from xtalcodec.representations.window_field import View, ViewBatch, density, density_nearest, species_map


@settings
class ViewsConfig:
    """Settings of the views that are painted of each crystal."""

    representation: WindowTorusConfig = field(default_factory=UnitCellConfig)
    views: Count = 3
    """Of each crystal. The first of a repeating crystal has the crystal's origin at the cube's corner."""
    images: Literal["all", "nearest"] = "all"
    """Whether all periodic images of a site add up, or only the nearest counts, as in the paper's arrays."""
    ties: Literal["nearest", "coin"] = "nearest"
    """Which of the atoms within reach labels a point: the nearest, or any, as in the paper."""
    seed: int = 0
    shard: Count = 256
    """Rows of a shard, which is what one task makes."""

    def window(self) -> Window:
        """Return the window that crystals are seen through."""
        return self.representation.open()


def settings_of(config: ViewsConfig, crystals: Iterable[Crystal], properties: Properties) -> dict[str, Any]:
    """Collect everything that determines a store's content.

    Parameters
    ----------
    config
        What is painted.
    crystals
        Of which crystals.
    properties
        What is known of them.
    """
    return {
        "representation": config.window().view_settings(),
        **{key: getattr(config, key) for key in ("views", "images", "ties", "seed", "shard")},
        "crystals": crystals_digest(crystals),
        "properties": properties.digest(),
        "xtalcodec": __version__,
    }


def crystals_digest(crystals: Iterable[Crystal]) -> dict[str, Any]:
    """How many crystals there are, and the SHA-256 of their names and contents in order."""
    inputs, number = hashlib.sha256(), 0
    for number, crystal in enumerate(crystals, start=1):  # noqa: B007 - the number is returned
        inputs.update(crystal_digest(crystal))
    return {"number": number, "sha256": inputs.hexdigest()}


def crystal_digest(crystal: Crystal) -> bytes:
    """SHA-256 of a crystal's name and content."""
    arrays = (crystal.lattice, crystal.frac_coords, crystal.numbers, crystal.occupancies)
    parts = (crystal.name.encode(errors="surrogateescape"), *(array.tobytes() for array in arrays if array is not None))
    return hashlib.sha256(b"\0".join(parts)).digest()


def look(crystal: Crystal, view: int, config: ViewsConfig) -> tuple[View, np.random.Generator]:
    """Return one view of a crystal and its random stream, which is its own: [seed, crystal, view].

    Parameters
    ----------
    crystal
        In the cell that was given.
    view
        Number of the view, from 0.
    config
        What is painted.

    Raises
    ------
    CrystalError
        A crystal that does not fit, or a disordered one.
    """
    if not crystal.is_ordered:
        raise CrystalError("it is disordered, and a point of the map of species is one element's")
    rng = np.random.default_rng([config.seed, int.from_bytes(crystal_digest(crystal)), view])
    return config.window().view(crystal, rng, first=view == 0), rng


def paint_row(crystal: Crystal, view: int, config: ViewsConfig) -> dict[str, Any]:
    """Paint one view: the row of a store, without its properties, atoms not padded.

    Parameters
    ----------
    crystal
        In the cell that was given.
    view
        Number of the view, from 0.
    config
        What is painted.
    """
    seen, rng = look(crystal, view, config)
    atoms, window = ViewBatch.collate([seen]), config.representation.window
    coin = torch.Generator().manual_seed(int(rng.integers(2**63))) if config.ties == "coin" else None
    painted = density(atoms, window) if config.images == "all" else density_nearest(atoms, window)
    return {
        "density": painted[0].numpy(),
        "species_map": species_map(atoms, window, coin)[0].numpy(),
        "positions": seen.positions,
        "numbers": seen.numbers,
        "atoms": len(seen.numbers),
        "lattice": seen.lattice,
        "offset": seen.offset,
        "rotation": seen.rotation,
        "material_id": crystal.name,
        "view": view,
    }
