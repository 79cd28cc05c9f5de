"""What workers do: each task asks the library, and returns crystals and plain data for the page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtalcodec.app import views
from xtalcodec.app.jobs import Part, Tell
from xtalcodec.app.uploads import read_upload
from xtalcodec.crystal import Crystal

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec, DecodedCrystal
    from xtalcodec.codecs.latents import CrystalCode, LatentSet
    from xtalcodec.priors.base import Prior
    from xtalcodec.priors.conditions import Conditions

PROTOTYPES = "prototypes"
"""Where a prior learns from if nothing else was given: the AFLOW prototypes that fit the codec."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read an upload."""

    data: bytes
    name: str

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:  # noqa: ARG002
        """Return the crystals, and what could not be used."""
        crystals, unusable = read_upload(self.data, self.name)
        return {"crystals": crystals, "unusable": [(item.name, item.reason) for item in unusable]}


@dataclass(frozen=True, slots=True)
class Reconstruct:
    """Encode a crystal and decode it again."""

    crystal: Crystal
    refine: bool = True

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:
        """Return both crystals, how they compare, and the latent; the original is a part that comes first."""
        from xtalcodec.evaluation.reconstruction import NOTHING, SYMPREC, compare
        from xtalcodec.geometry.symmetry import space_group

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
    from xtalcodec.crystal import nearest

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
    spherical: bool = False
    energies: bool = False

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:  # noqa: ARG002
        """Return what each step decodes to."""
        total = 2 + self.steps * (2 if self.energies else 1)
        done = 0

        def advance(more: int) -> None:
            nonlocal done
            done += more
            tell(min(done, total), total)

        codes, found = self.decoded(codec, advance)
        shares = [k / (self.steps - 1) for k in range(self.steps)]
        titles = [f"{100 * share:.0f} % of the way" for share in shares]
        energies = [_energy(d, advance) for d in found] if self.energies else []
        return _shown(codec, codes, found, titles) | {"shares": shares, "energies": energies}

    def decoded(
        self, codec: "Codec", advance: Callable[[int], None]
    ) -> "tuple[LatentSet, list[DecodedCrystal | None]]":
        """Return codes along the way and their crystals, of the elements that the ends have, where the codec can."""
        from xtalcodec.latent_space.interpolate import elements_of, interpolate

        codes = interpolate(codec, self.a, self.b, self.steps, spherical=self.spherical, progress=advance)
        only = elements_of(self.a, self.b) if codec.can_restrict else None
        return codes, codec.decode_crystals(codes, progress=advance, elements=only)


def _energy(found: "DecodedCrystal | None", advance: Callable[[int], None]) -> float | None:
    """Energy in eV/atom by SevenNet; None where there is no crystal, or it has none."""
    from xtalcodec.evaluation.generation.potentials import relaxation

    advance(1)
    return None if found is None else relaxation(found.crystal, "sevennet-0", 0).get("energy")


@dataclass(frozen=True, slots=True)
class Alter:
    """Vary a crystal: other elements, or a denser field."""

    crystal: Crystal
    replacements: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:  # noqa: ARG002
        """Return what the altered crystals decode to, the surest first."""
        from xtalcodec.latent_space.alter import Replacement, replaced, with_density

        tell(0, 2)
        asked = replaced(self.crystal, [Replacement.parse(text) for text in self.replacements])
        if self.scales:
            codes = with_density(codec, asked, self.scales)
            titles = [f"density × {scale:g}" for scale in self.scales]
        else:
            codes = codec.encode([self.crystal, asked])
            titles = ["as it was", ", ".join(text.replace("=", " → ") for text in self.replacements)]
        tell(1, 2)
        return _shown(codec, codes, codec.decode_crystals(codes), titles)


def _shown(
    codec: "Codec", codes: "LatentSet", found: "Sequence[DecodedCrystal | None]", titles: Sequence[str]
) -> dict[str, Any]:
    """Decoded codes with their views and the usual checks."""
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
class Sample:
    """Draw crystals that nobody asked for: the one place that asks the library for samples."""

    count: int
    seed: int = 0
    temperature: float = 1.0
    source: str = PROTOTYPES
    """`PROTOTYPES`, a file of latents, or the folder of a prior; a path only from who started the server."""
    elements: str = ""
    """Just these, as in "Sr, Ti, O"; any where it is empty, as with the next two. Not every prior can be asked."""
    sites: str = ""
    """In the primitive cell, as "6" or "6-20"."""
    space_group: str = ""
    """Its number."""

    def __call__(self, codec: "Codec", tell: Tell, part: Part) -> dict[str, Any]:
        """Return what the prior was fitted to; each sample is a part as it comes."""
        from xtalcodec.codecs.latents import LatentSet
        from xtalcodec.evaluation.generation import assess, same

        prior = _prior(codec, self.source, tell)
        if asked := self._conditions():
            prior = prior.condition(asked)
        tell(0, self.count)
        earlier: list[Any] = []
        for k, (code, found) in enumerate(self._drawn(codec, prior)):
            (row,) = assess(codec, LatentSet((code,), prior.codec), [found])
            twin = next((other.name for other in earlier if row.valid and same(row, other)), "")
            if row.valid and not twin:
                earlier.append(row)
            known = row.crystal is not None and _is_prototype(row.crystal)
            picture = views.view(row.crystal, row.name, row.space_group, row.reason)
            table = views.table_of([row.crystal])
            part({"row": row, "twin": twin, "known": known, "view": picture, "elements": table})
            tell(k + 1, self.count)
        return {"prior": prior.description}

    def _drawn(self, codec: "Codec", prior: "Prior") -> "Iterator[tuple[CrystalCode, DecodedCrystal | None]]":
        """Yield codes and their crystals, one by one, so that each is shown as soon as it is there."""
        from xtalcodec.latent_space.sample import draw

        if prior.plans:
            for one in draw(codec, prior, self.count, self.seed, self.temperature):
                yield one.code, one.decoded
            return
        codes = prior.sample(self.count, self.seed, self.temperature)
        for k, code in enumerate(codes):
            (found,) = codec.decode_crystals(codes[k : k + 1])
            yield code, found

    def _conditions(self) -> "Conditions | None":
        """What is asked for; None for nothing."""
        from ase.data import atomic_numbers

        from xtalcodec.priors.conditions import Conditions, PriorError

        symbols = [part.strip() for part in self.elements.split(",") if part.strip()]
        if strange := [symbol for symbol in symbols if not atomic_numbers.get(symbol, 0)]:
            raise PriorError(f"there is no element {strange[0]!r}")
        low, dash, high = self.sites.replace("–", "-").partition("-")
        if not all(part.strip().isdigit() for part in ((low, high) if dash else (low or "1",))):
            raise PriorError(f"{self.sites!r} is no number of sites: write 6, or 6-20")
        if not (self.space_group or "0").strip().isdigit():
            raise PriorError(f"{self.space_group!r} is no number of a space group")
        sites = (int(low), int(high if dash else low)) if self.sites else None
        elements = tuple(sorted({atomic_numbers[symbol] for symbol in symbols}))
        asked = Conditions(elements=elements, sites=sites, space_group=int(self.space_group or 0))
        return None if asked == Conditions() else asked


_PRIORS: dict[str, Any] = {}
"""Priors that this worker has fitted or opened, by their source."""


def _prior(codec: "Codec", source: str, tell: Tell) -> "Prior":
    """Open a prior, or fit the normal distribution to the codes of the most frequent grid."""
    from xtalcodec.codecs.latents import LatentSet
    from xtalcodec.priors import open_prior
    from xtalcodec.priors.gaussian import GaussianPrior, grids

    if source in _PRIORS:
        return _PRIORS[source]
    if source != PROTOTYPES and Path(source, "prior.json").is_file():
        _PRIORS[source] = open_prior(source)
        return _PRIORS[source]
    codes = _prototype_codes(codec, tell) if source == PROTOTYPES else LatentSet.from_parquet(source)
    grid = next(iter(grids(codes)))
    part = tuple(code for code in codes if code.patches == grid)
    _PRIORS[source] = GaussianPrior.of(LatentSet(part, codes.codec))
    return _PRIORS[source]


def _prototype_codes(codec: "Codec", tell: Tell) -> "LatentSet":
    from xtalcodec.app.links import prototypes
    from xtalcodec.crystal import CrystalError

    placed = []
    for crystal in prototypes().values():
        try:
            placed.append(codec.place(crystal))
        except CrystalError:
            continue  # of another size or other elements than the codec's: nothing to learn from
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        tell(done, len(placed))

    return codec.encode_placed(placed, refine=False, progress=advance)


def _is_prototype(crystal: Crystal) -> bool:
    """Whether a crystal is one of the AFLOW prototypes."""
    from xtalcodec.app.links import prototypes
    from xtalcodec.evaluation.displacement import rms_displacement

    alike = [one for one in prototypes().values() if np.array_equal(one.elements, crystal.elements)]
    return any(rms_displacement(one, crystal) is not None for one in alike)


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
