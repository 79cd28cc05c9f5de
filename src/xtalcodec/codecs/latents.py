"""Codes of crystals: latent, cell and the way back to the cell that was given; in memory and as a parquet file."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args, overload

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.crystal import MIN_CELL_VOLUME, Crystal
from xtalcodec.geometry.images import wrapped
from xtalcodec.io.atomic import atomic
from xtalcodec.io.ended import check_ended
from xtalcodec.io.materials import Kind
from xtalcodec.io.read import Unusable
from xtalcodec.io.tables import groups_from

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

FORMAT = "xtalcodec-latents-1"

_ROWS = 1000
"""Codes in memory at a time."""


class LatentsError(ValueError):
    """A latents file that cannot be decoded: the message says which and why."""


@dataclass(frozen=True, slots=True, eq=False)
class CrystalCode:
    """Everything that is known of one encoded crystal."""

    name: str
    z: Float[np.ndarray, "patches latent"]
    """The latent: one row per patch of the Niggli-reduced cell, in C order."""
    patches: tuple[int, int, int]
    lattice: Float[np.ndarray, "3 3"]
    """The Niggli-reduced cell, rows in Å."""
    basis: Int[np.ndarray, "3 3"]
    """The cell that was given = basis @ lattice."""

    origin: Float[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))
    """Fractional coordinates of the reduced crystal's origin in the encoded one."""

    given_as: Kind = "pymatgen"
    """What the crystal was given as, and comes back as."""

    noise: float = 0.0
    """Standard deviation of the errors that its numbers have, in those of the latent; the decoder is told. An encoder's
    have none."""

    plain: bool = False
    """Whether it was moved until the decoder alone gives the crystal. Others are the encoder's own: what they are read
    as can be checked by encoding it."""

    @property
    def length(self) -> int:
        """How many numbers the code holds: latent, lattice (9), origin (3), integers of basis (9) and grid (3)."""
        return self.z.size + self.lattice.size + self.origin.size + self.basis.size + len(self.patches)

    @property
    def flaw(self) -> str | None:
        """Why no codec can decode its numbers, where that is so."""
        if not all(np.isfinite(numbers).all() for numbers in (self.z, self.lattice, self.origin)):
            return "a number is not finite"
        if abs(np.linalg.det(self.lattice)) < MIN_CELL_VOLUME:
            return "its cell has no volume"
        return None

    def in_given_cell(
        self,
        frac_coords: Float[np.ndarray, "sites 3"],
        numbers: Int[np.ndarray, " sites"],
        occupancies: Float[np.ndarray, "sites 119"] | None = None,
    ) -> Crystal:
        """Return sites on the grid, in fractions of the reduced cell, as the crystal in the cell that was given.

        Parameters
        ----------
        frac_coords, numbers
            Places and species.
        occupancies
            Of a disordered crystal.
        """
        found = Crystal(self.lattice, frac_coords - self.origin, numbers, self.name, occupancies=occupancies)
        crystal = found.in_basis(self.basis)
        return replace(crystal, frac_coords=wrapped(crystal.frac_coords))

    def on_grid(self, crystal: Crystal) -> Crystal:
        """Return a crystal in the cell that was given as it lies on the grid; inverse of `in_given_cell`."""
        back = np.round(np.linalg.inv(self.basis)).astype(np.int64)
        return crystal.in_basis(back).translated(self.origin)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LatentSet(Sequence):
    """Codes of crystals, and which codec they belong to."""

    codes: tuple[CrystalCode, ...]
    codec: str
    """Identity of the codec: only it can decode them."""

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.codes)

    def __repr__(self) -> str:
        """Say how many there are, and of which codec: their numbers fill pages."""
        return f"LatentSet of {len(self)} crystals, codec {self.codec}"

    @overload
    def __getitem__(self, index: int) -> CrystalCode: ...
    @overload
    def __getitem__(self, index: slice) -> "LatentSet": ...
    def __getitem__(self, index: int | slice) -> "CrystalCode | LatentSet":
        """Return one code, or a part that decodes as the whole does."""
        if isinstance(index, slice):
            return LatentSet(self.codes[index], self.codec)
        return self.codes[index]

    def __iter__(self) -> Iterator[CrystalCode]:
        """Go through the codes."""
        return iter(self.codes)

    def to_parquet(self, path: str | Path) -> None:
        """Write one row per crystal; the codec's identity is in the file's metadata. All or nothing."""
        import pyarrow.parquet as pq

        with atomic(path) as temporary:
            pq.write_table(self.table(), temporary, compression="zstd")

    def table(self) -> "pa.Table":
        """Return one row per crystal, with the codec's identity in the metadata."""
        import pyarrow as pa

        columns = {
            "name": pa.array([c.name for c in self], pa.string()),
            "z": pa.array([c.z.astype(np.float32).ravel() for c in self], pa.list_(pa.float32())),
            "patches": pa.array([list(c.patches) for c in self], pa.list_(pa.int32(), 3)),
            "lattice": pa.array([c.lattice.ravel() for c in self], pa.list_(pa.float64(), 9)),
            "origin": pa.array([c.origin for c in self], pa.list_(pa.float64(), 3)),
            "basis": pa.array([c.basis.ravel() for c in self], pa.list_(pa.int64(), 9)),
            "given_as": pa.array([c.given_as for c in self], pa.string()),
            "noise": pa.array([c.noise for c in self], pa.float64()),
            "plain": pa.array([c.plain for c in self], pa.bool_()),
        }
        about = json.dumps({"format": FORMAT, "codec": self.codec})
        return pa.table(columns).replace_schema_metadata({"xtalcodec": about})

    @classmethod
    def from_parquet(cls, path: str | Path) -> "LatentSet":
        """Read what `to_parquet` wrote, or all shards of a folder that `xtalcodec encode` filled.

        Raises
        ------
        LatentsError
            Not such a file, a broken one, or one with numbers that are not finite.
        """
        files = latent_files(path)
        codecs = {codec_of(file) for file in files}
        if len(codecs) > 1:
            raise LatentsError(f"{path}: its files are of several codecs: {', '.join(sorted(codecs))}")
        return cls(tuple(code for file in files for code in codes_in(file)), codecs.pop())


def latent_files(path: str | Path) -> list[Path]:
    """Return the file of latents itself, or the shards of a folder, in order.

    Raises
    ------
    LatentsError
        A folder without a shard.
    UnfinishedError
        A folder that a run has not filled yet.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    check_ended(path)
    files = sorted(file for file in path.glob("*.parquet") if not file.name.startswith("."))
    if not files:
        raise LatentsError(f"{path}: a folder without a parquet file")
    return files


def codec_of(path: str | Path) -> str:
    """Return the identity of the codec that a file of latents belongs to.

    Raises
    ------
    LatentsError
        Not such a file, or a broken one.
    """
    with _latents(path) as (_, about):
        return about["codec"]


def count_codes(path: str | Path) -> int:
    """Return the number of codes in a file of latents.

    Raises
    ------
    LatentsError
        Not such a file, or a broken one.
    """
    with _latents(path) as (file, _):
        return file.metadata.num_rows


def codes_in(path: str | Path, start: int = 0, stop: int | None = None) -> Iterator[CrystalCode]:
    """Yield the codes of a file of latents, a thousand in memory at a time.

    Parameters
    ----------
    path
        What `LatentSet.to_parquet` wrote.
    start, stop
        The first row that is wanted, and the first that is not any more.

    Raises
    ------
    LatentsError
        Not such a file, a broken one, or one with numbers that are not finite.
    """
    for item in items_in(path, start, stop):
        if isinstance(item, Unusable):
            raise LatentsError(f"{path}: {item.name}: {item.reason}")
        yield item


def items_in(path: str | Path, start: int = 0, stop: int | None = None) -> Iterator[CrystalCode | Unusable]:
    """Yield the codes of a file of latents, or why a row cannot be decoded.

    Parameters
    ----------
    path, start, stop
        As of `codes_in`.

    Raises
    ------
    LatentsError
        Not such a file, or a broken one.
    """
    with _latents(path) as (file, about):
        row, groups = groups_from(file, start)
        stop = file.metadata.num_rows if stop is None else stop
        for batch in file.iter_batches(batch_size=_ROWS, row_groups=groups):
            if row >= stop:
                return
            for record in batch.slice(max(start - row, 0), stop - max(start, row)).to_pylist():
                # Files of 0.1 have one kind for all of their rows.
                yield _item({"given_as": about.get("kind")} | record)
            row += batch.num_rows


@contextmanager
def _latents(path: str | Path) -> "Iterator[tuple[ParquetFile, dict]]":
    """Open a file of latents and what it says of itself; an error in it is told with its name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            about = json.loads((file.schema_arrow.metadata or {})[b"xtalcodec"])
            if about["format"] != FORMAT:
                raise LatentsError(f"format {about['format']!r} is not {FORMAT!r}")
            about["codec"]
            yield file, about
    except LatentsError as error:
        raise LatentsError(f"{path}: {error}") from error
    except KeyError as error:
        raise LatentsError(f"{path}: no latents file of xtalcodec ({error} is missing)") from error
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise LatentsError(f"{path}: cannot be read as latents: {str(error).splitlines()[0][:200]}") from error


def _item(row: dict) -> CrystalCode | Unusable:
    """Build a code from a row of a file of latents, or say why there is none."""
    try:
        return code_of(row)
    except LatentsError as error:
        return Unusable(row["name"], str(error))
    except (ValueError, TypeError) as error:
        return Unusable(row["name"], f"it cannot be read as latents: {error}")


def code_of(row: dict) -> CrystalCode:
    """Build a code from a row of a file of latents.

    Raises
    ------
    LatentsError
        What could not be decoded: numbers that are not finite, or do not fit each other. It does not name the row.
    """
    a, b, c = row["patches"]
    z = np.array(row["z"], dtype=np.float32)
    lattice = np.array(row["lattice"], dtype=np.float64).reshape(3, 3)
    if min(a, b, c) < 1 or not z.size or z.size % (a * b * c):
        raise LatentsError(f"{z.size} latent numbers for {a}×{b}×{c} patches")
    origin = np.array(row["origin"], dtype=np.float64)
    basis = np.array(row["basis"], dtype=np.int64).reshape(3, 3)
    if abs(round(float(np.linalg.det(basis)))) != 1:
        raise LatentsError("its basis changes the volume of the cell")
    if row["given_as"] not in get_args(Kind):
        raise LatentsError(f"given as {row['given_as']!r}, which is none of {', '.join(get_args(Kind))}")
    noise = float(row.get("noise") or 0.0)  # files of 0.1 have none
    if not 0 <= noise < np.inf:
        raise LatentsError(f"its noise is {noise:g}")
    code = CrystalCode(row["name"], z.reshape(a * b * c, -1), (a, b, c), lattice, basis, origin, row["given_as"])
    if code.flaw:
        raise LatentsError(code.flaw)
    return replace(code, noise=noise, plain=bool(row.get("plain", not noise)))  # files of before were moved so
