"""Decoded field → atoms: where they are, what they are, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.planned import Holding, assigned
from xtalcodec.config import NotNegative, Positive, Share, settings
from xtalcodec.crystal import HEAVIEST, VACANCY
from xtalcodec.geometry.images import minimum_image, wrapped
from xtalcodec.networks.decoded_field import FULL, DecodedField, SpeciesLogits
from xtalcodec.networks.patch import PatchNetwork
from xtalcodec.representations.base import Representation
from xtalcodec.representations.tori import Tori

LEAST_SHARE = 0.03
"""Of a shared site: smaller shares are none. A share is what an element has on average, so one that is only possible
has a small one. With 0.01 a quarter of 100 disordered crystals came back with their elements and no others, with 0.03
half."""
LEFT_OUT = 0.15
"""Where such shares add up to this, nothing is sure: occupancies may then be off by as much."""
FAINT = 0.2
"""Least heat of a voxel that holds an atom where it is known how many there are."""


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


def find_by_heat(
    decoded: Sequence[DecodedField],
    network: PatchNetwork,
    representation: Representation,
    lattice: Float[Tensor, "b 3 3"],
    tori: Tori,
    allowed: Bool[Tensor, "b z"],
    config: HeatFinderConfig,
    *,
    holding: Sequence[Holding] | None = None,
) -> list[FoundAtoms]:
    """Read the atoms of crystals of any grids.

    (1) A voxel that is warm and says that its atom lies within it proposes a candidate, at the mean
    of the votes around, where the representation can have one; (2) of candidates too near to each
    other the likeliest stays; (3) the species is read from the features at the position;
    (4) the atoms' heat is compared with the decoded heat.

    Parameters
    ----------
    decoded
        Heat, offsets and species features of every voxel, of batches whose crystals follow each other.
    network
        Reads the species from the features.
    representation
        Gives the heat of atoms and where an atom may lie.
    lattice
        Cell vectors of the tori, rows in Å.
    tori
        Where the voxels of the crystals stand.
    allowed
        Which elements each crystal may hold, by Z.
    config
        How atoms are read off the field.
    holding
        Atoms that each crystal holds, where that is known: fainter candidates are looked at then, and each of the
        atoms gets one.
    """
    if holding is not None:
        config = replace(config, threshold=FAINT)
    heat = torch.cat([own.heat.flatten() for own in decoded]).sigmoid()
    offset, features = (torch.cat([getattr(own, of).flatten(0, 1) for own in decoded]) for of in ("offset", "features"))
    found = _apart(_candidates(heat, offset, representation, tori, config), representation, lattice, tori, config)
    logits = network.species(interpolate(features, found.which, found.position, tori))
    if holding is None:
        species = read_species(logits, allowed[found.which])
    else:
        found, species = _planned(found, logits, allowed, holding)
    frac = tori.fractions(found.which, found.position).remainder(1)
    cuts = torch.bincount(found.which, minlength=len(tori)).cumsum(0)[:-1].tolist()
    sure = species.confidence * found.likeness
    parts = [np.split(x.cpu().numpy(), cuts) for x in (frac.double(), species.numbers, sure.double())]
    explained = _explained(heat, found, representation, tori).tolist()
    if species.shares is None:
        return [FoundAtoms(*rest) for rest in zip(*parts, explained, strict=True)]
    shares = np.split(species.shares.double().cpu().numpy(), cuts)
    return [
        FoundAtoms(where, what, certain, share, occupancies=_or_none(own))
        for where, what, certain, share, own in zip(*parts, explained, shares, strict=True)
    ]


def _or_none(shares: Float[np.ndarray, "atoms 119"]) -> Float[np.ndarray, "atoms 119"] | None:
    """Occupancies, or None where every atom has its site to itself."""
    return shares if len(shares) and shares.max(1).min() < 1 else None


@dataclass(frozen=True, slots=True)
class Species:
    """What is on sites."""

    numbers: Int[Tensor, " n"]
    """Z of the element with the largest share."""
    confidence: Float[Tensor, " n"]
    """0 to 1: how likely this is right."""
    shares: Float[Tensor, "n 119"] | None = None
    """Occupancies by Z, in column 0 what is empty; None from a network that knows no shared sites."""


def read_species(logits: SpeciesLogits, allowed: Bool[Tensor, "n z"]) -> Species:
    """Choose the element of each site, or, of a site that is likely shared, the elements and their occupancies.

    Parameters
    ----------
    logits
        What the network says of the sites.
    allowed
        Which elements each site may hold, by Z; column 0 says nothing.
    """
    element = logits.element.masked_fill(~allowed, -torch.inf)
    element[:, VACANCY] = logits.element[:, VACANCY]
    probability, best = element[:, 1:].softmax(-1).max(-1)
    if logits.shared is None or logits.sure is None:
        return Species(best + 1, probability)
    share = element.softmax(-1)
    share = torch.where(share < LEAST_SHARE, 0.0, share)
    kept = share.sum(-1)
    share = share / kept[:, None]
    shared = logits.shared.sigmoid()
    is_shared = (shared > 0.5) & (share.amax(-1) <= FULL) & (share[:, 1:].amax(-1) > 0)
    alone = F.one_hot(best + 1, share.shape[1]).to(share)
    share = torch.where(is_shared[:, None], share, alone).double()
    table = F.pad(share / share.sum(-1, keepdim=True), (0, HEAVIEST + 1 - share.shape[1]))
    sure = logits.sure.sigmoid().sqrt() * (1 - (1 - kept) / LEFT_OUT).clamp_min(0)
    confidence = torch.where(is_shared, shared * sure, (1 - shared) * probability)
    return Species(table[:, 1:].argmax(-1) + 1, confidence, table)


def _planned(
    found: Candidates, logits: SpeciesLogits, allowed: Bool[Tensor, "b z"], holding: Sequence[Holding]
) -> tuple[Candidates, Species]:
    """Candidates that the atoms of each crystal get, and which atom each is.

    Parameters
    ----------
    found, logits
        Candidates, and what the network says of them.
    allowed
        Which elements each crystal may hold: those that it holds.
    holding
        Atoms of each crystal.
    """
    which, device = found.which.cpu().numpy(), found.which.device
    likely = logits.element.double().softmax(-1).cpu().numpy()
    row, z = (torch.from_numpy(x).to(device) for x in assigned(which, found.likeness.cpu().numpy(), likely, holding))
    kept = Candidates(found.which[row], found.position[row], found.support[row])
    among = logits.element[row].masked_fill(~allowed[kept.which], -torch.inf).softmax(-1)
    return kept, Species(z, among.gather(1, z[:, None])[:, 0])


def _candidates(
    heat: Float[Tensor, " voxels"],
    offset: Float[Tensor, "voxels 3"],
    representation: Representation,
    tori: Tori,
    config: HeatFinderConfig,
) -> Candidates:
    """Voxels that own an atom, at the heat-weighted mean of the votes around them."""
    (flat,) = ((heat > config.threshold) & (offset.abs().amax(-1) <= 0.5 + config.margin)).nonzero(as_tuple=True)
    which, voxel = tori.voxel(flat)
    around = voxel[:, None] + torch.cartesian_prod(*[torch.arange(-1, 2, device=heat.device)] * 3)  # c 27 3
    index = tori.index(which, around)
    vote = around + offset[index]
    own = (voxel + offset[flat])[:, None]
    agrees = (vote - own).norm(dim=-1) < config.agreement
    warmth = heat[index] * agrees
    position = (vote * warmth[..., None]).sum(1) / warmth.sum(1, keepdim=True)
    ideal = representation.heat((around - position[:, None]).square().sum(-1)) * agrees
    support = warmth.sum(1) / ideal.sum(1)
    shown = representation.shows(tori.fractions(which, position))
    return Candidates(which[shown], position[shown], support[shown])


def _apart(
    found: Candidates,
    representation: Representation,
    lattice: Float[Tensor, "b 3 3"],
    tori: Tori,
    config: HeatFinderConfig,
) -> Candidates:
    """Keep the likeliest candidate, drop those too near to it, and so on; equal ones keep the first."""
    order = found.likeness.argsort(descending=True, stable=True).cpu().numpy()
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    pairs = _close(found, lattice, tori, config.nearest, wraps=representation.wraps)
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


def _explained(
    heat: Float[Tensor, " voxels"], found: Candidates, representation: Representation, tori: Tori
) -> Float[Tensor, " b"]:
    """1 − the largest difference between the decoded heat and that of the atoms found."""
    off = (heat - representation.heat_of(found.which, found.position, tori)).abs()
    crystal = torch.arange(len(tori), device=heat.device).repeat_interleave(tori.sizes)
    return 1 - heat.new_zeros(len(tori)).scatter_reduce(0, crystal, off, "amax")
