"""Windows as such, whatever crystal they are of: encoded from a density, decoded to atoms or densities."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from xtalcodec.atom_finders.density import CLOSED, OPEN, read_density
from xtalcodec.atom_finders.found import WindowAtoms
from xtalcodec.codecs.latents import Latents
from xtalcodec.representations.density import View
from xtalcodec.representations.window import Cube, RepeatingCube

if TYPE_CHECKING:
    from xtalcodec.codecs.codec import Codec


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
def encode_densities(
    codec: "Codec", densities: Sequence[Float[np.ndarray, "n n n"]]
) -> Float[np.ndarray, "b patches latent"]:
    """Latents of densities alone, as the paper paints them: e/Å³ on the window's points.

    The paper's network and the linear code take them as they are. For ours, Gaussians of known width tell which atoms
    they are of: these are read by least squares (`sites/density.py`) and painted as the codec does.

    Raises
    ------
    TypeError
        A codec whose representation is no window.
    ValueError
        A density that is not finite.
    """
    space = window(codec)
    compressed = codec.coder.compress(torch.from_numpy(np.stack(densities)).float().to(codec.device))
    if compressed is not None:
        return compressed.mean.cpu().numpy()
    how = OPEN if isinstance(space, RepeatingCube) else CLOSED
    found = read_density(np.stack(densities), space.window, how)
    nowhere = (np.eye(3), np.zeros(3), np.eye(3))
    views = [View(a.positions, a.numbers, np.arange(len(a)), *nowhere) for a in found]
    patches = (space.config.patches,) * 3
    parts = [codec.coder.encode(space.batch([view], codec.device), patches).mean for view in views]
    return torch.cat(parts).cpu().numpy()


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
