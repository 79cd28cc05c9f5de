"""What codes decode to, as pictures of a cube."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int

from xtalcodec.codecs.latents import Latents
from xtalcodec.codecs.windows import decode_densities, decode_windows
from xtalcodec.crystal import Crystal
from xtalcodec.representations.density import WindowConfig, paint
from xtalcodec.representations.repeating import seen
from xtalcodec.representations.window import Cube
from xtalcodec.viz.figures.frames import Frame

if TYPE_CHECKING:
    from xtalcodec.codecs.codec import Codec, Decoded


def frames(codec: "Codec", latents: Latents, decoded: Sequence["Decoded | None"], titles: Sequence[str]) -> list[Frame]:
    """Return what codes decode to as pictures of a cube.

    Of a codec of windows it is the window as it is read, its density the network's own, or that of the atoms
    found in it. Of a periodic codec it is a window of 10 Å on the decoded crystal, from its origin.
    """
    if not isinstance(codec.space, Cube):
        return [_look(d.crystal if d else None, title) for d, title in zip(decoded, titles, strict=True)]
    config = codec.space.window
    found = decode_windows(codec, latents)
    fields = decode_densities(codec, latents) or [_painted(a.positions, a.numbers, config) for a in found]
    return [
        Frame(field, atoms.positions, atoms.numbers, config.edge, title)
        for field, atoms, title in zip(fields, found, titles, strict=True)
    ]


def _look(crystal: Crystal | None, title: str) -> Frame:
    """Window on a crystal; an empty one where there is none."""
    config = WindowConfig()
    if crystal is None:
        positions, numbers = np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
        return Frame(_painted(positions, numbers, config), positions, numbers, config.edge, title)
    view = seen(crystal, crystal.lattice, np.zeros(3), np.eye(3), config)
    inside = view.inside(config.edge)
    field = _painted(view.positions, view.numbers, config)
    return Frame(field, view.positions[inside], view.numbers[inside], config.edge, title)


@torch.no_grad()
def _painted(
    positions: Float[np.ndarray, "atoms 3"], numbers: Int[np.ndarray, " atoms"], config: WindowConfig
) -> Float[np.ndarray, "n n n"]:
    """The paper's density of atoms."""
    if not len(numbers):
        return np.zeros((config.points,) * 3, dtype=np.float32)
    where, weights = torch.from_numpy(positions).float(), torch.from_numpy(numbers).float()
    return paint(where[None], weights[None, :, None], config)[0, ..., 0].numpy()
