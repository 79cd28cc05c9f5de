"""The Zarr v3 store of painted views: its arrays, the hash of its settings, and which of its shards are whole.

One row is one view. All arrays are cut at the same rows, so that a shard of rows is one file of each
array and belongs to one task. A task writes its files, brings them to the disk and then notes their
sizes in `shard_bytes`: a shard without that note, or with a file of another size, is not whole.
"""

import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

if TYPE_CHECKING:
    import zarr

KIND = "xtalcodec-fields-1"
RECORD = "shard_bytes"


class StoreError(ValueError):
    """A store that cannot be read or gone on with: the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Column:
    """One array of a store."""

    dtype: str
    shape: tuple[int, ...]
    """Of one row."""
    about: str
    """Meaning and unit; kept as an attribute of the array."""
    chunk: int | None = None
    """Rows that are compressed together, to be read alone, or fewer that divide a shard; None: all of a shard's."""
    level: int = 3
    """Of Zstandard."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of a store: rows, shards, points and atoms."""

    rows: int
    shard: int
    """Rows of a shard."""
    points: int
    """Points along an edge of the cube."""
    atoms: int
    """Most atoms that any view shows: the width that `positions` and `numbers` are padded to."""
    properties: tuple[str, ...] = ()

    @property
    def shards(self) -> int:
        """How many shards the rows make."""
        return -(-self.rows // self.shard)

    def rows_of(self, shard: int) -> range:
        """Rows of a shard; the last one may be short."""
        return range(shard * self.shard, min((shard + 1) * self.shard, self.rows))

    def columns(self) -> dict[str, Column]:
        """Name → array."""
        cube = (self.points,) * 3
        columns = {
            "density": Column("float32", cube, "e/Å³ at the points of the cube", 1),
            "species_map": Column("uint8", cube, "Z of the atom whose label reaches the point, else 0", 16, 5),
            "positions": Column("float32", (self.atoms, 3), "Å from the cube's corner; 0 beyond `atoms`", 16),
            "numbers": Column("uint8", (self.atoms,), "Z of the atoms painted; 0 beyond `atoms`", 16),
            "atoms": Column("int32", (), "how many atoms are painted"),
            "lattice": Column("float64", (3, 3), "rows are the cell vectors in the cube's frame, in Å"),
            "offset": Column("float64", (3,), "where the crystal's origin is in the cube, in Å"),
            "rotation": Column("float64", (3, 3), "R from the crystal's frame to the cube's: lattice = given @ R.T"),
            "material_id": Column("string", (), "name of the crystal"),
            "view": Column("int32", (), "number of the view of its crystal, from 0"),
        }
        if self.properties:
            columns["properties"] = Column("float64", (len(self.properties),), "NaN where not known; see `names`")
        return columns

    def files(self, shard: int) -> dict[str, str]:
        """Name of an array → its file of a shard, inside the store."""
        return {name: "/".join([name, "c", str(shard), *["0"] * len(c.shape)]) for name, c in self.columns().items()}


def digest(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def create(path: Path, layout: Layout, settings: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Make an empty store: all of it appears at once, or nothing.

    Parameters
    ----------
    path
        A folder that does not exist yet.
    layout
        The arrays.
    settings
        Everything that shapes the arrays' content, JSON; its hash says which store this is.
    about
        Further attributes.
    """
    import zarr
    from zarr.codecs import BloscCodec

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        group = zarr.create_group(temporary, zarr_format=3)
        for name, column in layout.columns().items():
            shape, rows = (layout.rows, *column.shape), layout.shard
            array = group.create_array(
                name,
                shape=shape,
                chunks=(math.gcd(rows, column.chunk or rows), *column.shape),
                shards=(rows, *column.shape) if column.chunk else None,
                dtype="str" if column.dtype == "string" else column.dtype,
                compressors=BloscCodec(cname="zstd", clevel=column.level, shuffle="shuffle")
                if column.dtype != "string"
                else "auto",
                dimension_names=["row", *(f"{name}_{k}" for k in range(len(column.shape)))],
                attributes={"about": column.about},
            )
            if name == "properties":
                array.update_attributes({"names": list(layout.properties)})
        names = list(layout.columns())
        group.create_array(
            RECORD,
            shape=(layout.shards, len(names)),
            chunks=(1, len(names)),
            dtype="uint64",
            compressors=None,
            attributes={"about": "bytes of the shards' files, noted once they are whole; else 0", "names": names},
        )
        group.update_attributes(
            {
                "kind": KIND,
                "settings": dict(settings),
                "sha256": digest(settings),
                "rows": layout.rows,
                "shard": layout.shard,
                "points": layout.points,
                "atoms": layout.atoms,
                "properties": list(layout.properties),
                **about,
            }
        )
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def attributes(path: Path) -> dict[str, Any]:
    """Read the attributes of a store.

    Raises
    ------
    StoreError
        No such store, or its settings do not have the hash that it says.
    """
    file = path / "zarr.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["attributes"]
        if found["kind"] != KIND:
            raise StoreError(f"{path}: its kind is {found['kind']!r}, not {KIND!r}")
        if found["sha256"] != digest(found["settings"]):
            raise StoreError(f"{file}: the settings do not have the hash that stands beside them")
    except FileNotFoundError as error:
        raise StoreError(f"{path} is no store of fields: {file} is missing") from error
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(f"{path} is no store of fields: {file} cannot be read as one ({error})") from error
    return found


def layout_of(about: Mapping[str, Any]) -> Layout:
    """Return the layout of a store from its attributes."""
    return Layout(about["rows"], about["shard"], about["points"], about["atoms"], tuple(about["properties"]))


def refuse_other_settings(path: Path, about: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse to go on with a store that was made with other settings.

    Parameters
    ----------
    path
        Of the store.
    about
        Its attributes.
    settings
        Those of this run.

    Raises
    ------
    StoreError
        The message names every setting that differs.
    """
    if about["sha256"] == digest(settings):
        return
    there, here = _flat(about["settings"]), _flat(settings)
    differ = [
        f"{key} is {there.get(key, 'absent')} there and {here.get(key, 'absent')} here"
        for key in sorted(there | here)
        if there.get(key) != here.get(key)
    ]
    raise StoreError(
        f"{path} was made with other settings ({about['sha256'][:12]}): {'; '.join(differ)}. Type the command that "
        "began it to go on, remove it, or give another place"
    )


def _flat(settings: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested settings with dotted names."""
    result: dict[str, Any] = {}
    for key, value in settings.items():
        result |= _flat(value, f"{path}{key}.") if isinstance(value, Mapping) else {path + key: value}
    return result


def write_shard(path: Path, layout: Layout, shard: int, rows: Mapping[str, np.ndarray]) -> None:
    """Write the rows of one shard to every array, then note that it is whole.

    Parameters
    ----------
    path
        Of the store.
    layout
        Its arrays.
    shard
        Which shard, from 0.
    rows
        Name of an array → its rows.

    Raises
    ------
    OSError
        A full disk and the like, with the file's name.
    """
    import zarr

    where = slice(layout.rows_of(shard).start, layout.rows_of(shard).stop)
    sizes = []
    # One thread, for there is a worker per core; rows of zeros are written too, for every shard has its file.
    with zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1, "array.write_empty_chunks": True}):
        for name, inside in layout.files(shard).items():
            file = path / inside
            file.unlink(missing_ok=True)  # what a killed run left would be read and merged
            _write(path / name, where, rows[name], file)
            sizes.append(file.stat().st_size)
        record = path / RECORD / "c" / str(shard) / "0"
        _write(path / RECORD, slice(shard, shard + 1), np.array([sizes], dtype=np.uint64), record)


def _write(array: Path, where: slice, values: np.ndarray, file: Path) -> None:
    """Write some rows of an array, which make one file, and bring it to the disk."""
    import zarr

    try:
        zarr.open_array(array, mode="r+")[where] = values
        for place in (file, file.parent):
            handle = os.open(place, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def load(path: Path, name: str) -> "zarr.Array":
    """Open an array of a store for reading.

    Raises
    ------
    StoreError
        Its description is missing or broken.
    """
    import zarr

    try:
        return zarr.open_array(path / name, mode="r", zarr_format=3)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path / name / 'zarr.json'} is missing or broken: {error}") from error


def sizes(path: Path, layout: Layout) -> Int[np.ndarray, "shards arrays"]:
    """Bytes of every shard's files, 0 where the shard is not noted as whole."""
    try:
        found = np.asarray(load(path, RECORD)[:]).astype(np.int64)
    except ValueError as error:
        raise StoreError(f"{path / RECORD} cannot be read: {error}") from error
    if found.shape != (layout.shards, len(layout.columns())):
        raise StoreError(f"{path / RECORD}: its shape is {found.shape}, which is not that of this store")
    return found


def damage(path: Path, layout: Layout, shard: int, noted: Int[np.ndarray, " arrays"]) -> str | None:
    """Say what is wrong with the files of a shard; None where it is whole.

    Parameters
    ----------
    path
        Of the store.
    layout
        Its arrays.
    shard
        Which shard, from 0.
    noted
        Bytes of its files when they were whole; 0 if they never were.
    """
    if not noted.all():
        return f"shard {shard} was never made"
    for inside, size in zip(layout.files(shard).values(), noted, strict=True):
        file = path / inside
        if not file.is_file():
            return f"{file} is missing"
        if file.stat().st_size != size:
            return f"{file} has {file.stat().st_size} bytes where it had {size}"
    return None


def sweep(path: Path) -> None:
    """Remove what a killed run left half-written."""
    for file in path.rglob("*.partial"):
        file.unlink()
