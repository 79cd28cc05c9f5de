"""What codes decode to, as pictures of a cube."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from xtalcodec.codecs.latents import LatentSet
from xtalcodec.codecs.windows import decode_densities, decode_windows
from xtalcodec.crystal import HEAVIEST, Crystal
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.window_field import View, WindowConfig, paint
from xtalcodec.viz.figures.frames import Frame

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.codecs.decoding import DecodedCrystal


def frames(
    codec: "Codec", latents: LatentSet, decoded: Sequence["DecodedCrystal | None"], titles: Sequence[str]
) -> list[Frame]:
    """Return what codes decode to as pictures of a cube.

    Of a codec of windows it is the window as it is read, its density the network's own, or that of the atoms
    found in it. Of a periodic codec it is a window of 10 Å on the decoded crystal, from its origin.

    Parameters
    ----------
    codec
        That decoded the codes.
    latents, decoded
        Codes, and the crystals that they decode to; None where there was no atom.
    titles
        Of the pictures.
    """
    window = codec.window
    if window is None:
        return [_look(d.crystal if d else None, title) for d, title in zip(decoded, titles, strict=True)]
    found = decode_windows(codec, latents)
    if codec.decodes_density:
        fields = decode_densities(codec, latents)
    else:
        fields = [window.density_of(a.positions, a.numbers) for a in found]
    return [
        Frame(field, atoms.positions, atoms.numbers, window.field.edge, title)
        for field, atoms, title in zip(fields, found, titles, strict=True)
    ]


def _look(crystal: Crystal | None, title: str) -> Frame:
    """Window on a crystal; an empty one where there is none."""
    window = RepeatingConfig().open()
    edge = window.field.edge
    if crystal is None:
        nothing = np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
        return Frame(window.density_of(*nothing), *nothing, edge, title)
    view = window.shown(crystal, window.field.reach)
    inside = view.inside(edge)
    atoms = view.positions[inside], view.numbers[inside]
    if crystal.occupancies is None:
        return Frame(window.true_density(crystal), *atoms, edge, title)
    return Frame(
        _mean_density(crystal, view, window.field), *atoms, edge, title, crystal.occupancies[view.site[inside]]
    )


def _mean_density(crystal: Crystal, view: View, field: WindowConfig) -> Float[np.ndarray, "n n n"]:
    """Density in e/Å³ of a crystal whose sites are shared: each weighs Σ occupancy · Z."""
    import torch

    weights = (crystal.shares() @ np.arange(HEAVIEST + 1))[view.site]
    positions = torch.from_numpy(view.positions).float()
    return paint(positions[None], torch.from_numpy(weights).float()[None, :, None], field)[0, ..., 0].numpy()
