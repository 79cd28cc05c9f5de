"""The paper's prior: codes of crystals are normally distributed (Hoffmann et al. 2019, arXiv 1909.00949).

The paper samples N(0, 1), to which its loss pulls the latents. Codes of a network that is pulled less are
normal with a mean and a covariance of their own, which are fitted here.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import CrystalCode, LatentsError, LatentSet
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.cell_numbers import LATTICE, lattice_numbers, lattice_of
from xtalcodec.io.atomic import atomic_folder
from xtalcodec.priors.about import ABOUT, PriorError, read_about
from xtalcodec.priors.base import Prior

FORMAT = "xtalcodec-gaussian-prior-1"
NUMBERS = "prior.safetensors"
"""File of a prior's folder that holds its arrays."""

ARRAYS = ("mean", "scale", "axes", "spread", "remainder")


@dataclass(frozen=True, slots=True)
class About:
    """Codec, sizes and number of the codes that a prior was fitted to."""

    codec: str
    """Identity of the codec: only it can decode samples."""
    patches: tuple[int, int, int]
    latent: int
    """Latent numbers per patch."""
    crystals: int
    """Number of crystals fitted."""
    variance: float
    """Share of the variance along the principal axes."""
    format: str = FORMAT


@dataclass(frozen=True, slots=True, eq=False)
class GaussianPrior(Prior):
    """A normal distribution of whole codes, latent and cell together.

    Principal components of the standardised numbers keep the covariance along the axes of most variance; what
    they leave of a number's variance is its own, independent noise (factor analysis; Tipping & Bishop 1999, sec. 2).
    So every number has the variance measured, and there is a density also where crystals are fewer than numbers.
    """

    format: ClassVar[str] = FORMAT
    about: About
    mean: Float[np.ndarray, " numbers"]
    scale: Float[np.ndarray, " numbers"]
    """Standard deviation of each number."""
    axes: Float[np.ndarray, "rank numbers"]
    """Orthonormal, of the standardised numbers."""
    spread: Float[np.ndarray, " rank"]
    """Standard deviation along each axis."""
    remainder: Float[np.ndarray, " numbers"]
    """Standard deviation of each number that the axes leave."""

    @property
    def codec(self) -> str:
        """Identity of the codec."""
        return self.about.codec

    @property
    def crystals(self) -> int:
        """How many crystals it was fitted to."""
        return self.about.crystals

    @property
    def description(self) -> str:
        """How many codes, numbers and principal axes."""
        numbers, axes = len(self.mean), len(self.spread)
        return f"normal distribution of {self.crystals} codes of {numbers} numbers: {axes} principal axes"

    @classmethod
    def fit(  # type: ignore[override] # its one setting
        cls, codec: Codec, crystals: Sequence[Crystal], variance: float = 0.95
    ) -> "GaussianPrior":
        """Encode crystals of one grid and fit their codes, see `of`."""
        return cls.of(codec.encode(list(crystals), refine=False), variance)

    @classmethod
    def of(cls, latents: LatentSet, variance: float = 0.95) -> "GaussianPrior":
        """Fit codes of one grid. A window's cells should be encoded in one orientation, or it is scattered too.

        Parameters
        ----------
        variance
            Share of the variance that the principal axes hold.

        Raises
        ------
        LatentsError
            Fewer than three codes, or codes of several grids.
        """
        if not 0 < variance <= 1:
            raise LatentsError(f"the share of the variance is between 0 and 1, not {variance:g}")
        if len(latents) < 3:
            raise LatentsError(f"a normal distribution takes at least three crystals to fit, not {len(latents)}")
        shapes = grids(latents)
        if len(shapes) > 1:
            listed = ", ".join(f"{n} on {'×'.join(map(str, shape))}" for shape, n in list(shapes.items())[:6])
            raise LatentsError(f"a prior is of one grid, and these codes are of {len(shapes)}: {listed} patches")
        x = np.stack([np.concatenate([c.z.ravel().astype(np.float64), lattice_numbers(c.lattice)]) for c in latents])
        mean, scale = x.mean(0), x.std(0, ddof=1)
        scale = np.where(scale > 1e-9 * (1 + abs(mean)), scale, 0)  # what never changes is not sampled
        standard = (x - mean) / np.where(scale > 0, scale, 1)
        _, s, axes = np.linalg.svd(standard, full_matrices=False)
        values = s**2 / (len(x) - 1)
        rank = int(np.searchsorted(values.cumsum(), variance * values.sum() * (1 - 1e-12))) + 1
        axes, spread = axes[:rank], np.sqrt(values[:rank])
        left = (scale > 0) - ((spread[:, None] * axes) ** 2).sum(0)
        about = About(latents.codec, latents[0].patches, latents[0].z.shape[1], len(latents), variance)
        return cls(about, mean, scale, axes, spread, np.sqrt(left.clip(0)))

    def sample(self, n: int, seed: int = 0, temperature: float = 1.0) -> LatentSet:
        """Draw codes; the first ones stay the same when more are drawn.

        Parameters
        ----------
        n
            How many codes.
        seed
            Another gives other samples.
        temperature
            Factor on every standard deviation; 0 gives the mean.
        """
        if n < 1 or not 0 <= temperature < inf:
            raise LatentsError(f"cannot draw {n} samples at the temperature {temperature:g}")
        rng = np.random.default_rng(seed)
        codes = []
        for k in range(n):
            along = self.spread * rng.standard_normal(len(self.spread))
            standard = along @ self.axes + self.remainder * rng.standard_normal(len(self.mean))
            x = self.mean + temperature * self.scale * standard
            z = x[:-LATTICE].reshape(-1, self.about.latent).astype(np.float32)
            cell = lattice_of(x[-LATTICE:])
            unchanged = np.eye(3, dtype=np.int64)
            codes.append(CrystalCode(f"sample-{k + 1}", z, self.about.patches, cell, unchanged, plain=True))
        return LatentSet(tuple(codes), self.about.codec)

    def save(self, folder: str | Path) -> None:
        """Write the prior to a folder: all of it, or the folder stays as it was."""
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in ARRAYS}
        with atomic_folder(folder) as temporary:
            save_file(arrays, temporary / NUMBERS)
            (temporary / ABOUT).write_text(json.dumps(asdict(self.about), indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> "GaussianPrior":
        """Read what `save` wrote.

        Raises
        ------
        PriorError
            A folder without such a prior, or with one that is broken.
        """
        folder = Path(folder)
        values = read_about(folder, FORMAT)
        try:
            about = About(**{**values, "patches": tuple(values["patches"])})
            arrays = load_file(folder / NUMBERS)
            mean, scale, axes, spread, remainder = (arrays[name] for name in ARRAYS)
            prior = cls(about, mean, scale, axes, spread, remainder)
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise PriorError(f"{folder} holds no prior that can be read: {error}") from error
        size = int(np.prod(about.patches)) * about.latent + LATTICE
        if {x.shape for x in (mean, scale, remainder)} != {(size,)} or axes.shape != (len(spread), size):
            raise PriorError(f"{folder}: its numbers are not those of {size} per code")
        if not all(np.isfinite(x).all() for x in arrays.values()):
            raise PriorError(f"{folder}: a number is not finite")
        return prior


def grids(latents: LatentSet) -> dict[tuple[int, int, int], int]:
    """How many codes there are of each grid, the most frequent first."""
    from collections import Counter

    return dict(Counter(c.patches for c in latents).most_common())


PRIOR = GaussianPrior
