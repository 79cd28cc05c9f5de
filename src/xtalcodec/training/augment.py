"""Random views of crystals: what a codec must not mind, and chemistry it has not seen."""

from dataclasses import replace
from functools import cache

import torch
from jaxtyping import Float, Int
from pymatgen.core import Element
from torch import Tensor

from xtalcodec.config import Count, NotNegative, Share, settings
from xtalcodec.crystal import HEAVIEST
from xtalcodec.representations.batch import CrystalBatch

LEAST = 0.02
"""Share of a site that a guest has at least."""
SHARES = HEAVIEST + 1
"""Columns of a table of occupancies: what is empty, and the elements."""
SCALE = 8.0
"""Mean distance, in places of Pettifor's scale, of a guest from a host that it is alike to: strontium is three and
eighteen places from calcium and lanthanum, iron three from cobalt."""


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
    mix: Share = 0.0
    """Share of crystals of which some elements share their sites with others, or leave them empty in part."""
    alike: Share = 0.0
    """Of those others, the share that are chemically like their host, as in most real solid solutions."""
    derived: NotNegative = 0.0
    """Supercells, slabs in vacuum, strained and sheared cells for each training crystal."""


def augment(crystals: CrystalBatch, config: AugmentConfig, rng: torch.Generator) -> CrystalBatch:
    """Shift the origin and invert at random; substitute, mix and jitter some.

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
    moved = replace(crystals, frac_coords=frac, numbers=table.gather(1, crystals.numbers))
    if crystals.occupancies is not None:
        moved = _shared(moved, _renamed(crystals.occupancies, table))
    if not config.mix:
        return moved
    chosen = torch.rand(b, generator=rng) < config.mix
    mixed = mix(moved.shares(SHARES), config.species, rng, config.alike)
    return _shared(moved, torch.where(chosen[:, None, None], mixed, moved.shares(SHARES)))


def _renamed(shares: Float[Tensor, "b sites z"], table: Int[Tensor, "b known"]) -> Float[Tensor, "b sites z"]:
    """Occupancies with every element replaced by what the table says; two that become one add up."""
    columns = torch.arange(shares.shape[-1]).repeat(len(shares), 1)
    columns[:, : table.shape[1]] = table
    result = torch.zeros_like(shares)
    return result.scatter_add_(2, columns[:, None].expand_as(shares), shares)


def _shared(crystals: CrystalBatch, shares: Float[Tensor, "b sites z"]) -> CrystalBatch:
    """Return the crystals with these occupancies."""
    numbers = (shares[..., 1:].argmax(-1) + 1) * crystals.mask
    return replace(crystals, occupancies=shares * crystals.mask[..., None], numbers=numbers)


def mix(
    shares: Float[Tensor, "b sites z"], species: int, rng: torch.Generator, alike: float = 0.0
) -> Float[Tensor, "b sites z"]:
    """Let some elements of each crystal share their sites with one or two others, or leave them empty in part.

    All sites of an element are shared alike, as solid solutions are; in a third of the crystals each site has
    shares of its own.

    Parameters
    ----------
    shares
        Occupancies, the empty share in column 0.
    species
        Elements 1…species are mixed in.
    rng
        Random numbers.
    alike
        Share of the guests that are near their host on Pettifor's scale (`near`); the others are any.
    """
    b, sites, z = shares.shape
    main = shares.argmax(-1)  # b sites

    def of_element(width: int) -> Float[Tensor, "b sites {width}"]:
        """Random numbers, the same for all sites of an element of a crystal."""
        return torch.rand(b, z, width, generator=rng).gather(1, main[..., None].expand(-1, -1, width))

    own = torch.rand(b, 1, generator=rng) < 1 / 3
    dice = torch.where(own[..., None], torch.rand(b, sites, 7, generator=rng), of_element(7))
    share = dice[..., 0] * (1 - 2 * LEAST) + LEAST
    second = torch.where(dice[..., 1] < 0.25, dice[..., 1] * 4, 0.0) * share  # to a second guest, of what is given away
    guests = (1 + (dice[..., 2:4] * species).long()).clamp_max(species)
    guests = torch.where(dice[..., 6:] < alike, near(main, dice[..., 2:4], species), guests)
    empty = dice[..., 4] < 0.35
    guests[..., 0] *= ~empty
    share, second = (torch.where(empty, x * 0.9, x) for x in (share, second))  # some of an atom must be there
    give = (dice[..., 5] < 0.5).float()
    result = shares * (1 - give * share)[..., None]
    result.scatter_add_(2, guests[..., :1], (give * (share - second))[..., None])
    return result.scatter_add_(2, guests[..., 1:], (give * second)[..., None])


def near(
    hosts: Int[Tensor, "*sites"], chance: Float[Tensor, "*sites guests"], species: int
) -> Int[Tensor, "*sites guests"]:
    """Elements that could replace the hosts: a few places away on Pettifor's scale (Solid State Commun. 51, 31, 1984).

    Distances are those of a Laplace distribution, rounded away from the host and reflected at the scale's ends.

    Parameters
    ----------
    hosts
        Atomic numbers.
    chance
        Where a guest stands in the distribution, between 0 and 1.
    species
        Guests are of the elements 1…species.
    """
    scale, places = _pettifor(species)
    side = chance - 0.5
    away = (-SCALE * (1 - 2 * side.abs()).clamp_min(1e-6).log()).ceil().clamp_min(1) * torch.where(side < 0, -1, 1)
    last = species - 1
    place = (places[hosts][..., None] + away.long()).abs()
    return scale[(last - (last - place).abs()).clamp_min(0)]


@cache
def _pettifor(species: int) -> tuple[Int[Tensor, " species"], Int[Tensor, " z"]]:
    """Elements 1…species along Pettifor's scale, and the place on it of each Z."""
    scale = torch.tensor(sorted(range(1, species + 1), key=lambda z: Element.from_Z(z).mendeleev_no))
    places = torch.full((SHARES,), species - 1)
    places[scale] = torch.arange(species)
    return scale, places
