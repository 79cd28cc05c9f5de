"""Windows as such, whatever crystal they are of: encoded from a density, decoded to atoms or densities."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from xtalcodec.atom_finders.density import CLOSED, OPEN, read_density
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.representations.portions import in_order
from xtalcodec.representations.window import Window
from xtalcodec.representations.window_field import View


def window_of(codec: Codec) -> Window:
    """Return the codec's representation, which must be a window.

    Raises
    ------
    TypeError
        A codec whose representation is no window.
    """
    if codec.window is None:
        raise TypeError(f"the codec {codec.config.name!r} is of no window: its grid is the crystal's own cell")
    return codec.window


@torch.no_grad()
def encode_densities(
    codec: Codec,
    densities: Sequence[Float[np.ndarray, "n n n"]],
    lattices: Sequence[Float[np.ndarray, "3 3"]] | None = None,
) -> Float[np.ndarray, "b patches latent"]:
    """Latents of densities alone, as the paper paints them: e/Å³ on the window's points.

    The paper's network and the linear code take them as they are. For ours, Gaussians of known width tell which atoms
    they are of: these are read by least squares (`atom_finders/density.py`) and painted as the codec does.

    Parameters
    ----------
    codec
        Of windows.
    densities
        One for each window.
    lattices
        Cell vectors of the crystals in the windows, rows in Å, for a codec that is told them (`hoffmann-repeating`).

    Raises
    ------
    TypeError
        A codec whose representation is no window, or one that is told the lattice, without lattices.
    ValueError
        A density that is not finite.
    """
    window = window_of(codec)
    if codec.encodes_density:
        given = [np.stack(some) for some in (densities, lattices) if some is not None]
        return codec.encode_density(*(torch.from_numpy(x).float().to(codec.device) for x in given)).mean.cpu().numpy()
    found = read_density(np.stack(densities), window.field, CLOSED if window.closed else OPEN)
    nowhere = (np.eye(3), np.zeros(3), np.eye(3))
    views = [View(a.positions, a.numbers, np.arange(len(a)), *nowhere) for a in found]
    patches = (window.config.patches,) * 3
    latents = [codec.encode_batch(window.batch([view], codec.device), patches).mean for view in views]
    return torch.cat(latents).cpu().numpy()


def decode_windows(codec: Codec, latents: LatentSet) -> list[FoundAtoms]:
    """Atoms in the windows of latents, in Å from the window's corner.

    Raises
    ------
    LatentsError
        Latents of another codec or of another shape.
    TypeError
        A codec whose representation is no window.
    """
    window = window_of(codec)
    return [replace(a, positions=window.angstrom(a.positions)) for a in codec.found_on_grid(latents)]


@torch.no_grad()
def decode_densities(codec: Codec, latents: LatentSet) -> list[Float[np.ndarray, "n n n"]]:
    """Densities of latents in e/Å³, as the network decodes them.

    Raises
    ------
    TypeError
        A codec that decodes atoms only, or whose representation is no window.
    """
    window_of(codec)
    batches = list(codec.batches(latents))
    densities = ([*codec.decode_density(torch.stack(z), lattice).cpu().numpy()] for _, _, z, lattice in batches)
    return in_order([indices for indices, *_ in batches], densities)
