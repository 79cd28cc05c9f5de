"""Latents, and crystals that they may be of: how far off those encode, and what the decoder says at their sites."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.heat import among
from xtalcodec.atom_finders.heat_field import Candidates, HeatField
from xtalcodec.codecs.contract import Known
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.images import minimum_image
from xtalcodec.representations.base import Patches
from xtalcodec.representations.portions import shared_out

if TYPE_CHECKING:
    from xtalcodec.codecs.patch import PatchCodec


AROUND = 1.5
"""Å: a site is known by the patches that are so near, and a few farther ones."""


class Guess(NamedTuple):
    """What a latent may be of."""

    sites: FoundAtoms
    distance: float
    """Between its latent and the given one: root mean square of their numbers; infinite where there is no site."""
    z: Tensor
    """Its latent; infinite where there is no site."""


Guesses = dict[int, Guess]
"""Of some of the latents, by their rows."""


class OnSites(NamedTuple):
    """What a field says of the sites of a crystal."""

    off: Float[np.ndarray, "sites 3"]
    """From each to where the field has it, in fractions of the axes."""
    likely: Float[np.ndarray, "sites z"]
    """Of each element, by Z; in column 0 what is empty."""
    likeness: Float[np.ndarray, " sites"]
    """0 to 1: how much of an atom's heat is there."""

    def sure(self, sites: FoundAtoms) -> Float[np.ndarray, " sites"]:
        """0 to 1: that each site is there, and its element's; of shared ones as before."""
        alone = self.likely[np.arange(len(sites)), sites.numbers] * self.likeness
        return np.where(sites.shares().max(1) < 1, sites.confidence, alone)


@dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """Latents that crystals are sought to, those of one grid together."""

    codec: "PatchCodec"
    z: Sequence[Float[Tensor, "_ latent"]]
    lattice: Float[Tensor, "b 3 3"]
    """Cell vectors, rows in Å."""
    grids: Sequence[Patches]
    known: Known

    @property
    def noise(self) -> Float[Tensor, " b"]:
        """Of each."""
        return self.lattice.new_zeros(len(self.z)) if self.known.noise is None else self.known.noise

    @property
    def cells(self) -> Float[np.ndarray, "b 3 3"]:
        """Cell vectors of each, rows in Å."""
        return self.lattice.double().cpu().numpy()

    def of(self, rows: Sequence[int]) -> "Latents":
        """Some of them."""
        z, grids = [self.z[k] for k in rows], [self.grids[k] for k in rows]
        return Latents(self.codec, z, self.lattice[list(rows)], grids, self.known.of(rows))

    def decoded(self, noise: Float[Tensor, " b"] | None = None) -> HeatField:
        """What the decoder says of them, told of some noise or of none."""
        return self.codec.field(self.z, self.lattice, self.grids, noise)

    def guessed(self, sites: Sequence[FoundAtoms]) -> list[Guess]:
        """Say of each how far off sites encode, some for each of them."""
        encoded = self.encoded(sites)
        distances = [(z - own).square().mean().sqrt() for z, own in zip(encoded, self.z, strict=True)]
        return [*map(Guess, sites, torch.stack(distances).tolist() if distances else [], encoded)]

    def encoded(self, sites: Sequence[FoundAtoms]) -> list[Tensor]:
        """Latents of sites on their cells; infinite where there are none."""
        latents = [torch.full_like(z, torch.inf) for z in self.z]
        cells, some = self.cells, [k for k, own in enumerate(sites) if len(own)]
        crystals = [
            Crystal(cells[k], sites[k].positions, sites[k].numbers, occupancies=sites[k].occupancies) for k in some
        ]
        grids = [self.grids[k] for k in some]
        for part in shared_out(grids):
            found = self.codec.latents([crystals[row] for row in part], [grids[row] for row in part])
            for row, z in zip(part, found, strict=True):
                latents[some[row]] = z
        return latents

    def off_around(self, k: int, guess: Guess, places: Float[np.ndarray, "places 3"]) -> Float[np.ndarray, " places"]:
        """How far a guess encodes from a latent around places: squares of its numbers, in Gaussians of `AROUND` Å.

        Parameters
        ----------
        k
            Row of the latent.
        guess
            What it may be of.
        places
            In fractions of the axes.
        """
        grid = np.array(self.grids[k])
        square = (guess.z - self.z[k]).square().sum(-1).double().cpu().numpy()
        centres = (np.stack(np.unravel_index(np.arange(len(square)), grid), -1) + 0.5) / grid
        apart = minimum_image(places[:, None] - centres) @ self.cells[k]
        return np.exp(-(apart**2).sum(-1) / (2 * AROUND**2)) @ square

    def on_sites(self, field: HeatField, rows: Sequence[int], sites: Sequence[FoundAtoms]) -> list[OnSites]:
        """What a field says of sites.

        Parameters
        ----------
        field
            Of all of the latents, or of what is in their places.
        rows
            Whose sites they are.
        sites
            Some for each row.
        """
        if not rows:
            return []
        count = [len(own) for own in sites]
        device = self.lattice.device
        frac = torch.from_numpy(np.concatenate([own.positions for own in sites])).float().to(device)
        which = torch.tensor(rows, device=device).repeat_interleave(torch.tensor(count, device=device))
        position = frac * field.tori.grid[which]
        near = field.near(which, position, self.codec.config.atom_finder.agreement)
        off = field.tori.fractions(which, near.position - position)
        cuts = np.cumsum(count)[:-1]
        parts = [np.split(x.double().cpu().numpy(), cuts) for x in (off, self.likely(field, near), near.likeness)]
        return [*map(OnSites, *parts)]

    def likely(self, field: HeatField, places: Candidates) -> Float[Tensor, "places z"]:
        """How likely each element is at places of a field, by Z; in column 0 what is empty."""
        logits = self.codec.network.species(field.at(places.which, places.position))
        return among(logits, self.codec.allowed(len(self.z), self.known.elements)[places.which]).softmax(-1)
