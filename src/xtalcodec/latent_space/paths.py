"""Ways from one latent to another. A path is a function of two codes of one grid and of the shares of the way.

Whatever has that signature is one: a prior may carry both ends to noise, mix them there and carry them back. The codes
tell it cells and grid; it returns latents alone.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from xtalcodec.codecs.latents import CrystalCode

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec

LatentPath = Callable[[CrystalCode, CrystalCode, Sequence[float]], Float[np.ndarray, "steps patches latent"]]
"""Two codes on one grid, and shares of the way from 0 (the first) to 1 → latents, one for each share."""

PARALLEL = 1e-6
"""Sine of the angle between two latents below which the arc between them is a line."""


def line(a: CrystalCode, b: CrystalCode, shares: Sequence[float]) -> Float[np.ndarray, "steps patches latent"]:
    """Straight from latent to latent: (1 − t) a + t b.

    Parameters
    ----------
    a, b
        Codes on one grid.
    shares
        Of the way, 0 (a) to 1 (b).
    """
    t = np.asarray(shares)[:, None, None]
    straight: Float[np.ndarray, "steps patches latent"] = (1 - t) * a.z + t * b.z
    return straight


def arc(a: CrystalCode, b: CrystalCode, shares: Sequence[float]) -> Float[np.ndarray, "steps patches latent"]:
    """Along the arc between latents as two long vectors: sin((1 − t)ω)/sin ω a + sin(tω)/sin ω b.

    Shoemake 1985; White, arXiv:1609.04468. Of parallel latents it is the line.

    Parameters
    ----------
    a, b
        Codes on one grid.
    shares
        Of the way, 0 (a) to 1 (b).
    """
    norms = float(np.linalg.norm(a.z) * np.linalg.norm(b.z))
    angle = np.arccos(np.clip(float((a.z * b.z).sum()) / norms, -1, 1)) if norms else 0.0
    if np.sin(angle) < PARALLEL:
        return line(a, b, shares)
    t = np.asarray(shares)[:, None, None]
    curved: Float[np.ndarray, "steps patches latent"] = np.sin((1 - t) * angle) * a.z + np.sin(t * angle) * b.z
    return curved / np.sin(angle)


PATHS: dict[str, LatentPath] = {"line": line, "arc": arc}
"""Those that need no prior, by name."""


def usual_way(codec: "Codec") -> str:
    """How one goes from a crystal to another, if nothing else is asked: "atoms" move, or windows go by the line."""
    return "atoms" if codec.window is None else "line"
