"""Crystals as words of an address, so that a link opens the same view again: nothing is kept on the server."""

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.found import check_size

PROTOTYPE = "aflow:"
"""How the word of a prototype begins; every other word is a crystal itself."""
LONGEST = 12_000
"""Characters of a word: browsers and servers take addresses of some 60,000."""
MAX_SITES = 1000
"""Sites of a crystal that the pages take."""
_UNPACKED = 1 << 20


class LinkError(ValueError):
    """A word that is no crystal: the message says why."""


def word_of(crystal: Crystal) -> str | None:
    """Return the word of a crystal; None for one that is too large for an address."""
    if crystal.name in prototypes() and _same(prototypes()[crystal.name], crystal):
        return PROTOTYPE + crystal.name
    about = {
        "name": crystal.name[:200],
        "lattice": crystal.lattice.ravel().tolist(),
        "sites": crystal.frac_coords.ravel().tolist(),
        "shares": crystal.sites_shares(),
    }
    text = urlsafe_b64encode(zlib.compress(json.dumps(about, separators=(",", ":")).encode(), 9)).decode()
    return text if len(text) <= LONGEST else None


def crystal_of(word: str) -> Crystal:
    """Return the crystal of a word.

    Raises
    ------
    LinkError
        No such prototype, a word that is damaged, or one of too many sites.
    """
    if word.startswith(PROTOTYPE):
        found = prototypes().get(word.removeprefix(PROTOTYPE))
        if found is None:
            raise LinkError(f"There is no prototype {word.removeprefix(PROTOTYPE)[:60]!r}.")
        return found
    try:
        if len(word) > LONGEST:
            raise LinkError("The link is too long to be one of ours.")
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(urlsafe_b64decode(word), _UNPACKED)
        if unpacking.unconsumed_tail or not unpacking.eof:
            raise LinkError("The link is damaged: it ends too early, or holds too much.")
        about = json.loads(text)
        shares = [[(int(z), float(x)) for z, x in site] for site in about["shares"]]
        check_size(len(shares), MAX_SITES)
        lattice = np.array(about["lattice"], dtype=np.float64).reshape(3, 3)
        sites = np.array(about["sites"], dtype=np.float64).reshape(-1, 3)
        return Crystal.of_shares(lattice, sites, shares, str(about["name"])[:200])
    except LinkError:
        raise
    except CrystalError as error:
        raise LinkError(f"The link holds no crystal: {error}.") from error
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError, zlib.error) as error:
        raise LinkError("The link is damaged: a part of it is missing or changed.") from error


def word_of_sites(sites: Iterable[int]) -> str | None:
    """Return the word of some sites of a crystal: their numbers, from 1; None of none."""
    return ",".join(f"{k + 1}" for k in sorted(sites)) or None


def sites_of(word: str, crystal: Crystal) -> list[int]:
    """Return the sites of a word that a crystal has."""
    numbers = word.split(",")
    return [k for k in range(len(crystal)) if f"{k + 1}" in numbers]


@lru_cache(maxsize=1)
def prototypes() -> dict[str, Crystal]:
    """Return the AFLOW prototypes by name."""
    from xtalcodec.datasets import load

    return {crystal.name: crystal for crystal in load("aflow-prototypes")[0]}


def _same(a: Crystal, b: Crystal) -> bool:
    return (
        a.is_ordered
        and b.is_ordered
        and np.array_equal(a.numbers, b.numbers)
        and np.array_equal(a.lattice, b.lattice)
        and np.array_equal(a.frac_coords, b.frac_coords)
    )
