"""Codec: crystals ⇄ latents. Joins a representation, a network and the reader of atoms."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from huggingface_hub import ModelHubMixin
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.found import Sites
from xtalcodec.atom_finders.heat import SitesConfig
from xtalcodec.codecs import hub
from xtalcodec.codecs.coders import open_coder, open_network
from xtalcodec.codecs.hub import CONFIG
from xtalcodec.codecs.identity import accepts, decoding, former, identity, refusal, same
from xtalcodec.codecs.latents import Code, Latents, LatentsError
from xtalcodec.codecs.refine import RefineConfig, deviation, refine
from xtalcodec.config import SettingsError, build
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.niggli import niggli
from xtalcodec.io.materials import as_crystals
from xtalcodec.networks.hoffmann import Hoffmann, HoffmannConfig
from xtalcodec.networks.modes import LinearConfig
from xtalcodec.networks.patch import PatchConfig, PatchNetwork
from xtalcodec.representations.base import Patches, grouped
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.representations.spaces import open_space
from xtalcodec.representations.window import CubeConfig

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from xtalcodec.io.materials import Material

CURVE = "curve.jsonl"
"""Learning curve that training leaves beside a codec's own files."""


@dataclass(frozen=True, slots=True)
class CodecConfig:
    """What makes a codec beside its weights."""

    name: str = "unnamed"
    space: PeriodicConfig | CubeConfig = field(default_factory=PeriodicConfig)
    network: PatchConfig | HoffmannConfig | LinearConfig = field(default_factory=PatchConfig)
    sites: SitesConfig = field(default_factory=SitesConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    elements: tuple[int, ...] = tuple(range(1, 101))
    """Atomic numbers seen in training; a crystal with another is refused."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A crystal that came out of a latent, and how sure that is."""

    crystal: Crystal
    site_confidence: np.ndarray
    confidence: float
    """0 to 1: the least sure site times the share of heat that the sites explain."""


class Codec(ModelHubMixin, library_name="xtalcodec", tags=["materials", "crystal", "autoencoder"]):
    """Encodes crystals into latents and decodes latents into crystals."""

    def __init__(self, config: CodecConfig, device: str | torch.device = "cpu") -> None:
        """Make an untrained codec; `from_pretrained` gives a trained one."""
        self.config = config
        self.space = open_space(config.space)
        self.device = torch.device(device)
        self.network = open_network(config.network, self.space).to(self.device).eval()
        self.coder = open_coder(self.network, self.space, config.sites, config.elements, self.device)

    # Saving and loading

    provenance: hub.Provenance | None = None
    """Where it was loaded from; None for a new one."""

    @classmethod
    def from_pretrained(cls, name: str | Path, device: str = "cpu", **hub_options: Any) -> "Codec":  # type: ignore[override]
        """Load a codec that ships with the package, one in a folder, or one from the Hugging Face hub.

        Parameters
        ----------
        name: one that ships, as "mp"; a folder; or "user/repository".
        device: a torch device; "auto" takes a GPU where there is one.

        Raises
        ------
        FileNotFoundError
            No such codec; the message lists those there are.
        ValueError
            A file of it that is not what it should be; the message names it.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        stored = hub.read(hub.fetch(name, **hub_options), device)
        try:
            codec = cls(build(CodecConfig, stored.config), device)
        except (SettingsError, TypeError) as error:
            raise SettingsError(f"{stored.folder / CONFIG}: {error}") from error
        hub.fill(codec.network, stored)
        codec.provenance = hub.Provenance.of(stored, codec.identity)
        return codec

    @staticmethod
    def folder(name: str | Path) -> Path | None:
        """Folder of a codec that is on this machine; None for one on the hub.

        Raises
        ------
        FileNotFoundError
            Neither a codec that ships, nor a folder, nor the name of a repository.
        """
        return hub.folder_of(name)

    def save_pretrained(  # type: ignore[override]
        self,
        save_directory: str | Path,
        *,
        licence: str | None = None,
        training: Mapping[str, Any] | None = None,
        model_card_kwargs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Write settings, weights and card to a folder: all, or what was there stays.

        A codec that was loaded and not changed since takes its card along.

        Parameters
        ----------
        licence: what the card says of the licence, as "cc-by-4.0"; without it, what it said before, or "unknown".
        training: how it was trained, from `codecs.card.provenance`; the card is made afresh from it.
        model_card_kwargs: `licence`, as `push_to_hub` passes it on.
        """
        licence = licence or (model_card_kwargs or {}).get("licence")
        config = json.loads(json.dumps(asdict(self.config)))
        known = self.provenance if self.provenance and same(self.provenance.identity, self.identity) else None
        if training is None and known and hub.CARD in known.papers:
            papers = hub.carried(known, licence)
        else:
            papers = hub.make_papers(config, training, licence)
        weights = self.network.state_dict()
        hub.write(save_directory, config, weights, former=known.former if known else (), papers=papers)

    def push_to_hub(self, repo_id: str, *, licence: str | None = None, **hub_options: Any) -> str:  # type: ignore[override]
        """Upload settings, weights and card to a repository of the Hugging Face hub, and return its address.

        Parameters
        ----------
        repo_id: "user/repository"; made if it is not there.
        licence: what the card says of the licence, as "cc-by-4.0".
        hub_options: `private`, `token`, `branch` and others of `huggingface_hub.ModelHubMixin.push_to_hub`.
        """
        return super().push_to_hub(repo_id, model_card_kwargs={"licence": licence}, **hub_options)

    @property
    def identity(self) -> str:
        """Name, and hash of weights and what decoding needs: latents carry it, and no other codec decodes them."""
        return identity(self.config.name, decoding(asdict(self.config)), self.network.state_dict())

    def owns(self, latents: str) -> bool:
        """Whether latents that carry this identity are decoded by this codec, by this release's rule or an earlier."""
        own = self.identity
        known = self.provenance if self.provenance and same(self.provenance.identity, own) else None
        return accepts(latents, [own, *(known.former if known else former(own))])

    # Encoding

    def check(self, crystal: Crystal) -> tuple[Crystal, np.ndarray, Patches]:
        """Return the crystal on its Niggli cell, the way back, and its patches.

        Raises
        ------
        CrystalError
            A crystal that this codec cannot hold: an element it never saw, too many patches, atoms too near.
        """
        strange = sorted(set(crystal.numbers.tolist()) - set(self.config.elements))
        if strange:
            from ase.data import chemical_symbols

            names = ", ".join(chemical_symbols[z] for z in strange)
            raise CrystalError(f"the codec {self.config.name!r} never saw {names} in training")
        reduced, basis = niggli(crystal)
        if (shortest := reduced.shortest()) < (least := self.config.sites.nearest):
            raise CrystalError(f"two of its atoms are {shortest:.2f} Å apart; nearer than {least:g} Å they are one")
        reduced = self.space.whole(reduced)
        return reduced, basis, self.space.patches(reduced)

    def encode(
        self,
        materials: "Material | Iterable[Material]",
        *,
        refine: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> Latents:
        """Encode crystals: pymatgen structures, ASE atoms, paths of files, or a mixture.

        Parameters
        ----------
        refine: where the latent does not decode to the crystal, improve it by gradient descent
            through the decoder, which still sees the latent alone.
        progress: called with the number of crystals done since the last call.

        Raises
        ------
        CrystalError
            The first crystal that this codec cannot hold, or file that cannot be read, by name.
        """
        crystals, kind = as_crystals(materials)
        checked = []
        for crystal in crystals:
            try:
                checked.append(self.check(crystal))
            except CrystalError as error:
                raise CrystalError(f"{crystal.name or crystal.formula}: {error}") from error
        codes: dict[int, Code] = {}
        for patches, indices in grouped([c[2] for c in checked]):
            reduced = [checked[k][0] for k in indices]
            z, origins = self._encode(reduced, patches, refine)
            for k, crystal, latent, shift in zip(indices, reduced, z.cpu().numpy(), origins, strict=True):
                codes[k] = Code(crystal.name, latent, patches, crystal.lattice, checked[k][1], shift)
            if progress:
                progress(len(indices))
        return Latents(tuple(codes[k] for k in range(len(crystals))), self.identity, kind)

    def _encode(
        self, crystals: Sequence[Crystal], patches: Patches, improve: bool
    ) -> tuple[Tensor, list[Float[np.ndarray, "3"]]]:
        """Latents of reduced crystals of one grid, and the origins they are on.

        With `improve`, latents are refined where there is a gradient to follow, and crystals whose atoms do
        not come back are tried on other origins; each keeps its best.
        """
        origins = [self.space.place(c, 0) for c in crystals]
        z = self._latent(_moved(crystals, origins), patches)
        if not improve or isinstance(self.network, Hoffmann):
            return z, origins
        z, errors = self._improved(_moved(crystals, origins), z, patches)
        for attempt in range(1, self.config.refine.origins):
            missed = [k for k, error in enumerate(errors) if error == np.inf]
            if not missed:
                break
            shifts = [self.space.place(crystals[k], attempt) for k in missed]
            moved = _moved([crystals[k] for k in missed], shifts)
            found = self._improved(moved, self._latent(moved, patches), patches)
            for k, shift, better, error in zip(missed, shifts, *found, strict=True):
                if error < errors[k]:
                    z[k], errors[k], origins[k] = better, error, shift
        return z, origins

    def _improved(self, crystals: Sequence[Crystal], z: Tensor, patches: Patches) -> tuple[Tensor, list[float]]:
        """Better latents of crystals as they are placed, if the network has better ones, and how far atoms are off."""
        read = partial(self._read, patches=patches)
        if isinstance(self.network, PatchNetwork):
            return refine(self.network, self.space, crystals, patches, z, read, self.config.refine)
        lattice = torch.from_numpy(np.stack([c.lattice for c in crystals])).float().to(z.device)
        return z, [deviation(c, s) for c, s in zip(crystals, read(z, lattice), strict=True)]

    @torch.no_grad()
    def _latent(self, crystals: Sequence[Crystal], patches: Patches) -> Tensor:
        """The encoder's own latents of reduced crystals of one grid."""
        batch = self.space.collate(crystals, self.device)
        return self.coder.encode(batch, patches).mean

    # Decoding

    def decode(self, latents: Latents) -> "list[Structure] | list[Atoms]":
        """Decode latents into what they were encoded from: pymatgen structures or ASE atoms.

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
            if latents.kind == "ase":
                material: Any = decoded.crystal.to_ase()
                material.info["confidence"] = decoded.confidence
                material.arrays["confidence"] = decoded.site_confidence
            else:
                material = decoded.crystal.to_pymatgen()
                material.add_site_property("confidence", decoded.site_confidence.tolist())
                material.properties["confidence"] = decoded.confidence
            result.append(material)
        return result

    def decode_crystals(self, latents: Latents, progress: Callable[[int], None] | None = None) -> list[Decoded | None]:
        """Decode latents; None where a field holds no atom.

        Raises
        ------
        LatentsError
            Latents of another codec or of another shape.
        """
        result: list[Decoded | None] = [None] * len(latents)
        for indices, codes, z, lattice in self.batches(latents):
            for k, code, sites in zip(indices, codes, self._read(z, lattice, codes[0].patches), strict=True):
                result[k] = _decoded(code, sites)
            if progress:
                progress(len(indices))
        return result

    def batches(self, latents: Latents) -> Iterator[tuple[list[int], list[Code], Tensor, Tensor]]:
        """Indices, codes, latents and lattices of one grid at a time."""
        if not self.owns(latents.codec):
            raise LatentsError(refusal(latents.codec, self.identity))
        for _, indices in grouped([c.patches for c in latents]):
            codes = [latents[k] for k in indices]
            z = torch.from_numpy(np.stack([c.z for c in codes])).to(self.device)
            if z.shape[2] != self.config.network.latent:
                raise LatentsError(
                    f"{codes[0].name}: {z.shape[2]} latent numbers per patch, not {self.config.network.latent}"
                )
            lattice = torch.from_numpy(np.stack([c.lattice for c in codes])).float().to(self.device)
            yield indices, codes, z, lattice

    @torch.no_grad()
    def _read(self, z: Tensor, lattice: Tensor, patches: Patches) -> list[Sites]:
        """Latents of one batch → sites of the crystals' cells."""
        cells = lattice.double().cpu().numpy()
        return [self.space.cell(s, cell) for s, cell in zip(self.coder.find(z, lattice, patches), cells, strict=True)]

    def self_check(self, latents: Latents, decoded: Sequence[Decoded | None]) -> list[float]:
        """How far a decoded crystal's own latent lies from the one it came from.

        Returns
        -------
        Root mean square difference per latent number, in units of the latent's; infinite where nothing was decoded.
        """
        distance = []
        for code, found in zip(latents, decoded, strict=True):
            if found is None:
                distance.append(float("inf"))
                continue
            back = np.round(np.linalg.inv(code.basis)).astype(np.int64)
            crystal = found.crystal.in_basis(back).translated(code.origin)
            z = self._latent([crystal], code.patches)[0].cpu().numpy()
            distance.append(float(np.sqrt(np.mean((z - code.z) ** 2))))
        return distance


def _moved(crystals: Sequence[Crystal], shifts: Sequence[Float[np.ndarray, "3"]]) -> list[Crystal]:
    """Crystals as they are put on the grid."""
    return [crystal.translated(shift) for crystal, shift in zip(crystals, shifts, strict=True)]


def _decoded(code: Code, sites: Sites) -> Decoded | None:
    """Bring sites to the cell that was given."""
    if not len(sites.numbers):
        return None
    crystal = Crystal(code.lattice, sites.frac_coords - code.origin, sites.numbers, code.name).in_basis(code.basis)
    inside = replace(crystal, frac_coords=crystal.frac_coords - np.floor(crystal.frac_coords))
    confidence = float(np.clip(sites.confidence.min() * sites.explained, 0, 1))
    return Decoded(inside, sites.confidence, confidence)
