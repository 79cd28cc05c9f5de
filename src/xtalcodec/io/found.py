"""What every reader of a format yields."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from xtalcodec.crystal import Crystal, CrystalError

Found = tuple[str, Callable[[], Crystal]]
"""The crystal's name, and the function that builds it or raises."""


def check_size(sites: int, max_sites: int) -> None:
    """Refuse a crystal of more than `max_sites` sites, at best before it is built."""
    if sites > max_sites:
        raise CrystalError(f"it has {sites} sites; the limit is {max_sites}")


def named(name: str, crystals: Iterable[Found]) -> Iterator[Found]:
    """Name the crystals of one file: by the file alone where it holds one, else also by their names in it or numbers.

    One crystal is looked ahead, no more.

    Parameters
    ----------
    name
        Of the file.
    crystals
        Each with what it is called in the file; "" where it has no name.
    """
    ahead = iter(crystals)
    first = list(islice(ahead, 2))
    for k, (own, build) in enumerate(chain(first, ahead), start=1):
        yield (name if len(first) == 1 else f"{name}#{own or k}"), build
