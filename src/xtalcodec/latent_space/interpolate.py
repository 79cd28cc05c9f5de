"""What lies between two crystals: codes mixed step by step. Only the decoder says what crystal a code is."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.codecs.latents import CrystalCode, LatentsError, LatentSet
from xtalcodec.crystal import Crystal, minimum_image
from xtalcodec.geometry.alignment import orientation, unimodular
from xtalcodec.geometry.niggli import niggli

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec

PARALLEL = 1e-6
"""Sine of the angle between two latents below which the arc between them is a line."""


def interpolate(
    codec: "Codec",
    a: Crystal,
    b: Crystal,
    steps: int = 5,
    *,
    spherical: bool = False,
    refine: bool = True,
    progress: Callable[[int], None] | None = None,
) -> LatentSet:
    """Return codes evenly spaced from one crystal to another, both included, on their reduced cells.

    (1) In a codec of windows b is turned so that its cell lies on a's as nearly as can be (`orientation`);
    (2) both are encoded; (3) of the equivalent cells of b the nearest to a's is taken; (4) latents, cell
    vectors and origins are mixed (`between`).

    Parameters
    ----------
    codec
        Of windows for any two crystals; a periodic one for crystals of one grid.
    a, b
        Ends of the path.
    steps
        Codes on it, both ends included.
    spherical
        Along the arc between the latents instead of the line.
    refine
        Improve the latents of the ends where they do not decode to their crystals.
    progress
        Called with the number of crystals encoded since the last call.

    Raises
    ------
    CrystalError
        One that this codec cannot hold, by name.
    LatentsError
        Crystals on different grids, which only codecs of windows can mix; fewer than two steps.
    """
    if steps < 2:
        raise LatentsError(f"a path has at least two steps, its ends, not {steps}")
    window = codec.window is not None
    if window:
        _, rotation = orientation(niggli(a)[0].lattice, niggli(b)[0].lattice)
        b = replace(b, lattice=b.lattice @ rotation)
    latents = codec.encode([a, b], refine=refine, progress=progress)
    start, end = latents[0], latents[1]
    if start.patches != end.patches:
        grids = " and ".join(f"{c.name or 'a crystal'} on {'×'.join(map(str, c.patches))}" for c in latents)
        raise LatentsError(
            f"latents of different grids cannot be mixed: {grids} patches, for the grid of the codec "
            f"{codec.config.name!r} follows the cell. Codecs of windows have one grid for all: {_windows()}."
        )
    # A periodic grid belongs to its cell, which may be turned but not replaced by an equivalent one.
    choices = unimodular() if window else np.eye(3, dtype=np.int64)[None]
    basis, rotation = orientation(start.lattice, end.lattice, choices)
    end = _rebased(end, basis, np.eye(3) if window else rotation)
    codes = [between(start, end, k / (steps - 1), spherical=spherical) for k in range(steps)]
    names = [f"{a.name or a.formula}-{b.name or b.formula}-{k + 1}" for k in range(steps)]
    return LatentSet(tuple(replace(c, name=n) for c, n in zip(codes, names, strict=True)), latents.codec)


def between(a: CrystalCode, b: CrystalCode, share: float, *, spherical: bool = False) -> CrystalCode:
    """Return the code at `share` (0 to 1) of the way from a to b, in its reduced cell.

    Cell vectors are mixed linearly, origins too, the shorter way around the cell. Cells that `orientation` has
    brought together stay right-handed all along: Lₐᵀ Lᵦ is then symmetric and positive, and so is LₐᵀL(share).

    Parameters
    ----------
    a, b
        Codes on the same grid; the result takes the name and patches of a.
    share
        0 gives a, 1 gives b.
    spherical
        Latents go along the arc between them (Shoemake 1985; White 2016), not along the line.
    """
    z = _arc(a.z, b.z, share) if spherical else (1 - share) * a.z + share * b.z
    apart = b.origin - a.origin
    return CrystalCode(
        a.name,
        z.astype(np.float32),
        a.patches,
        (1 - share) * a.lattice + share * b.lattice,
        np.eye(3, dtype=np.int64),
        a.origin + share * minimum_image(apart),
    )


def _arc(
    a: Float[np.ndarray, "patches latent"], b: Float[np.ndarray, "patches latent"], share: float
) -> Float[np.ndarray, "patches latent"]:
    """Latents as two long vectors: sin((1−t)ω)/sin ω a + sin(tω)/sin ω b."""
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    angle = np.arccos(np.clip(float((a * b).sum()) / norms, -1, 1)) if norms else 0.0
    if np.sin(angle) < PARALLEL:
        return (1 - share) * a + share * b
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


def _rebased(code: CrystalCode, basis: Int[np.ndarray, "3 3"], rotation: Float[np.ndarray, "3 3"]) -> CrystalCode:
    """The same code with its crystal on an equivalent, turned cell."""
    back = np.round(np.linalg.inv(basis))
    return replace(
        code,
        lattice=basis @ code.lattice @ rotation,
        origin=code.origin @ back,
        basis=(code.basis @ back).astype(np.int64),
    )


def _windows() -> str:
    """What codecs of windows there are."""
    from xtalcodec.codecs.hub import pretrained
    from xtalcodec.codecs.registry import pretrained_config

    found = [name for name in pretrained() if pretrained_config(name).representation.is_window]
    return ", ".join([*found, "any that was trained on unit_cell or repeating"])
