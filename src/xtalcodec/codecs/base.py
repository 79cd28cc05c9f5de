"""Codecs: crystals ⇄ latents.

A codec owns a representation, a network, a finder of atoms and a loss.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs import hub
from xtalcodec.codecs.attempts import Encoded, encode_to_come_back, moved
from xtalcodec.codecs.contract import Known
from xtalcodec.codecs.correct import correct
from xtalcodec.codecs.decoding import Batch, Decoding
from xtalcodec.codecs.hub import CONFIG
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.codecs.misfit import Misfit, misfit
from xtalcodec.config import SettingsError
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.materials import Kind, as_crystals
from xtalcodec.networks.base import Network
from xtalcodec.networks.threads import at_once, side_by_side
from xtalcodec.representations.base import Patches, Placement
from xtalcodec.representations.portions import grouped, in_order, shared_out

if TYPE_CHECKING:
    from xtalcodec.io.materials import Material

SETTLES = 0.1
"""Å: of crystals that are read right and whose sites are this near to their places none ends elsewhere."""
CERTAIN = 0.9
"""Confidence of crystals that reduced precision reads right."""


class Codec(Decoding):
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

    def with_network(self, network: Network) -> "Codec":
        """Return the same codec with another network of the same sizes, as it is used and not as it learns."""
        other = copy(self)
        other.network = network.eval()
        return other

    # Encoding

    def place(self, crystal: Crystal) -> Placement:
        """Return the crystal as the representation takes it, with the way back.

        Raises
        ------
        CrystalError
            A crystal that this codec cannot hold: an element it never saw, or what `place_any` refuses.
        """
        self.check_elements(crystal)
        return self.place_any(crystal)

    def place_any(self, crystal: Crystal) -> Placement:
        """Place a crystal of any elements, as training does, which is to show them.

        Raises
        ------
        CrystalError
            A shared or partly empty site where the codec knows of none, too many patches, atoms too near.
        """
        if crystal.occupancies is not None and not self.knows_disorder:
            k = int((crystal.occupancies.max(1) < 1).argmax())
            raise CrystalError(
                f"the codec {self.config.name!r} knows ordered crystals only, and site {k} ({crystal.label(k)}) is "
                "disordered or partly occupied"
            )
        placed = self.representation.place(crystal)
        self.check_apart(placed.crystal)
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
            Look whether crystals come back: those on their own cell are encoded on other origins where they do not;
            all others are corrected by what comes back, and where that fails by gradient descent through the decoder,
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
        given: Sequence[Kind] = ["pymatgen"] * len(placed) if kinds is None else kinds
        parts = list(shared_out([p.patches for p in placed], at_once(self.device)))

        def encoded(indices: list[int]) -> list[CrystalCode]:
            crystals, grids = [placed[k].crystal for k in indices], [placed[k].patches for k in indices]
            if refine and self.retries:
                each = encode_to_come_back(self, crystals, grids)
            else:
                origins = [self.representation.origin(c, 0) for c in crystals]
                latents = self.latents(moved(crystals, origins), grids)
                each = [Encoded(z, origin) for z, origin in zip(latents, origins, strict=True)]
            return [_code(placed[k], one, given[k]) for k, one in zip(indices, each, strict=True)]

        codes = in_order(parts, side_by_side(encoded, parts, self.device), progress)
        return LatentSet(tuple(codes), self.identity)

    @torch.no_grad()
    def latents(self, crystals: Sequence[Crystal], grids: Sequence[Patches]) -> list[Tensor]:
        """The encoder's own latents of placed crystals, moved to their origins, each on its own grid."""
        groups = list(grouped(grids))
        batches = [self.representation.collate([crystals[k] for k in rows], self.device) for _, rows in groups]
        each = self.encode_each(batches, [patches for patches, _ in groups])
        return in_order([rows for _, rows in groups], [[*own.mean] for own in each])

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
        return LatentSet(tuple(CrystalCode(crystal.name, row, *way, plain=True) for row in z), self.identity)

    def closest(self, crystals: Sequence[Crystal], grids: Sequence[Patches]) -> tuple[list[Tensor], list[Misfit]]:
        """Latents that decode to placed crystals as nearly as correction gets, and how nearly.

        They are corrected in reduced precision where that is known to do, which is fast; crystals that are less than
        `CERTAIN` are read once more in full precision, as decoding does, for it may say otherwise there.

        Parameters
        ----------
        crystals
            Placed and moved to their origins.
        grids
            Patches of the grid of each along its axes.
        """
        lattice = self._lattices(crystals)

        def encode(aims: Sequence[Crystal], rows: Sequence[int]) -> list[Tensor]:
            return self.latents(aims, [grids[k] for k in rows])

        def read(z: Sequence[Tensor], rows: Sequence[int]) -> list[FoundAtoms]:
            return self._sites(z, lattice[list(rows)], [grids[k] for k in rows])

        with self.roughly():
            z, misfits, seen = correct(encode, read, crystals, self.config.refine)
        if self.rough and (unsure := [k for k, one in enumerate(seen) if one.certainty < CERTAIN]):
            for k, sites in zip(unsure, read([z[k] for k in unsure], unsure), strict=True):
                misfits[k] = misfit(crystals[k], sites)
        return z, misfits

    def _lattices(self, crystals: Sequence[Crystal]) -> Tensor:
        return torch.from_numpy(np.stack([c.lattice for c in crystals])).float().to(self.device)

    def checked(self, crystals: Sequence[Crystal], grids: Sequence[Patches]) -> tuple[list[Tensor], list[Misfit]]:
        """The encoder's own latents of placed crystals, and how nearly these come back from them.

        What the decoder reads right and not displaced by more than `SETTLES` settles on its place, be it read in
        reduced precision; the others are decoded as they will be.

        Parameters
        ----------
        crystals
            Placed and moved to their origins.
        grids
            Patches of the grid of each along its axes.
        """
        lattice = self._lattices(crystals)
        z = self.latents(crystals, grids)
        with self.roughly():
            read = self._sites(z, lattice, grids)
        misfits = [misfit(c, sites) for c, sites in zip(crystals, read, strict=True)]
        rows = [k for k, found in enumerate(misfits) if not found.within(SETTLES)]
        misfits = [found._replace(displacement=0.0) for found in misfits]
        if rows:
            own, shapes = [z[k] for k in rows], [grids[k] for k in rows]
            mended = self._sites(own, lattice[rows], shapes, Known(checked=[True] * len(rows)))
            for k, sites in zip(rows, mended, strict=True):
                misfits[k] = misfit(crystals[k], sites)
        return z, misfits

    def cycle_consistency(self, latents: LatentSet, *, check: bool = True) -> list[float]:
        """Distance between each latent and that of what it decodes to, checked or not, see `decode_crystals`.

        Returns
        -------
        Root mean square difference per latent number, in units of the latent's; infinite where it decodes to nothing.
        """

        def of_batch(batch: Batch) -> list[float]:
            _, codes, z, lattice = batch
            grids, distances = [code.patches for code in codes], [float("inf")] * len(codes)
            known = Known(self._noise(codes), checked=self.to_check(codes) if check else None)
            found = enumerate(self._sites(z, lattice, grids, known))
            # as they are on the grid: of a window's atoms, other images would show elsewhere
            seen = {
                row: Crystal(codes[row].lattice, sites.positions, sites.numbers, occupancies=sites.occupancies)
                for row, sites in found
                if len(sites)
            }
            if seen:
                rows = [*seen]
                for row, again in zip(rows, self.latents([*seen.values()], [grids[k] for k in rows]), strict=True):
                    distances[row] = float((again - z[row]).square().mean().sqrt())
            return distances

        return self._of_each(latents, of_batch)


def _code(placed: Placement, encoded: Encoded, given_as: Kind) -> CrystalCode:
    """Return all that is known of an encoded crystal."""
    crystal = placed.crystal
    way = placed.patches, crystal.lattice, placed.basis, encoded.origin
    return CrystalCode(crystal.name, encoded.z.cpu().numpy(), *way, given_as, plain=encoded.plain)
