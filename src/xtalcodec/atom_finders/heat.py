"""Decoded field → atoms: where they are, what they are, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.atom_finders.heat_field import Candidates, HeatField, HeatFinderConfig
from xtalcodec.atom_finders.planned import Holding, assigned
from xtalcodec.crystal import HEAVIEST, VACANCY
from xtalcodec.networks.decoded_field import FULL, SpeciesLogits
from xtalcodec.networks.patch import PatchNetwork

LEAST_SHARE = 0.03
"""Of a shared site: smaller shares are none. A share is what an element has on average, so one that is only possible
has a small one. With 0.01 a quarter of 100 disordered crystals came back with their elements and no others, with 0.03
half."""
LEFT_OUT = 0.15
"""Where such shares add up to this, nothing is sure: occupancies may then be off by as much."""
FAINT = 0.2
"""Least heat of a voxel that holds an atom where it is known how many there are."""


def find_by_heat(
    field: HeatField,
    network: PatchNetwork,
    lattice: Float[Tensor, "b 3 3"],
    allowed: Bool[Tensor, "b z"],
    config: HeatFinderConfig,
    *,
    holding: Sequence[Holding] | None = None,
) -> list[FoundAtoms]:
    """Read the atoms of crystals of any grids.

    (1) The field proposes candidates; (2) the species is read from the features at each; (3) the atoms' heat is
    compared with the decoded heat.

    Parameters
    ----------
    field
        What was decoded of the crystals.
    network
        Reads the species from the features.
    lattice
        Cell vectors of the tori, rows in Å.
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
    found = field.candidates(lattice, config)
    logits = network.species(field.at(found.which, found.position))
    if holding is None:
        species = read_species(logits, allowed[found.which])
    else:
        found, species = _planned(found, logits, allowed, holding)
    frac = field.tori.fractions(found.which, found.position).remainder(1)
    sure = species.confidence * found.likeness
    parts = [field.parted(found, x) for x in (frac.double(), species.numbers, sure.double())]
    explained = field.explained(found).tolist()
    if species.shares is None:
        return [FoundAtoms(*rest) for rest in zip(*parts, explained, strict=True)]
    shares = field.parted(found, species.shares.double())
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


def among(logits: SpeciesLogits, allowed: Bool[Tensor, "n z"]) -> Float[Tensor, "n z"]:
    """Logits of the elements that sites may hold, by Z, and in column 0 of what is empty, which may always be."""
    element = logits.element.masked_fill(~allowed, -torch.inf)
    element[:, VACANCY] = logits.element[:, VACANCY]
    return element


def read_species(logits: SpeciesLogits, allowed: Bool[Tensor, "n z"]) -> Species:
    """Choose the element of each site, or, of a site that is likely shared, the elements and their occupancies.

    Parameters
    ----------
    logits
        What the network says of the sites.
    allowed
        Which elements each site may hold, by Z; column 0 says nothing.
    """
    element = among(logits, allowed)
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
