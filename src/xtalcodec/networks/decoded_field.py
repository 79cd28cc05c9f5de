"""What the `patch` network says of voxels and sites, and how wrong that is."""

from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from xtalcodec.representations.base import Targets

FULL = 0.98
"""A site of which an element has more is that element's."""
RIGHT = 0.05
"""Largest error of an occupancy that counts as right."""


@dataclass(frozen=True, slots=True)
class DecodedField:
    """Output of the decoder at each voxel, voxels in C order of the grid."""

    heat: Float[Tensor, "b voxels"]
    """Logits of the heat that marks atoms."""
    offset: Float[Tensor, "b voxels 3"]
    """From the voxel to its nearest atom, in voxels."""
    features: Float[Tensor, "b voxels features"]
    """What `PatchNetwork.species` reads an atom's species from."""


@dataclass(frozen=True, slots=True)
class SpeciesLogits:
    """Output of the decoder at sites."""

    element: Float[Tensor, "*sites z"]
    """Of each element by its Z; column 0 is what is empty."""
    shared: Float[Tensor, "*sites"] | None = None
    """That the site is shared or partly empty; None from a network that does not know of such sites."""
    sure: Float[Tensor, "*sites"] | None = None
    """That the occupancies are right within `RIGHT`."""


def errors(
    decoded: DecodedField, targets: Targets, species: SpeciesLogits, shares: Float[Tensor, "sites z"]
) -> dict[str, Tensor]:
    """Named errors, weighted: of heat by voxel, of offsets by voxel near an atom, all others by site.

    Heat is a cross-entropy, weighted towards the few voxels that are warm; species count once an atom, by
    cross-entropy with its occupancies. The sum of their means is what training lowers.

    Parameters
    ----------
    decoded
        What the decoder says of each voxel.
    targets
        What it should say.
    species
        What it says of the sites.
    shares
        Occupancies of the sites by Z; in column 0 what is empty.
    """
    entropy = partial(F.binary_cross_entropy_with_logits, reduction="none")
    heat = entropy(decoded.heat, targets.heat, weight=1 + 20 * targets.heat)
    near = decoded.offset.flatten(0, 1)[targets.near]
    offset = F.smooth_l1_loss(near, targets.offset, beta=0.02, reduction="none").mean(-1)
    element = F.cross_entropy(species.element, shares, reduction="none")
    errors = {"heat": 10 * heat, "offset": 2 * offset, "species": element}
    if species.shared is not None and species.sure is not None:
        right = (species.element.detach().softmax(-1) - shares).abs().amax(-1) <= RIGHT
        errors["shared"] = entropy(species.shared, (shares.amax(-1) < FULL).float())
        errors["sure"] = 0.1 * entropy(species.sure, right.float())
    return errors
