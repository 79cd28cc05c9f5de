"""Decoded fields of several crystals: where they may have atoms, what is read at places, and what atoms explain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from scipy.spatial import cKDTree
from torch import Tensor

from xtalcodec.config import NotNegative, Positive, Share, settings
from xtalcodec.geometry.images import minimum_image, wrapped
from xtalcodec.networks.decoded_field import DecodedField
from xtalcodec.representations.base import Representation
from xtalcodec.representations.tori import Tori


@settings
class HeatFinderConfig:
    """How atoms are read off a decoded field; lengths in voxels, but for `nearest`."""

    threshold: Share = 0.3
    """Least heat of the voxel that holds an atom; a true one has at least 0.46, in its corner."""
    margin: NotNegative = 0.15
    """How far outside its own voxel a voxel's atom may lie: neighbours may both claim one on their border."""
    agreement: Positive = 0.7
    """Votes count for a candidate when they fall this near to it."""
    nearest: NotNegative = 0.65
    """Å: candidates nearer than this are one atom; the shortest bond, H–H, is 0.74 Å long."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Places that may hold an atom."""

    which: Int[Tensor, " n"]
    """The crystal of each, ascending."""
    position: Float[Tensor, "n 3"]
    """In voxels, not wrapped."""
    support: Float[Tensor, " n"]
    """Heat around it over the heat that an atom there would give."""

    @property
    def likeness(self) -> Float[Tensor, " n"]:
        """1 where the heat around is just what an atom gives, less where there is less of it or more."""
        return torch.minimum(self.support, 1 / self.support.clamp_min(1e-6))


def interpolate(
    values: Float[Tensor, "voxels c"], which: Int[Tensor, " sites"], position: Float[Tensor, "sites 3"], tori: Tori
) -> Float[Tensor, "sites c"]:
    """Trilinear interpolation on tori of voxels.

    Parameters
    ----------
    values
        One row a voxel.
    which
        The crystal of each site.
    position
        In voxels along each axis, any real number.
    tori
        Where the voxels of the crystals stand.
    """
    corner = torch.cartesian_prod(*[torch.arange(2, device=values.device)] * 3)  # 8 3
    base = position.floor()
    fraction = (position - base)[:, None]  # sites 1 3
    weight = torch.where(corner.bool(), fraction, 1 - fraction).prod(-1)  # sites 8
    index = tori.index(which, base[:, None].long() + corner)
    return (values[index] * weight[..., None]).sum(1)


@dataclass(frozen=True, slots=True, eq=False)
class HeatField:
    """What the decoder says of the voxels of crystals, one crystal after the other."""

    heat: Float[Tensor, " voxels"]
    """0 to 1: how near an atom is."""
    offset: Float[Tensor, "voxels 3"]
    """From the voxel to its nearest atom, in voxels."""
    features: Float[Tensor, "voxels features"]
    """What species are read from."""
    representation: Representation
    """Gives the heat of atoms and where an atom may lie."""
    tori: Tori
    """Where the voxels of the crystals stand."""

    @classmethod
    def of(cls, decoded: Sequence[DecodedField], representation: Representation, tori: Tori) -> "HeatField":
        """Put what was decoded of batches into one row.

        Parameters
        ----------
        decoded
            Of batches whose crystals follow each other.
        representation
            Of the grids.
        tori
            Where the voxels of all crystals stand.
        """
        heat = torch.cat([own.heat.flatten() for own in decoded]).sigmoid()
        offset = torch.cat([own.offset.flatten(0, 1) for own in decoded])
        features = torch.cat([own.features.flatten(0, 1) for own in decoded])
        return cls(heat, offset, features, representation, tori)

    def candidates(self, lattice: Float[Tensor, "b 3 3"], config: HeatFinderConfig) -> Candidates:
        """Places that may hold an atom.

        (1) A voxel that is warm and says that its atom lies within it proposes one, at the mean of the votes around,
        where the representation can have one; (2) of candidates too near to each other the likeliest stays.

        Parameters
        ----------
        lattice
            Cell vectors of the tori, rows in Å.
        config
            How they are chosen.
        """
        warm = (self.heat > config.threshold) & (self.offset.abs().amax(-1) <= 0.5 + config.margin)
        (flat,) = warm.nonzero(as_tuple=True)
        which, voxel = self.tori.voxel(flat)
        position, support = self._voted(which, voxel, voxel + self.offset[flat], config.agreement)
        shown = self.representation.shows(self.tori.fractions(which, position))
        found = Candidates(which[shown], position[shown], support[shown])
        return _apart(found, lattice, self.tori, config.nearest, wraps=self.representation.wraps)

    def near(self, which: Int[Tensor, " sites"], position: Float[Tensor, "sites 3"], agreement: float) -> Candidates:
        """Where the field has the atoms that are near places: at the mean of the votes that agree with them.

        A place that no vote agrees with stays what it is.

        Parameters
        ----------
        which
            The crystal of each place.
        position
            In voxels.
        agreement
            Votes count that fall this near to a place, in voxels.
        """
        found, support = self._voted(which, position.round().long(), position, agreement)
        return Candidates(which, torch.where(support[:, None] > 0, found, position), support)

    def _voted(
        self,
        which: Int[Tensor, " n"],
        voxel: Int[Tensor, "n 3"],
        own: Float[Tensor, "n 3"],
        agreement: float,
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
        """Heat-weighted mean of the votes around voxels that fall near their own, and the heat's share of an atom's."""
        around = voxel[:, None] + torch.cartesian_prod(*[torch.arange(-1, 2, device=voxel.device)] * 3)  # n 27 3
        index = self.tori.index(which, around)
        vote = around + self.offset[index]
        agrees = (vote - own[:, None]).norm(dim=-1) < agreement
        warmth = self.heat[index] * agrees
        position = (vote * warmth[..., None]).sum(1) / warmth.sum(1, keepdim=True)
        ideal = self.representation.heat((around - position[:, None]).square().sum(-1)) * agrees
        return position, (warmth.sum(1) / ideal.sum(1)).nan_to_num(0.0)

    def at(self, which: Int[Tensor, " sites"], position: Float[Tensor, "sites 3"]) -> Float[Tensor, "sites features"]:
        """Features at places, in voxels."""
        return interpolate(self.features, which, position, self.tori)

    def parted(self, found: Candidates, values: Shaped[Tensor, "n *rest"]) -> list[np.ndarray]:
        """Values of candidates, crystal by crystal."""
        cuts = torch.bincount(found.which, minlength=len(self.tori)).cumsum(0)[:-1].tolist()
        return np.split(values.cpu().numpy(), cuts)

    def explained(self, found: Candidates) -> Float[Tensor, " b"]:
        """1 − the largest difference between the decoded heat and that of the atoms found."""
        off = (self.heat - self.representation.heat_of(found.which, found.position, self.tori)).abs()
        crystal = torch.arange(len(self.tori), device=off.device).repeat_interleave(self.tori.sizes)
        return 1 - off.new_zeros(len(self.tori)).scatter_reduce(0, crystal, off, "amax")


def _apart(
    found: Candidates, lattice: Float[Tensor, "b 3 3"], tori: Tori, nearest: float, *, wraps: bool
) -> Candidates:
    """Keep the likeliest candidate, drop those nearer to it than `nearest` Å, and so on; equal ones keep the first."""
    order = found.likeness.argsort(descending=True, stable=True).cpu().numpy()
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    pairs = _close(found, lattice, tori, nearest, wraps=wraps)
    first = rank[pairs[:, 0]] < rank[pairs[:, 1]]
    better, worse = np.where(first[:, None], pairs, pairs[:, ::-1]).T
    kept, undecided = np.zeros(len(order), dtype=bool), np.ones(len(order), dtype=bool)
    while undecided.any():
        best = undecided.copy()
        best[worse[undecided[better]]] = False
        kept |= best
        undecided &= ~best
        undecided[worse[best[better]]] = False
    stays = torch.from_numpy(np.flatnonzero(kept)).to(found.which.device)
    return Candidates(found.which[stays], found.position[stays], found.support[stays])


def _close(
    found: Candidates, lattice: Float[Tensor, "b 3 3"], tori: Tori, nearest: float, *, wraps: bool
) -> Int[np.ndarray, "pairs 2"]:
    """Pairs of candidates of one crystal nearer than `nearest` Å, found in a tree: there may be tens of thousands.

    Parameters
    ----------
    found
        The candidates of all crystals.
    lattice
        Cell vectors of the torus, rows in Å.
    tori
        Where the voxels of the crystals stand.
    nearest
        Å.
    wraps
        Whether atoms at opposite ends are neighbours.
    """
    which = found.which.cpu().numpy()
    frac = wrapped(tori.fractions(found.which, found.position.double()).cpu().numpy())
    cells = lattice.double().cpu().numpy()
    reach = nearest * float(np.linalg.norm(np.linalg.inv(cells), axis=1).max())  # of a coordinate within `nearest`
    apart_by_crystal = np.column_stack([frac, which * (1 + 2 * reach)])
    tree = cKDTree(apart_by_crystal, boxsize=[1, 1, 1, 0] if wraps else None)
    pairs = tree.query_pairs(reach, p=np.inf, output_type="ndarray")
    apart = frac[pairs[:, 0]] - frac[pairs[:, 1]]
    if wraps:
        apart = minimum_image(apart)
    distance = np.linalg.norm(np.einsum("px,pxy->py", apart, cells[which[pairs[:, 0]]]), axis=-1)
    return pairs[distance < nearest]
