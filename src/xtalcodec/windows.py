"""What a window codec decodes, as it is read: atoms in Å from the window's corner, and densities."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from xtalcodec.fields.cube import Cube
from xtalcodec.latents import Latents
from xtalcodec.sites.found import WindowAtoms

if TYPE_CHECKING:
    from xtalcodec.codec import Codec


def window(codec: "Codec") -> Cube:
    """The codec's representation.

    Raises
    ------
    TypeError
        A codec whose representation is no window.
    """
    if not isinstance(codec.space, Cube):
        raise TypeError(f"the codec {codec.config.name!r} is of no window: its grid is the crystal's own cell")
    return codec.space


@torch.no_grad()
def decode_windows(codec: "Codec", latents: Latents) -> list[WindowAtoms]:
    """Atoms in the windows of latents.

    Raises
    ------
    LatentsError
        Latents of another codec or of another shape.
    TypeError
        A codec whose representation is no window.
    """
    space = window(codec)
    result: dict[int, WindowAtoms] = {}
    for indices, codes, z, lattice in codec.batches(latents):
        for k, sites in zip(indices, codec.coder.find(z, lattice, codes[0].patches), strict=True):
            result[k] = WindowAtoms(space.angstrom(sites.frac_coords), sites.numbers)
    return [result[k] for k in range(len(latents))]


@torch.no_grad()
def decode_densities(codec: "Codec", latents: Latents) -> list[Float[np.ndarray, "n n n"]] | None:
    """Densities of latents in e/Å³, as the network decodes them; None of a network that decodes atoms only."""
    window(codec)
    result: dict[int, Float[np.ndarray, "n n n"]] = {}
    for indices, _, z, _ in codec.batches(latents):
        decoded = codec.coder.density(z)
        if decoded is None:
            return None
        result |= dict(zip(indices, decoded.cpu().numpy(), strict=True))
    return [result[k] for k in range(len(latents))]
