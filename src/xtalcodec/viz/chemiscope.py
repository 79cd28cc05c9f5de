"""A map of crystals as chemiscope reads it, the field's own viewer of structures and properties (Fraux et al. 2020).

The format is the one that chemiscope documents, a JSON of `meta`, `structures`, `properties` and `settings`. Its Python
package writes the same but brings Jupyter's widgets along.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.columns import Column
from xtalcodec.io.atomic import atomic
from xtalcodec.viz.crystal_map import CrystalMap

UNKNOWN = "unknown"
"""What a text that is not known is called."""


def write_chemiscope(drawn: CrystalMap, path: str | Path, title: str, notes: str) -> None:
    """Write a map for chemiscope.

    Parameters
    ----------
    drawn
        The map; its crystals must be there.
    path
        Named .json, or .json.gz to have it packed.
    title, notes
        Of the data set in the viewer.

    Raises
    ------
    ValueError
        Another name, or a map without crystals.
    """
    path = Path(path)
    check_name(path)
    with atomic(path) as temporary:
        temporary.write_bytes(chemiscope_bytes(drawn, title, notes, packed=path.suffix == ".gz"))


def check_name(path: Path) -> None:
    """Refuse the name of a file that chemiscope would not open.

    Raises
    ------
    ValueError
        Neither .json nor .json.gz.
    """
    if not path.name.endswith((".json", ".json.gz")):
        raise ValueError(f"{path} is named neither .json nor .json.gz, as chemiscope's files are")


def chemiscope_bytes(drawn: CrystalMap, title: str, notes: str, *, packed: bool = True) -> bytes:
    """Return what `write_chemiscope` writes.

    Parameters
    ----------
    drawn, title, notes
        As there.
    packed
        Whether by gzip.
    """
    text = json.dumps(_data(drawn, title, notes), separators=(",", ":")).encode()
    return gzip.compress(text, mtime=0) if packed else text


def _data(drawn: CrystalMap, title: str, notes: str) -> dict[str, Any]:
    held = [entry.crystal for entry in drawn.entries if entry.crystal is not None]
    if len(held) < len(drawn.entries):
        raise ValueError("chemiscope shows crystals, which an index does not keep: name the data too")
    axes = {
        axis: {"target": "structure", "values": np.round(drawn.layout.places[:, k], 5).tolist()}
        for k, axis in enumerate(drawn.layout.axes)
    }
    names = {
        "name": {"target": "structure", "values": [entry.name for entry in drawn.entries]},
        "formula": {"target": "structure", "values": [entry.formula for entry in drawn.entries]},
    }
    columns = {one.label: _property(one) for one in drawn.columns}
    across, up = drawn.layout.axes
    chart: dict[str, Any] = {"x": {"property": across}, "y": {"property": up}, "joinPoints": False}
    numbers = [one for one in drawn.columns if one.categories is None]
    if drawn.columns and drawn.columns[0].categories is not None:
        chart["symbol"] = drawn.columns[0].label
    elif numbers:
        chart["color"] = {"property": numbers[0].label}
    return {
        "meta": {"name": title, "description": notes},
        "structures": [_structure(crystal) for crystal in held],
        "properties": axes | names | columns,
        "settings": {"target": "structure", "map": chart, "structure": [{"unitCell": True, "supercell": [1, 1, 1]}]},
    }


def _property(one: Column) -> dict[str, Any]:
    """Numbers, NaN where they are not known, as chemiscope's own files have it; or texts."""
    if one.categories is None:
        return {"target": "structure", "values": one.values.tolist(), "description": one.name}
    texts = [one.categories[int(place)] if place >= 0 else UNKNOWN for place in one.values]
    return {"target": "structure", "values": texts, "description": one.name}


def _structure(crystal: Crystal) -> dict[str, Any]:
    """Positions and cell in Å to 0.0001; a shared site is of the element with the largest share."""
    x, y, z = np.round(crystal.frac_coords @ crystal.lattice, 4).T.tolist()
    cell = np.round(crystal.lattice, 4).ravel().tolist()
    return {"size": len(crystal), "names": crystal.symbols, "x": x, "y": y, "z": z, "cell": cell}
