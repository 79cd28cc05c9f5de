"""What every reader of a format yields."""

from collections.abc import Callable

from xtalcodec.crystal import Crystal, CrystalError

Found = tuple[str, Callable[[], Crystal]]
"""The crystal's name, and the function that builds it or raises."""


def check_size(sites: int, max_sites: int) -> None:
    """Refuse a crystal of more than `max_sites` sites, at best before it is built."""
    if sites > max_sites:
        raise CrystalError(f"it has {sites} sites; the limit is {max_sites}")


def numbered(name: str, index: int, count: int) -> str:
    """Name the crystal `index` (from 0) of `count` in one file.

    Parameters
    ----------
    name
        Of the file.
    index
        Of the crystal, from 0.
    count
        Crystals in the file.
    """
    return name if count == 1 else f"{name}#{index + 1}"
