"""Codec: crystals ⇄ latents. Joins a representation, a network and the reader of atoms."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from huggingface_hub import ModelHubMixin, snapshot_download
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from xtalcodec.atom_finders.found import Sites
from xtalcodec.atom_finders.heat import SitesConfig
from xtalcodec.codecs.coders import open_coder, open_network
from xtalcodec.codecs.latents import Code, Latents, LatentsError
from xtalcodec.codecs.refine import RefineConfig, deviation, refine
from xtalcodec.config import build, unknown
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

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
"""Files of a codec's folder, the hub's usual names."""

CURVE = "curve.jsonl"
"""Learning curve that training leaves beside them."""


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


def pretrained() -> list[str]:
    """Names of the codecs that ship with the package."""
    return sorted(p.name for p in files("xtalcodec").joinpath("weights").iterdir() if p.joinpath(CONFIG).is_file())


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

    @classmethod
    def from_pretrained(cls, name: str | Path, device: str = "cpu", **hub: Any) -> "Codec":  # type: ignore[override]
        """Load a codec that ships with the package, one in a folder, or one from the Hugging Face hub.

        Parameters
        ----------
        name: one that ships, as "mp"; a folder; or "user/repository".
        device: a torch device; "auto" takes a GPU where there is one.

        Raises
        ------
        FileNotFoundError
            No such codec; the message lists those there are.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        folder = cls.folder(name) or Path(snapshot_download(str(name), allow_patterns=[CONFIG, WEIGHTS, CARD], **hub))
        codec = cls(build(CodecConfig, json.loads((folder / CONFIG).read_text())), device)
        try:
            weights = load_file(folder / WEIGHTS, device=str(codec.device))
            codec.network.load_state_dict({k: v.float() for k, v in weights.items()}, strict=True)
        except (SafetensorError, RuntimeError) as error:
            raise ValueError(f"{folder / WEIGHTS} does not hold this codec's weights: {error}") from error
        return codec

    @staticmethod
    def folder(name: str | Path) -> Path | None:
        """Folder of a codec that is on this machine; None for one on the hub.

        Raises
        ------
        FileNotFoundError
            Neither a codec that ships, nor a folder, nor the name of a repository.
        """
        if str(name) in pretrained():
            return Path(str(files("xtalcodec").joinpath("weights", str(name))))
        if Path(name).is_dir():
            if not (Path(name) / CONFIG).is_file():
                raise FileNotFoundError(f"{name} holds no codec: {CONFIG} is missing")
            return Path(name)
        if str(name).count("/") != 1:
            raise FileNotFoundError(unknown("codec", str(name), pretrained()) + " A folder will do too.")
        return None

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write configuration and weights (matrices in half precision: their rounding moves no atom by 0.001 Å)."""
        weights = {k: v.detach().cpu() for k, v in self.network.state_dict().items()}
        state = {k: (v.half() if v.ndim > 1 else v).contiguous() for k, v in weights.items()}
        save_file(state, save_directory / WEIGHTS, metadata={"format": "pt"})
        (save_directory / CONFIG).write_text(json.dumps(asdict(self.config), indent=2) + "\n")

    @property
    def identity(self) -> str:
        """Name and hash of settings and weights: latents carry it, and no other codec decodes them."""
        digest = hashlib.sha256(json.dumps(asdict(self.config), sort_keys=True).encode())
        for key, value in sorted(self.network.state_dict().items()):
            digest.update(key.encode() + value.detach().half().cpu().numpy().tobytes())
        return f"{self.config.name}-{digest.hexdigest()[:12]}"

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
        if latents.codec != self.identity:
            raise LatentsError(f"these latents belong to the codec {latents.codec}, not to {self.identity}")
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
