"""From one crystal to another by moving atoms: every step is a crystal that is encoded, no latents are mixed."""

from collections.abc import Callable
from dataclasses import replace

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import LatentsError, LatentSet
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.common_cell import MOST_SITES
from xtalcodec.geometry.on_the_way import on_the_way
from xtalcodec.latent_space.ends import common_ends, even_shares


def move(
    codec: Codec,
    a: Crystal,
    b: Crystal,
    steps: int = 5,
    *,
    max_sites: int = MOST_SITES,
    refine: bool = True,
    progress: Callable[[int], None] | None = None,
) -> LatentSet:
    """Return codes of crystals on the way from one to another, both included.

    Both are brought to a common cell whose atoms move least (`common_cell`); cells strain evenly, atoms go from site to
    site and make room for each other (`on_the_way`), elements change half-way. A latent half-way between those of two
    crystals holds the atoms of both, where atoms move by more than half a patch; the latent of a crystal half-way does
    not. Each step is encoded on its own grid.

    Parameters
    ----------
    codec
        A periodic one.
    a, b
        Ends of the path.
    steps
        Codes on it, both ends included.
    max_sites
        Sites of a common cell, at most.
    refine
        Improve latents that do not decode to their crystal.
    progress
        Called with the number of crystals encoded since the last call.

    Raises
    ------
    CrystalError
        One that this codec cannot hold, or two without a common cell, by name.
    LatentsError
        Fewer than two steps; a codec of windows.
    """
    on_way = even_shares(steps)
    if codec.window is not None:
        raise LatentsError(
            f"the codec {codec.config.name!r} is one of windows, which have no cell in which atoms could move: its "
            "latents are mixed on the line or along the arc"
        )
    cells = common_ends(codec, a, b, max_sites)
    called = "-".join(end.called for end in (a, b))
    made = on_the_way(cells, on_way)
    named = [replace(crystal, name=f"{called}-{k + 1}") for k, crystal in enumerate(made)]
    return codec.encode(named, refine=refine, progress=progress)
