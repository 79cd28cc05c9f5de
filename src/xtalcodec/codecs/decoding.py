"""The decoding half of codecs: latents → crystals."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.planned import Holding
from xtalcodec.codecs.contract import NOTHING, Known
from xtalcodec.codecs.latents import CrystalCode, LatentsError, LatentSet
from xtalcodec.codecs.predicting import Predicting
from xtalcodec.crystal import Crystal
from xtalcodec.networks.threads import at_once, side_by_side
from xtalcodec.representations.base import Patches
from xtalcodec.representations.portions import in_order, shared_out

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

Result = TypeVar("Result")

Batch = tuple[list[int], list[CrystalCode], list[Tensor], Tensor]
"""Indices, codes, latents and lattices, of one or several grids."""

SURE = 0.5
"""Least confidence of a crystal that is what its field shows."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedCrystal:
    """A crystal that came out of a latent, and how sure that is."""

    crystal: Crystal
    site_confidence: Float[np.ndarray, " sites"]
    confidence: float
    """0 to 1: the least sure site times the share of heat that the sites explain."""


class Decoding(Predicting):
    """A codec that decodes latents into crystals."""

    def decode(self, latents: LatentSet, *, check: bool = True) -> "list[Structure | Atoms]":
        """Decode latents, each into what its crystal was given as: a pymatgen structure or ASE atoms.

        The confidence of crystal and sites is in `Structure.properties["confidence"]` and the
        site property "confidence", or in `Atoms.info` and `Atoms.arrays`. What is read is checked by encoding it,
        where the codec can, unless `check` is false, see `decode_crystals`.

        Raises
        ------
        LatentsError
            Latents of another codec, or one that decodes to no atom at all.
        """
        result: list[Any] = []
        for code, decoded in zip(latents, self.decode_crystals(latents, check=check), strict=True):
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
        holding: Sequence[Holding] | None = None,
        check: bool = True,
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
        holding
            Atoms of each crystal by atomic number, where they are known: they are looked for, and no other. Where the
            field has too few places for them, some are missing in what is returned.
        check
            Encode what is read, and mend it until that gives the latent, where the codec `can_check` and a latent is
            an encoder's own; without it decoding is four times as fast, and less exact.

        Raises
        ------
        LatentsError
            Latents of another codec or of another shape.
        TypeError
            Elements, and a codec that reads whatever it finds.
        ValueError
            No element, or one that the codec does not know; both `elements` and `holding`, or a count below 1.
        """
        if holding is not None:
            if elements is not None or any(count < 1 for own in holding for count in own.values()):
                raise ValueError("atoms that crystals hold are given as counts of 1 and more, and without `elements`")
            elements = [[*own] for own in holding]
        among = None if elements is None else self._among(elements, len(latents))

        def read(batch: Batch) -> list[DecodedCrystal | None]:
            indices, codes, z, lattice = batch
            own = None if among is None else [among[k] for k in indices]
            held = None if holding is None else [holding[k] for k in indices]
            checked = self.to_check(codes) if check else None
            found = self._sites(z, lattice, _grids(codes), Known(self._noise(codes), own, held, checked))
            return [_decoded(code, sites) for code, sites in zip(codes, found, strict=True)]

        return self._of_each(latents, read, progress)

    def _of_each(
        self,
        latents: LatentSet,
        of_batch: Callable[[Batch], list[Result]],
        progress: Callable[[int], None] | None = None,
    ) -> list[Result]:
        """Return one result for each code, in order.

        Parameters
        ----------
        latents
            Codes of this codec.
        of_batch
            Gives the results of a batch, without gradients; batches may run side by side.
        progress
            Called with the number of codes done since the last call.
        """
        batches = list(self.batches(latents))
        results = side_by_side(of_batch, batches, self.device)
        return in_order([indices for indices, *_ in batches], results, progress)

    def _noise(self, codes: Sequence[CrystalCode]) -> Float[Tensor, " b"] | None:
        """Return the noise of codes, as the decoder is told; None where none has any."""
        noise = torch.tensor([code.noise for code in codes], device=self.device)
        return noise if bool(noise.any()) else None

    def to_check(self, codes: Sequence[CrystalCode]) -> list[bool] | None:
        """Which codes' crystals can be checked by encoding them; None for none of them."""
        return [not code.plain for code in codes] if self.can_check else None

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

    def batches(self, latents: LatentSet) -> Iterator[Batch]:
        """Indices, codes, latents and lattices, as many at a time as go through a network at once.

        Raises
        ------
        LatentsError
            Latents of another codec or of another shape.
        """
        if not isinstance(latents, LatentSet):
            raise LatentsError(
                f"a {type(latents).__name__} is no LatentSet: a part of one is taken by a slice, latents[:1]"
            )
        self.check_owns(latents.codec)
        for code in latents:
            if flaw := self.flaw_of(code):
                raise LatentsError(f"{code.name}: {flaw}")
        for indices in shared_out(_grids(latents), at_once(self.device)):
            codes = [latents[k] for k in indices]
            z = [torch.from_numpy(code.z).float().to(self.device) for code in codes]
            lattice = torch.from_numpy(np.stack([code.lattice for code in codes]))
            yield indices, codes, z, lattice.float().to(self.device)

    def flaw_of(self, code: CrystalCode) -> str | None:
        """Why this codec cannot decode a code, if so: its shape, more noise than it knows, or no sensible numbers."""
        shape = prod(code.patches), self.config.network.latent
        if code.z.shape != shape or min(code.patches) < 1:
            return f"latent numbers of shape {code.z.shape}, not (patches, latent) = {shape}"
        if code.noise > self.most_noise:
            return f"its latent has noise of {code.noise:g}, more than {self.most_noise:g}"
        return code.flaw

    def found_on_grid(self, latents: LatentSet) -> list[FoundAtoms]:
        """Decode latents to the atoms on their grids, in fractions of its axes: of a window, all that it shows."""

        def read(batch: Batch) -> list[FoundAtoms]:
            _, codes, z, lattice = batch
            return self.find_each(z, lattice, _grids(codes), Known(self._noise(codes)))

        return self._of_each(latents, read)

    @torch.no_grad()
    def _sites(
        self, z: Sequence[Tensor], lattice: Tensor, grids: Sequence[Patches], known: Known = NOTHING
    ) -> list[FoundAtoms]:
        """Latents, of which something may be known → sites of the crystals' cells."""
        atoms = self.find_each(z, lattice, grids, known)
        cells = lattice.double().cpu().numpy()
        sites = []
        for found, cell in zip(atoms, cells, strict=True):
            placed = self.representation.sites_of_cell(found.positions, found.numbers, found.confidence, cell)
            sites.append(FoundAtoms(*placed, found.explained, occupancies=found.occupancies))
        return sites


def _grids(codes: Iterable[CrystalCode]) -> list[Patches]:
    return [code.patches for code in codes]


def _decoded(code: CrystalCode, sites: FoundAtoms) -> DecodedCrystal | None:
    """Bring sites to the cell that was given."""
    if not len(sites):
        return None
    crystal = code.in_given_cell(sites.positions, sites.numbers, sites.occupancies)
    return DecodedCrystal(crystal, sites.confidence, sites.certainty)
