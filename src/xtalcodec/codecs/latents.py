"""Latents: what a codec makes of crystals, in memory and as a parquet file."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args, overload

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.io.atomic import atomic

Kind = Literal["pymatgen", "ase"]

FORMAT = "xtalcodec-latents-1"


class LatentsError(ValueError):
    """A latents file that cannot be decoded: the message says which and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Code:
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

    @property
    def numbers(self) -> int:
        """How many numbers the code holds: latent, lattice (9), origin (3), integers of basis (9) and grid (3)."""
        return self.z.size + self.lattice.size + self.origin.size + self.basis.size + len(self.patches)


@dataclass(frozen=True, slots=True, eq=False)
class Latents(Sequence):
    """Codes of crystals, and which codec they belong to."""

    codes: tuple[Code, ...]
    codec: str
    """Identity of the codec: only it can decode them."""
    kind: Kind = "pymatgen"
    """What the crystals were given as, and come back as."""

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> Code: ...
    @overload
    def __getitem__(self, index: slice) -> "Latents": ...
    def __getitem__(self, index: int | slice) -> "Code | Latents":
        """Return one code, or a part that decodes as the whole does."""
        if isinstance(index, slice):
            return Latents(self.codes[index], self.codec, self.kind)
        return self.codes[index]

    def __iter__(self) -> Iterator[Code]:
        """Go through the codes."""
        return iter(self.codes)

    def to_parquet(self, path: str | Path) -> None:
        """Write one row per crystal; the codec's identity is in the file's metadata. All or nothing."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {
            "name": pa.array([c.name for c in self], pa.string()),
            "z": pa.array([c.z.astype(np.float32).ravel() for c in self], pa.list_(pa.float32())),
            "patches": pa.array([list(c.patches) for c in self], pa.list_(pa.int32(), 3)),
            "lattice": pa.array([c.lattice.ravel() for c in self], pa.list_(pa.float64(), 9)),
            "origin": pa.array([c.origin for c in self], pa.list_(pa.float64(), 3)),
            "basis": pa.array([c.basis.ravel() for c in self], pa.list_(pa.int64(), 9)),
        }
        about = json.dumps({"format": FORMAT, "codec": self.codec, "kind": self.kind})
        table = pa.table(columns).replace_schema_metadata({"xtalcodec": about})
        with atomic(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    @classmethod
    def from_parquet(cls, path: str | Path) -> "Latents":
        """Read what `to_parquet` wrote.

        Raises
        ------
        LatentsError
            Not such a file, a broken one, or one with numbers that are not finite.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
            about = json.loads((table.schema.metadata or {})[b"xtalcodec"])
            if about["format"] != FORMAT:
                raise LatentsError(f"format {about['format']!r} is not {FORMAT!r}")
            if about["kind"] not in get_args(Kind):
                raise LatentsError(f"kind {about['kind']!r} is none of {', '.join(get_args(Kind))}")
            codes = tuple(_code(row) for row in table.to_pylist())
            return cls(codes, about["codec"], about["kind"])
        except LatentsError as error:
            raise LatentsError(f"{path}: {error}") from error
        except KeyError as error:
            raise LatentsError(f"{path}: no latents file of xtalcodec ({error} is missing)") from error
        except (OSError, ValueError, TypeError, pa.ArrowException) as error:
            raise LatentsError(f"{path}: cannot be read as latents: {str(error).splitlines()[0][:200]}") from error


def _code(row: dict) -> Code:
    """One row of the file; refuses what could not be decoded."""
    a, b, c = row["patches"]
    z = np.array(row["z"], dtype=np.float32)
    lattice = np.array(row["lattice"], dtype=np.float64).reshape(3, 3)
    if min(a, b, c) < 1 or not z.size or z.size % (a * b * c):
        raise LatentsError(f"{row['name']}: {z.size} latent numbers for {a}×{b}×{c} patches")
    origin = np.array(row["origin"], dtype=np.float64)
    if not (np.isfinite(z).all() and np.isfinite(lattice).all() and np.isfinite(origin).all()):
        raise LatentsError(f"{row['name']}: a number is not finite")
    basis = np.array(row["basis"], dtype=np.int64).reshape(3, 3)
    if abs(round(float(np.linalg.det(basis)))) != 1:
        raise LatentsError(f"{row['name']}: its basis changes the volume of the cell")
    return Code(row["name"], z.reshape(a * b * c, -1), (a, b, c), lattice, basis, origin)
