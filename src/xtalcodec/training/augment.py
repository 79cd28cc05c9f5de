"""Random views of crystals: what a codec must not mind, and chemistry it has not seen."""

from dataclasses import replace

import torch

from xtalcodec.config import Count, NotNegative, Share, settings
from xtalcodec.representations.batch import CrystalBatch


@settings
class AugmentConfig:
    """Settings of the random changes to training crystals."""

    shift: bool = True
    """Whether the origin moves at random: on a torus it may; one cell in a window is to stay whole."""
    substitute: Share = 0.25
    """Share of crystals whose elements are replaced by random ones, so that rare ones are learnt."""
    species: Count = 100
    """Elements 1…species can be substituted."""
    jitter: Share = 0.2
    """Share of crystals whose atoms are displaced at random."""
    jitter_max: NotNegative = 0.25
    """Å: largest standard deviation of a displaced crystal's atoms along an axis."""


def augment(crystals: CrystalBatch, config: AugmentConfig, rng: torch.Generator) -> CrystalBatch:
    """Shift the origin and invert at random; substitute and jitter some.

    Parameters
    ----------
    crystals
        Placed, of one grid.
    config
        How often each is altered.
    rng
        Random numbers.
    """
    b = len(crystals)
    frac, lattice = crystals.frac_coords, crystals.lattice
    chosen = torch.rand(b, generator=rng) < config.jitter
    spread = torch.rand(b, generator=rng) * config.jitter_max * chosen
    displacement = torch.randn(frac.shape, generator=rng) * spread[:, None, None]
    frac = frac + displacement @ torch.linalg.inv(lattice)
    sign = torch.where(torch.rand(b, generator=rng) < 0.5, -1.0, 1.0)
    shift = torch.rand((b, 1, 3), generator=rng)
    frac = frac * sign[:, None, None]
    frac = (frac + shift).remainder(1) if config.shift else frac
    table = torch.arange(max(config.species, int(crystals.numbers.max())) + 1).repeat(b, 1)
    chosen = torch.rand(b, generator=rng) < config.substitute
    table[chosen, 1 : config.species + 1] = torch.randint(
        1, config.species + 1, (int(chosen.sum()), config.species), generator=rng
    )
    return replace(crystals, frac_coords=frac, numbers=table.gather(1, crystals.numbers))
