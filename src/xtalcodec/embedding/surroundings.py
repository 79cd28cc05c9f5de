"""What surrounds each site of a crystal, as numbers that do not change with how the crystal is written down.

The density channels that a codec paints, one Gaussian per atom times the learned weights of its element, are averaged
over spheres around each site, at some radii. Such an average depends on distances alone: not on origin, orientation,
order of sites or choice of cell, and a supercell has the same sites more often. Squared lengths of the dipole and the
quadrupole of all atoms at a radius, as rotations leave them too, say how these are arranged.
"""

import numpy as np
from jaxtyping import Float, Int

from xtalcodec.config import Count, Positive, settings
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.neighbours import Neighbours, neighbours


@settings
class SurroundingsConfig:
    """Radii at which the surroundings of a site are looked at."""

    first: Positive = 1.0
    """The smallest radius, in Å; of structures without elements, in units of (volume per site)^(1/3)."""
    last: Positive = 7.0
    """The largest one; atoms further off are not seen."""
    shells: Count = 16
    """How many radii, evenly spaced."""

    def __post_init__(self) -> None:
        """Refuse radii that do not grow."""
        if self.shells > 1 and not self.first < self.last:
            raise ValueError(f"the radii go from {self.first:g} to {self.last:g}: the first is to be smaller")

    @property
    def radii(self) -> Float[np.ndarray, " shells"]:
        """All of them."""
        return np.linspace(self.first, self.last, self.shells)


def features(channels: int, crystal: SurroundingsConfig, structure: SurroundingsConfig) -> tuple[int, int]:
    """Numbers of a site, with and without elements.

    Parameters
    ----------
    channels
        Density channels of the codec.
    crystal, structure
        Radii of the two.
    """
    own = channels + 1  # what is on the site, and how much
    return own + crystal.shells * (own + 2), 2 + 2 * structure.shells * 3


def with_elements(
    crystal: Crystal, weights: Float[np.ndarray, "z channels"], config: SurroundingsConfig
) -> Float[np.ndarray, "sites features"]:
    """Surroundings of the sites, told apart by what is on them.

    Parameters
    ----------
    crystal
        Ordered or not; what shares a site weighs by its occupancy.
    weights
        Density channels of each element by its Z, as the codec paints them; row 0 is not looked at.
    config
        Radii in Å.

    Returns
    -------
    One row a site: its own channels, those around it radius by radius, and the shape of what is around it.
    """
    shares = crystal.shares()[:, 1 : len(weights)]
    channels = np.concatenate([shares @ weights[1:], shares.sum(1, keepdims=True)], 1)
    around = _around(crystal, channels, config, 1.0)
    return np.concatenate([channels, around], 1).astype(np.float32)


def without_elements(crystal: Crystal, config: SurroundingsConfig) -> Float[np.ndarray, "sites features"]:
    """Surroundings of the sites by which atoms are like them and which are not, whatever the elements are.

    Parameters
    ----------
    crystal
        What its sites hold is told apart only as the same or another.
    config
        Radii in units of (volume per site)^(1/3).

    Returns
    -------
    One row a site: the share of sites like it, atoms around it radius by radius, those like it, and their shapes.
    """
    kinds = crystal.site_kinds()
    scale = float((crystal.volume / len(crystal)) ** (1 / 3))
    share = np.bincount(kinds)[kinds] / len(kinds)
    around = _around(crystal, np.ones((len(crystal), 1)), config, scale, kinds)
    return np.concatenate([share[:, None], np.log(share)[:, None], around], 1).astype(np.float32)


def _around(
    crystal: Crystal,
    channels: Float[np.ndarray, "sites channels"],
    config: SurroundingsConfig,
    scale: float,
    kinds: Int[np.ndarray, " sites"] | None = None,
) -> Float[np.ndarray, "sites features"]:
    """Shell by shell, the channels around each site, and lengths of dipole and quadrupole of the last of them.

    With `kinds`, the same again of the atoms that are like the site.
    """
    near = neighbours(crystal, config.last * scale)
    distance = (near.distance / scale).astype(np.float32)
    spacing = (config.last - config.first) / max(config.shells - 1, 1)
    weight = (1 + np.cos(np.pi * distance / config.last)) / 2 / np.maximum(distance, config.first) ** 2
    apart = (distance[:, None] - config.radii.astype(np.float32)) / spacing
    shell = np.exp(-0.5 * apart * apart) * weight[:, None]
    found = [_sums(near, shell, channels), _shapes(near, shell, channels[:, -1])]
    if kinds is not None:
        shell *= (kinds[near.site] == kinds[near.other])[:, None]
        found += [_sums(near, shell, channels), _shapes(near, shell, channels[:, -1])]
    return np.concatenate(found, 1)


def _sums(
    near: Neighbours, shell: Float[np.ndarray, "pairs shells"], channels: Float[np.ndarray, "sites channels"]
) -> Float[np.ndarray, "sites sums"]:
    """Channels around each site, shell by shell."""
    sites = len(channels)
    place = near.site * sites + near.other
    pairs = _added(place, sites * sites, shell).reshape(sites, sites, -1)
    return np.einsum("ijk,jc->ikc", pairs, channels, optimize=True).reshape(sites, -1)


def _shapes(
    near: Neighbours, shell: Float[np.ndarray, "pairs shells"], mass: Float[np.ndarray, " sites"]
) -> Float[np.ndarray, "sites lengths"]:
    """Lengths of the dipole and of the traceless quadrupole of the atoms around each site, shell by shell."""
    x, y, z = (near.apart / near.distance[:, None]).astype(shell.dtype).T
    third, sites = 1 / 3, len(mass)
    parts = np.stack([x, y, z, x * x - third, y * y - third, z * z - third, x * y, x * z, y * z], 1)
    parts *= mass.astype(shell.dtype)[near.other, None]
    order = np.argsort(near.site, kind="stable")
    cuts = np.searchsorted(near.site[order], np.arange(1, sites))  # a site may have no neighbour at all
    of_sites = zip(np.split(shell[order], cuts), np.split(parts[order], cuts), strict=True)
    sums = np.stack([one.T @ own for one, own in of_sites]) ** 2
    dipole, quadrupole = sums[..., :3].sum(-1), sums[..., 3:6].sum(-1) + 2 * sums[..., 6:].sum(-1)
    return np.sqrt(np.concatenate([dipole, quadrupole], 1))


def _added(
    place: Int[np.ndarray, " pairs"], places: int, values: Float[np.ndarray, "pairs k"]
) -> Float[np.ndarray, "places k"]:
    """Add up the values that have one place."""
    from scipy.sparse import csr_matrix

    pairs = len(place)
    return csr_matrix((np.ones(pairs, values.dtype), (place, np.arange(pairs))), shape=(places, pairs)) @ values
