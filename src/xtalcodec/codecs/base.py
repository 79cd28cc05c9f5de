"""Codecs: crystals ⇄ latents.

A codec owns a representation, a network, a finder of atoms and a loss.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs import hub
from xtalcodec.codecs.contract import Known
from xtalcodec.codecs.embedded import Embedded
from xtalcodec.codecs.hub import CONFIG
from xtalcodec.codecs.latents import CrystalCode, LatentsError, LatentSet
from xtalcodec.codecs.refine import Misfit, misfit
from xtalcodec.config import SettingsError
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.materials import Kind, as_crystals
from xtalcodec.representations.base import Patches, Placement, grouped

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from xtalcodec.io.materials import Material


@dataclass(frozen=True, slots=True, eq=False)
class DecodedCrystal:
    """A crystal that came out of a latent, and how sure that is."""

    crystal: Crystal
    site_confidence: Float[np.ndarray, " sites"]
    confidence: float
    """0 to 1: the least sure site times the share of heat that the sites explain."""


class Codec(Embedded):
    """Encodes crystals into latents and decodes latents into crystals.

    `Codec.from_pretrained` and `open_codec` give one of the classes in this package: one for each way in which a
    network works on a representation. What a codec can do is a property.
    """

    @classmethod
    def from_pretrained(cls, name: str | Path, device: str = "cpu", **hub_options: Any) -> "Codec":  # type: ignore[override]
        """Load a codec that ships with the package, one in a folder, or one from the Hugging Face hub.

        Parameters
        ----------
        name
            One that ships, as "mp"; a folder; or "user/repository".
        device
            A torch device; "auto" takes a GPU where there is one.
        hub_options
            `revision`, `token`, `cache_dir` and others of `huggingface_hub.snapshot_download`.

        Raises
        ------
        FileNotFoundError
            No such codec; the message lists those there are.
        ValueError
            A file of it that is not what it should be; the message names it.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        from xtalcodec.codecs.registry import load_config, open_codec

        stored = hub.read(hub.fetch(name, **hub_options))
        try:
            codec = open_codec(load_config(stored.config), device)
        except (SettingsError, TypeError) as error:
            raise SettingsError(f"{stored.folder / CONFIG}: {error}") from error
        hub.fill(codec.network, stored)
        codec.provenance = hub.Provenance.of(stored, codec.identity)
        return codec

    # Encoding

    def place(self, crystal: Crystal) -> Placement:
        """Return the crystal as the representation takes it, with the way back.

        Raises
        ------
        CrystalError
            A crystal that this codec cannot hold: an element it never saw, a shared or partly empty site where it
            knows of none, too many patches, atoms too near.
        """
        if crystal.occupancies is not None and not self.knows_disorder:
            k = int((crystal.occupancies.max(1) < 1).argmax())
            raise CrystalError(
                f"the codec {self.config.name!r} knows ordered crystals only, and site {k} ({crystal.label(k)}) is "
                "disordered or partly occupied"
            )
        strange = sorted({*crystal.elements} - {*self.config.elements})
        if strange:
            from ase.data import chemical_symbols

            names = ", ".join(chemical_symbols[z] for z in strange)
            raise CrystalError(f"the codec {self.config.name!r} never saw {names} in training")
        placed = self.representation.place(crystal)
        if (shortest := placed.crystal.shortest()) < (least := self.config.atom_finder.nearest):
            raise CrystalError(f"two of its atoms are {shortest:.2f} Å apart; nearer than {least:g} Å they are one")
        return placed

    def encode(
        self,
        materials: "Material | Iterable[Material]",
        *,
        refine: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> LatentSet:
        """Encode crystals: pymatgen structures, ASE atoms, paths of files and folders, or a mixture.

        Parameters
        ----------
        materials
            One or several.
        refine
            Where the latent does not decode to the crystal, improve it by gradient descent through the decoder,
            which still sees the latent alone.
        progress
            Called with the number of crystals done since the last call.

        Raises
        ------
        CrystalError
            The first crystal that this codec cannot hold, or file that cannot be read, by name.
        """
        crystals, kinds, names = as_crystals(materials)
        placed = []
        for crystal, name in zip(crystals, names, strict=True):
            try:
                placed.append(self.place(crystal))
            except CrystalError as error:
                raise CrystalError(f"{name}: {error}") from error
        return self.encode_placed(placed, kinds=kinds, refine=refine, progress=progress)

    def encode_placed(
        self,
        placed: Sequence[Placement],
        *,
        kinds: Sequence[Kind] | None = None,
        refine: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> LatentSet:
        """Encode crystals that `place` has taken, see `encode`.

        Parameters
        ----------
        placed
            What `place` returned.
        kinds
            What each crystal was given as: "pymatgen" (if not said) or "ase".
        refine
            Improve latents that do not decode to their crystal.
        progress
            Called with the number of crystals done since the last call.
        """
        codes: dict[int, CrystalCode] = {}
        given: Sequence[Kind] = ["pymatgen"] * len(placed) if kinds is None else kinds
        for patches, indices in grouped([p.patches for p in placed]):
            crystals = [placed[k].crystal for k in indices]
            z, origins = self._encode(crystals, patches, refine)
            for k, crystal, latent, shift in zip(indices, crystals, z.cpu().numpy(), origins, strict=True):
                basis = placed[k].basis
                codes[k] = CrystalCode(crystal.name, latent, patches, crystal.lattice, basis, shift, given[k])
            if progress:
                progress(len(indices))
        return LatentSet(tuple(codes[k] for k in range(len(placed))), self.identity)

    def _encode(
        self, crystals: Sequence[Crystal], patches: Patches, improve: bool
    ) -> tuple[Tensor, list[Float[np.ndarray, "3"]]]:
        """Latents of placed crystals of one grid, and the origins they are on.

        With `improve`, latents are refined where there is a gradient to follow, and crystals whose atoms do
        not come back are tried on other origins; each keeps its best.
        """
        origins = [self.representation.origin(c, 0) for c in crystals]
        moved = _moved(crystals, origins)
        z = self._latent(moved, patches)
        if not improve or not self.retries or prod(patches) > self.config.refine.largest:
            return z, origins
        z, misfits = self.improve(moved, patches, z)
        for attempt in range(1, self.config.refine.origins):
            missed = [k for k, found in enumerate(misfits) if found.wrong]
            if not missed:
                break
            shifts = [self.representation.origin(crystals[k], attempt) for k in missed]
            moved = _moved([crystals[k] for k in missed], shifts)
            again = self.improve(moved, patches, self._latent(moved, patches))
            for k, shift, better, found in zip(missed, shifts, *again, strict=True):
                if found < misfits[k]:
                    z[k], misfits[k], origins[k] = better, found, shift
        return z, origins

    @torch.no_grad()
    def _latent(self, crystals: Sequence[Crystal], patches: Patches) -> Tensor:
        """The encoder's own latents of placed crystals of one grid, moved to their origins."""
        return self.encode_batch(self.representation.collate(crystals, self.device), patches).mean

    @torch.no_grad()
    def encode_scaled(self, crystal: Crystal, scales: Sequence[float]) -> LatentSet:
        """Encode one crystal as often as there are `scales`, its painted field multiplied by each.

        The field is linear in its weights, so every channel of every voxel is multiplied. The latents are the
        encoder's own: there is no crystal of a scaled field that they could be refined against.

        Raises
        ------
        CrystalError
            A crystal that this codec cannot hold.
        """
        placed = self.place(crystal)
        origin = self.representation.origin(placed.crystal, 0)
        batch = self.representation.collate([placed.crystal.translated(origin)] * len(scales), self.device)
        scale = torch.tensor(scales, dtype=torch.float32, device=self.device)
        z = self.encode_batch(batch, placed.patches, scale).mean.cpu().numpy()
        way = placed.patches, placed.crystal.lattice, placed.basis, origin
        return LatentSet(tuple(CrystalCode(crystal.name, row, *way) for row in z), self.identity)

    def improve(
        self, crystals: Sequence[Crystal], patches: Patches, z: Float[Tensor, "b patches latent"]
    ) -> tuple[Float[Tensor, "b patches latent"], list[Misfit]]:
        """Improve latents of placed crystals by refinement, where the codec can, and measure how they decode.

        Parameters
        ----------
        crystals
            Placed and moved to their origins, of one grid.
        patches
            Patches of the grid along its axes.
        z
            The encoder's latents, one row a crystal.

        Returns
        -------
        latents
            One row a crystal.
        misfits
            Between each crystal and what its latent decodes to.
        """
        lattice = torch.from_numpy(np.stack([c.lattice for c in crystals])).float().to(z.device)
        found = self._sites(z, lattice, patches)
        return z, [misfit(c, s) for c, s in zip(crystals, found, strict=True)]

    # Decoding

    def decode(self, latents: LatentSet) -> "list[Structure | Atoms]":
        """Decode latents, each into what its crystal was given as: a pymatgen structure or ASE atoms.

        The confidence of crystal and sites is in `Structure.properties["confidence"]` and the
        site property "confidence", or in `Atoms.info` and `Atoms.arrays`.

        Raises
        ------
        LatentsError
            Latents of another codec, or one that decodes to no atom at all.
        """
        result: list[Any] = []
        for code, decoded in zip(latents, self.decode_crystals(latents), strict=True):
            if decoded is None:
                raise LatentsError(f"{code.name}: no atom found in the decoded field")
            if code.given_as == "ase":
                material: Any = decoded.crystal.to_ase()
                material.info["confidence"] = decoded.confidence
                material.arrays["confidence"] = decoded.site_confidence
            else:
                material = decoded.crystal.to_pymatgen()
                material.add_site_property("confidence", decoded.site_confidence.tolist())
                material.properties["confidence"] = decoded.confidence
            result.append(material)
        return result

    def decode_crystals(
        self,
        latents: LatentSet,
        progress: Callable[[int], None] | None = None,
        *,
        elements: Iterable[int] | Sequence[Iterable[int]] | None = None,
        ordered: bool = False,
    ) -> list[DecodedCrystal | None]:
        """Decode latents; None where a field holds no atom.

        Parameters
        ----------
        latents
            Codes of this codec.
        progress
            Called with the number of crystals done since the last call.
        elements
            Atomic numbers that atoms are read as, where the codec `can_restrict` them: of all codes, or for each code
            its own; all that it knows if not given.
        ordered
            Whether every site is to be one element's.

        Raises
        ------
        LatentsError
            Latents of another codec or of another shape.
        TypeError
            Elements, and a codec that reads whatever it finds.
        ValueError
            No element, or one that the codec does not know.
        """
        among = None if elements is None else self._among(elements, len(latents))
        result: list[DecodedCrystal | None] = [None] * len(latents)
        for indices, codes, z, lattice in self.batches(latents):
            noise = torch.tensor([code.noise for code in codes], device=self.device)
            own = None if among is None else [among[k] for k in indices]
            known = Known(noise if bool(noise.any()) else None, own, ordered)
            found = self._sites(z, lattice, codes[0].patches, known)
            for k, code, sites in zip(indices, codes, found, strict=True):
                result[k] = _decoded(code, sites)
            if progress:
                progress(len(indices))
        return result

    def _among(self, elements: Iterable[int] | Sequence[Iterable[int]], codes: int) -> list[list[int]]:
        """Check the elements that the atoms of each code are to be read as."""
        if not self.can_restrict:
            raise TypeError(f"the codec {self.config.name!r} reads whatever elements it finds: none can be forbidden")
        given = list(elements)
        each = given if given and isinstance(given[0], Iterable) else [given] * codes
        among = [sorted({*own}) for own in cast("list[list[int]]", each)]
        for known in among:
            if strange := [z for z in known if z not in self.config.elements]:
                raise ValueError(f"the codec {self.config.name!r} does not know the atomic numbers {strange}")
            if not known:
                raise ValueError(f"the codec {self.config.name!r} reads atoms of at least one element")
        if len(among) != codes:
            raise ValueError(f"elements are given for {len(among)} codes of {codes}")
        return among

    def batches(self, latents: LatentSet) -> Iterator[tuple[list[int], list[CrystalCode], Tensor, Tensor]]:
        """Indices, codes, latents and lattices of one grid at a time.

        Raises
        ------
        LatentsError
            Latents of another codec or of another shape.
        """
        self.check_owns(latents.codec)
        for _, indices in grouped([c.patches for c in latents]):
            codes = [latents[k] for k in indices]
            z = torch.from_numpy(np.stack([c.z for c in codes])).to(self.device)
            if z.shape[2] != self.config.network.latent:
                raise LatentsError(
                    f"{codes[0].name}: {z.shape[2]} latent numbers per patch, not {self.config.network.latent}"
                )
            loud = next((code for code in codes if code.noise > self.most_noise), None)
            if loud is not None:
                raise LatentsError(
                    f"{loud.name}: its latent has noise of {loud.noise:g}, more than {self.most_noise:g}"
                )
            lattice = torch.from_numpy(np.stack([c.lattice for c in codes])).float().to(self.device)
            yield indices, codes, z, lattice

    @torch.no_grad()
    def found_on_grid(self, latents: LatentSet) -> list[FoundAtoms]:
        """Decode latents to the atoms on their grids, in fractions of its axes: of a window, all that it shows."""
        result: dict[int, FoundAtoms] = {}
        for indices, codes, z, lattice in self.batches(latents):
            result |= dict(zip(indices, self.find_atoms(z, lattice, codes[0].patches), strict=True))
        return [result[k] for k in range(len(latents))]

    @torch.no_grad()
    def _sites(self, z: Tensor, lattice: Tensor, patches: Patches, known: Known | None = None) -> list[FoundAtoms]:
        """Latents of one batch, of which something may be known → sites of the crystals' cells."""
        atoms = self.find_atoms(z, lattice, patches, known or Known())
        cells = lattice.double().cpu().numpy()
        sites = []
        for found, cell in zip(atoms, cells, strict=True):
            placed = self.representation.sites_of_cell(found.positions, found.numbers, found.confidence, cell)
            sites.append(FoundAtoms(*placed, found.explained, occupancies=found.occupancies))
        return sites

    def cycle_consistency(self, latents: LatentSet, decoded: Sequence[DecodedCrystal | None]) -> list[float]:
        """Distance of each decoded crystal's own latent from the one it came from.

        Returns
        -------
        Root mean square difference per latent number, in units of the latent's; infinite where nothing was decoded.
        """
        distance = []
        for code, found in zip(latents, decoded, strict=True):
            if found is None:
                distance.append(float("inf"))
                continue
            z = self._latent([code.on_grid(found.crystal)], code.patches)[0].cpu().numpy()
            distance.append(float(np.sqrt(np.mean((z - code.z) ** 2))))
        return distance


def _moved(crystals: Sequence[Crystal], shifts: Sequence[Float[np.ndarray, "3"]]) -> list[Crystal]:
    """Crystals as they are put on the grid."""
    return [crystal.translated(shift) for crystal, shift in zip(crystals, shifts, strict=True)]


def _decoded(code: CrystalCode, sites: FoundAtoms) -> DecodedCrystal | None:
    """Bring sites to the cell that was given."""
    if not len(sites):
        return None
    confidence = float(np.clip(sites.confidence.min() * sites.explained, 0, 1))
    crystal = code.in_given_cell(sites.positions, sites.numbers, sites.occupancies)
    return DecodedCrystal(crystal, sites.confidence, confidence)
