"""What workers do: each task asks the library, and returns crystals and plain data for the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtalcodec.app import views
from xtalcodec.app.jobs import Part, Tell
from xtalcodec.app.uploads import MOST, read_uploads
from xtalcodec.crystal import Crystal

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.codecs.decoding import DecodedCrystal
    from xtalcodec.codecs.latents import CrystalCode, LatentSet


@dataclass(frozen=True, slots=True)
class Read:
    """Read the files of a drop."""

    files: Sequence[tuple[bytes, str]]
    """Bytes of each, and what the sender calls it."""
    most: int = MOST

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:  # noqa: ARG002
        """Return the crystals, and what could not be used."""
        crystals, unusable = read_uploads(self.files, self.most)
        return {"crystals": crystals, "unusable": [(item.name, item.reason) for item in unusable]}


@dataclass(frozen=True, slots=True)
class Reconstruct:
    """Encode a crystal and decode it again."""

    crystal: Crystal
    refine: bool = True

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:
        """Return both crystals, how they compare, and the latent; the original is a part that comes first."""
        from xtalcodec.evaluation.reconstruction import NOTHING, compare
        from xtalcodec.geometry.symmetry import SYMPREC, space_group

        original = views.view(self.crystal, "Original", space_group(self.crystal, SYMPREC))
        part({"elements": views.table_of([self.crystal]), "views": [original]})
        tell(0, 3)
        codes = codec.encode_placed([codec.place(self.crystal)], refine=self.refine)
        tell(1, 3)
        (found,) = codec.decode_crystals(codes)
        tell(2, 3)
        decoded = None if found is None else found.crystal
        confidence = 0.0 if found is None else found.confidence
        row = compare(self.crystal, decoded, confidence, codes[0].length, None, "" if found else NOTHING)
        back = views.view(decoded, "Decoded", row.space_group_decoded, row.reason)
        if found is not None:
            original["sites"], back["sites"] = _sites(self.crystal, found, codes[0])
        return {
            "elements": views.table_of([self.crystal, decoded]),
            "views": [original, back],
            "latent": views.latent_data(codes[0]),
            "row": row,
            "identity": codec.identity,
        }


def _sites(original: Crystal, found: "DecodedCrystal", code: "CrystalCode") -> tuple[list[Any], list[Any]]:
    """Displacement in Å to the nearest site of the other crystal, and the decoder's confidence, of every site."""
    from xtalcodec.geometry.images import nearest

    here, there = code.on_grid(original), code.on_grid(found.crystal)
    away, which = nearest(here.frac_coords, there.frac_coords, here.lattice)
    back, _ = nearest(there.frac_coords, here.frac_coords, here.lattice)
    sure = found.site_confidence
    return (
        [{"away": float(d), "sure": float(sure[k])} for d, k in zip(away, which, strict=True)],
        [{"away": float(d), "sure": float(s)} for d, s in zip(back, sure, strict=True)],
    )


@dataclass(frozen=True, slots=True)
class Between:
    """Walk from one crystal to another."""

    a: Crystal
    b: Crystal
    steps: int
    way: str = ""
    """Whether "atoms" move, and each step is encoded, or codes are mixed by "line" or "arc"; empty as is usual."""
    energies: bool = False

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:  # noqa: ARG002
        """Return what each step decodes to."""
        encoded = self.steps if self._way(codec) == "atoms" else 2
        total = encoded + self.steps * (2 if self.energies else 1)
        done = 0

        def advance(more: int) -> None:
            nonlocal done
            done += more
            tell(min(done, total), total)

        codes, found = self.decoded(codec, advance)
        shares = [k / (self.steps - 1) for k in range(self.steps)]
        titles = [f"{100 * share:.0f} % of the way" for share in shares]
        energies = [_energy(d, advance) for d in found] if self.energies else []
        return pictured(codec, codes, found, titles) | {"shares": shares, "energies": energies}

    def decoded(
        self, codec: "Codec", advance: Callable[[int], None]
    ) -> "tuple[LatentSet, list[DecodedCrystal | None]]":
        """Return codes along the way and their crystals, of the elements that the ends have, where the codec can."""
        from xtalcodec.latent_space.interpolate import elements_of, interpolate
        from xtalcodec.latent_space.moving import move
        from xtalcodec.latent_space.paths import PATHS

        if (way := self._way(codec)) == "atoms":
            codes = move(codec, self.a, self.b, self.steps, progress=advance)
        else:
            codes = interpolate(codec, self.a, self.b, self.steps, path=PATHS[way], progress=advance)
        only = elements_of(self.a, self.b) if codec.can_restrict else None
        return codes, codec.decode_crystals(codes, progress=advance, elements=only)

    def _way(self, codec: "Codec") -> str:
        """What was asked for, or what is usual."""
        from xtalcodec.latent_space.paths import usual_way

        return self.way or usual_way(codec)


def _energy(found: "DecodedCrystal | None", advance: Callable[[int], None]) -> float | None:
    """Energy in eV/atom by SevenNet; None where there is no crystal, or it has none."""
    from xtalcodec.evaluation.along_path import energy_of

    advance(1)
    return energy_of(found, "sevennet-0")[0]


@dataclass(frozen=True, slots=True)
class Alter:
    """Vary a crystal: other elements, or a denser field."""

    crystal: Crystal
    replacements: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    sites: tuple[int, ...] = ()
    """Where elements are replaced; everywhere if empty."""

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:  # noqa: ARG002
        """Return what the altered crystals decode to, the surest first."""
        from xtalcodec.latent_space.alter import with_density

        tell(0, 2)
        asked = with_others(self.crystal, self.replacements, self.sites)
        if self.scales:
            codes = with_density(codec, asked, self.scales)
            titles = [f"density × {scale:g}" for scale in self.scales]
        else:
            codes = codec.encode([self.crystal, asked])
            titles = ["as it was", ", ".join(text.replace("=", " → ") for text in self.replacements)]
        tell(1, 2)
        return pictured(codec, codes, codec.decode_crystals(codes), titles)


def with_others(crystal: Crystal, replacements: Sequence[str], sites: Sequence[int]) -> Crystal:
    """Return a crystal with other elements in the place of its own.

    Parameters
    ----------
    crystal
        As it was.
    replacements
        As typed: Sr=Ba.
    sites
        Where; everywhere if empty.
    """
    from xtalcodec.latent_space.alter import Replacement, replaced

    here = np.isin(np.arange(len(crystal)), sites) if sites else None
    return replaced(crystal, [Replacement.parse(text) for text in replacements], here)


def pictured(
    codec: "Codec", codes: "LatentSet", found: "Sequence[DecodedCrystal | None]", titles: Sequence[str]
) -> dict[str, Any]:
    """Return decoded codes with their views and the usual checks.

    Parameters
    ----------
    codec, codes, found
        What was decoded, and from what.
    titles
        One above each view.
    """
    from xtalcodec.evaluation.generation import assess

    rows = assess(codec, codes, found)
    pictures = [
        views.view(row.crystal, title, row.space_group, row.reason) for row, title in zip(rows, titles, strict=True)
    ]
    for picture, one in zip(pictures, found, strict=True):
        if one is not None:
            picture["sites"] = [{"away": None, "sure": float(x)} for x in one.site_confidence]
    return {
        "elements": views.table_of(row.crystal for row in rows),
        "views": pictures,
        "rows": rows,
        "titles": list(titles),
    }


@dataclass(frozen=True, slots=True)
class Film:
    """A film of density and atoms along a path, turning."""

    path: Between

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> bytes:  # noqa: ARG002
        """Return the bytes of an MP4."""
        from tempfile import TemporaryDirectory

        from xtalcodec.viz.figures.codes import frames
        from xtalcodec.viz.figures.frames import RATE, movie

        steps = self.path.steps
        codes, found = self.path.decoded(codec, lambda _: None)
        titles = [f"{100 * k / (steps - 1):.0f} %" for k in range(steps)]
        shown = frames(codec, codes, found, titles)
        seconds = max(6.0, float(steps))
        total, done = round(seconds * RATE), 0

        def advance(more: int) -> None:
            nonlocal done
            done += more
            tell(min(done, total), total)

        with TemporaryDirectory(prefix="xtalcodec-") as folder:
            movie(shown, Path(folder, "film.mp4"), seconds=seconds, progress=advance)
            return Path(folder, "film.mp4").read_bytes()
