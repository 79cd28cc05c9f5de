"""Crystals to codes and codes to crystals, part by part."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtalcodec.bulk.convert import DECODED, beside, crystal_table, notes_of, usable
from xtalcodec.bulk.run import Done
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.hub import folder_of, pretrained
from xtalcodec.codecs.latents import CrystalCode, LatentsError, LatentSet, codec_of, count_codes, items_in, latent_files
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets.inputs import digest_of, gathered
from xtalcodec.datasets.stores import digest
from xtalcodec.evaluation.reconstruction import NOTHING
from xtalcodec.io.pieces import check_same, stat_of
from xtalcodec.io.read import Unusable
from xtalcodec.networks.threads import one_thread

if TYPE_CHECKING:
    from xtalcodec.representations.base import Placement

CHUNK, CHUNK_REFINED = 1000, 400
"""Crystals of one task, by the encoder alone and with refinement: seconds to a minute of work."""


@dataclass(frozen=True, slots=True)
class CodecName:
    """How a worker gets the codec of a run."""

    name: str
    device: str
    """Where it computes, on every worker."""
    identity: str
    """What it must be: another release, or another folder of that name, may have other weights."""
    config: str
    """Hash of its settings but the name: identity leaves out what shapes codes and not how they are decoded."""

    @classmethod
    def of(cls, name: str, device: str) -> "CodecName":
        """Load the codec here and take what it is: a folder by its absolute path, "auto" by what it is here.

        Raises
        ------
        FileNotFoundError
            No such codec.
        """
        codec, folder = Codec.from_pretrained(name, device=device), folder_of(name)
        place = name if name in pretrained() or folder is None else str(folder.absolute())
        return cls(place, str(codec.device), codec.identity, _settings_of(codec))

    def open(self) -> Codec:
        """Load the codec, once in every process.

        Raises
        ------
        ValueError
            It is another one here.
        """
        return _open(self)

    def settings(self) -> dict[str, str]:
        """Return what shapes results: the codec itself, and where it runs."""
        return {"codec": self.identity, "codec_settings": self.config, "device": self.device}


@cache
def _open(wanted: CodecName) -> Codec:
    codec = Codec.from_pretrained(wanted.name, device=wanted.device)
    if codec.identity != wanted.identity:
        raise ValueError(f"{wanted.name} is the codec {codec.identity} on this worker, not {wanted.identity}")
    if _settings_of(codec) != wanted.config:
        raise ValueError(f"{wanted.name} has other settings on this worker")
    return codec


def _settings_of(codec: Codec) -> str:
    """Hash of a codec's settings but the name."""
    return digest(asdict(replace(codec.config, name="")))


@dataclass(frozen=True, slots=True)
class Encode:
    """Crystals to codes."""

    codec: CodecName
    refine: bool = True

    def settings(self) -> dict[str, Any]:
        """Return everything that shapes the result."""
        return {"verb": "encode", **self.codec.settings(), "refine": self.refine}

    def __call__(self, items: Iterator[Crystal | Unusable]) -> Done:
        """Encode what the codec can hold."""
        codec = self.codec.open()
        placed: list[Placement] = []
        held: list[Crystal] = []
        unusable: list[Unusable] = []
        notes: list[str] = []
        for crystal in usable(items, unusable):
            try:
                placed.append(codec.place(crystal))
                held.append(crystal)
                notes += notes_of(crystal)
            except CrystalError as error:
                unusable.append(Unusable(crystal.name, str(error)))
        with one_thread():
            latents = codec.encode_placed(placed, refine=self.refine)
        totals = {"numbers": sum(code.length for code in latents), **beside(held)}
        return Done(latents.table(), unusable, notes, totals)


@dataclass(frozen=True, slots=True)
class Decode:
    """Codes to crystals: the table of `Convert`, with formula, confidence, and the self-check where asked for."""

    codec: CodecName
    latents: str
    """Identity that the codes carry."""
    self_check: bool = False
    check: bool = True
    """Whether what is read is mended by encoding it."""

    def settings(self) -> dict[str, Any]:
        """Return everything that shapes the result."""
        return {"verb": "decode", **self.codec.settings(), "self_check": self.self_check, "check": self.check}

    def __call__(self, items: Iterator[CrystalCode | Unusable]) -> Done:
        """Decode; a code that is none of the codec's, or gives no atom, is unusable."""
        import pyarrow as pa

        codec = self.codec.open()
        unusable: list[Unusable] = []
        flaws = [(code, codec.flaw_of(code)) for code in usable(items, unusable)]
        unusable += [Unusable(code.name, flaw) for code, flaw in flaws if flaw]
        codes = LatentSet(tuple(code for code, flaw in flaws if not flaw), self.latents)
        with one_thread():
            found = codec.decode_crystals(codes, check=self.check)
            distances = codec.cycle_consistency(codes, check=self.check) if self.self_check else [None] * len(codes)
        good = [(one, x) for one, x in zip(found, distances, strict=True) if one]
        table = crystal_table(one.crystal for one, _ in good)
        formulas = pa.array([one.crystal.formula for one, _ in good], pa.string())
        confidences = pa.array([one.confidence for one, _ in good], pa.float64())
        checks = pa.array([x for _, x in good], pa.float64())
        for name, column in zip(DECODED, (formulas, confidences, checks), strict=True):
            table = table.append_column(name, column)
        unusable += [Unusable(code.name, NOTHING) for code, one in zip(codes, found, strict=True) if not one]
        return Done(table, unusable)


@dataclass(frozen=True, slots=True)
class Codes:
    """Rows of a file of latents, from `start` to before `stop`."""

    file: str
    """Its absolute path."""
    size: int
    """Bytes of the file."""
    modified: int
    """Time of its last change, ns."""
    start: int
    stop: int

    @property
    def units(self) -> int:
        """How many codes."""
        return self.stop - self.start

    @property
    def origin(self) -> tuple[str, int, int]:
        """What the file is: its path, size and time of the last change."""
        return self.file, self.size, self.modified

    def read(self) -> Iterator[CrystalCode | Unusable]:
        """Yield them, in order, or why one cannot be decoded.

        Raises
        ------
        PieceError
            The file is another one here, or not here at all.
        """
        check_same(Path(self.file), self.size)
        return items_in(self.file, self.start, self.stop)


class LatentInputs:
    """Files of latents and folders of them, of one codec, as the input of a run."""

    def __init__(self, paths: Sequence[str | Path], length: int) -> None:
        """Look at the files; no code is read.

        Parameters
        ----------
        paths
            Files, and folders of shards.
        length
            Codes of one part.

        Raises
        ------
        LatentsError
            No file of latents, files of several codecs, or none that holds a code.
        """
        self.files = [file for path in paths for file in latent_files(path)]
        self.length = length
        codecs = {codec_of(file): file for file in self.files}
        if len(codecs) > 1:
            raise LatentsError("; ".join(f"{file} belongs to {codec}" for codec, file in codecs.items()))
        if not any(map(count_codes, self.files)):
            raise LatentsError(f"there are no latents in {', '.join(map(str, paths))}")
        self.codec = next(iter(codecs))

    def parts(self) -> Iterator[Codes]:
        """Yield the parts, in order."""
        for file in self.files:
            size, modified = stat_of(file)
            rows = count_codes(file)
            for start in range(0, rows, self.length):
                yield Codes(str(file.absolute()), size, modified, start, min(start + self.length, rows))

    def settings(self) -> dict[str, Any]:
        """Return what the codes depend on beside the files."""
        return {}

    def chunks(self) -> Iterator[tuple[Codes, ...]]:
        """Yield the parts of one task at a time."""
        return gathered(self.parts(), self.length)

    def survey(self) -> tuple[dict[str, str], int | None]:
        """Return a hash of all parts, and how many codes there are."""
        hashed, units = digest_of(self.parts())
        return {"latents": hashed}, units
