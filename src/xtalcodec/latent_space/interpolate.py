"""What lies between two crystals: codes mixed step by step. Only the decoder says what crystal a code is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xtalcodec.codecs.latents import CrystalCode, LatentsError, LatentSet
from xtalcodec.codecs.together import encode_together
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.alignment import cell_between, orientation
from xtalcodec.geometry.common_cell import MOST_SITES
from xtalcodec.geometry.images import minimum_image
from xtalcodec.geometry.niggli import niggli
from xtalcodec.latent_space.ends import common_ends, even_shares
from xtalcodec.latent_space.paths import LatentPath, line

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec

NOISE = 0.3
"""Noise that a decoder is told of between the ends, in standard deviations of the latent, where it knows of noise."""


def interpolate(
    codec: "Codec",
    a: Crystal,
    b: Crystal,
    steps: int = 5,
    *,
    path: LatentPath = line,
    noise: float = NOISE,
    max_sites: int = MOST_SITES,
    refine: bool = True,
    progress: Callable[[int], None] | None = None,
) -> LatentSet:
    """Return codes evenly spaced from one crystal to another, both included.

    In a periodic codec (1) both are brought to a common cell whose atoms move least (`common_cell`); (2) both are
    encoded on the grid that the cell half-way takes, from one origin. In a codec of windows (1) b is turned so that its
    cell lies on a's as nearly as can be (`orientation`); (2) both are encoded; (3) of the equivalent cells of b the
    nearest to a's is taken. Then latents are mixed by `path`, cells by `cell_between`, origins by straight lines.

    Decode with `elements=elements_of(a, b)`, so that nothing is read that neither end has.

    Parameters
    ----------
    codec
        Of any kind.
    a, b
        Ends of the path.
    steps
        Codes on it, both ends included.
    path
        How latents are mixed, as `line` and `arc` do.
    noise
        What a decoder that knows of noise is told between the ends, at most its `most_noise`: a mixture is off from the
        latent of any crystal.
    max_sites
        Sites of a common cell, at most.
    refine
        Improve the latents of the ends where they do not decode to their crystals.
    progress
        Called with the number of crystals encoded since the last call.

    Raises
    ------
    CrystalError
        One that this codec cannot hold, or two without a common cell, by name.
    LatentsError
        Fewer than two steps; noise below 0.
    """
    on_way = even_shares(steps)
    if not noise >= 0:
        raise LatentsError(f"noise is 0 or more standard deviations, not {noise:g}")
    ends = _in_windows if codec.window is not None else _on_a_common_cell
    start, end, identity = ends(codec, a, b, max_sites, refine, progress)
    codes = mixed(start, end, on_way, path)
    told = min(noise, codec.most_noise)
    names = [f"{a.called}-{b.called}-{k + 1}" for k in range(steps)]
    between = [replace(code, noise=told) for code in codes[1:-1]]
    codes = [replace(codes[0], plain=start.plain), *between, replace(codes[-1], plain=end.plain)]
    return LatentSet(tuple(replace(c, name=n) for c, n in zip(codes, names, strict=True)), identity)


def elements_of(*crystals: Crystal) -> list[int]:
    """Atomic numbers of all elements that are in any of the crystals, ascending."""
    return sorted({z for crystal in crystals for z in crystal.elements})


def mixed(a: CrystalCode, b: CrystalCode, shares: Sequence[float], path: LatentPath = line) -> list[CrystalCode]:
    """Return codes on the way from a to b, in their reduced cells.

    Cells go as `cell_between` has it, origins by the shorter way around the cell.

    Parameters
    ----------
    a, b
        Codes on the same grid; the results take the name and patches of a.
    shares
        0 gives a, 1 gives b.
    path
        How latents are mixed.

    Raises
    ------
    LatentsError
        Codes on different grids, or a path that returns latents of another shape.
    """
    if a.patches != b.patches:
        grids = " and ".join(f"{c.name or 'a crystal'} on {'×'.join(map(str, c.patches))}" for c in (a, b))
        raise LatentsError(f"latents of different grids cannot be mixed: {grids} patches")
    latents = path(a, b, shares)
    if latents.shape != (len(shares), *a.z.shape):
        raise LatentsError(f"the path gave latents of shape {latents.shape} for {len(shares)} of {a.z.shape}")
    apart = minimum_image(b.origin - a.origin)
    return [
        CrystalCode(
            a.name,
            z.astype(np.float32),
            a.patches,
            cell_between(a.lattice, b.lattice, share),
            np.eye(3, dtype=np.int64),
            a.origin + share * apart,
            plain=True,
        )
        for z, share in zip(latents, shares, strict=True)
    ]


Progress = Callable[[int], None] | None


def _on_a_common_cell(
    codec: "Codec", a: Crystal, b: Crystal, max_sites: int, refine: bool, progress: Progress
) -> tuple[CrystalCode, CrystalCode, str]:
    """Codes of both ends on one grid of the common cell, from one origin, and whose they are."""
    cells = common_ends(codec, a, b, max_sites)
    try:
        patches = codec.representation.patches(cells.at(0.5))
    except CrystalError as error:
        raise CrystalError(f"half-way from {a.called} to {b.called}: {error}") from error
    start, end = latents = encode_together(codec, [cells.a, cells.b], patches, refine=refine, progress=progress)
    return start, end, latents.codec


def _in_windows(
    codec: "Codec",
    a: Crystal,
    b: Crystal,
    max_sites: int,  # noqa: ARG001 - a window shows whatever cell
    refine: bool,
    progress: Progress,
) -> tuple[CrystalCode, CrystalCode, str]:
    """Codes of both ends in their windows, the second turned and on the equivalent cell nearest to the first's."""
    _, rotation = orientation(niggli(a)[0].lattice, niggli(b)[0].lattice)
    latents = codec.encode([a, replace(b, lattice=b.lattice @ rotation)], refine=refine, progress=progress)
    start, end = latents
    basis, _ = orientation(start.lattice, end.lattice)
    back = np.round(np.linalg.inv(basis))
    turned = replace(
        end, lattice=basis @ end.lattice, origin=end.origin @ back, basis=(end.basis @ back).astype(np.int64)
    )
    return start, turned, latents.codec
