"""Samples and crystals from what a user names, and what is wrong with it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from xtalcodec import datasets
from xtalcodec.crystal import Crystal
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable


def stream(inputs: Iterable[str], max_sites: int = MAX_SITES) -> Iterator[Crystal | Unusable]:
    """Yield the crystals of files, folders and named sources as they are read, and what could not be used, in order.

    Raises
    ------
    ValueError
        A word that names nothing, or latents where crystals are wanted.
    """
    inputs = list(inputs)
    for path in inputs:
        refuse_latents(path)
    return map(ordered, datasets.stream(inputs, max_sites))


def ordered(sample: Crystal | Unusable) -> Crystal | Unusable:
    """Set a disordered crystal aside: neither CDVAE's metrics nor potentials know shared or partly empty sites."""
    if isinstance(sample, Crystal) and not sample.is_ordered:
        return Unusable(sample.name, "it has shared or partly empty sites")
    return sample


def read_samples(inputs: Iterable[str], max_sites: int = MAX_SITES) -> list[Crystal | Unusable]:
    """Return all samples in order; of those that could not be read, why.

    Raises
    ------
    ValueError
        Not one crystal and nothing but what was named itself: an empty folder, a missing file, a table of other things.
    """
    inputs = list(inputs)
    found = list(stream(inputs, max_sites))
    if all(isinstance(item, Unusable) and item.name in inputs for item in found):
        reasons = "; ".join(f"{item.name}: {item.reason}" for item in found if isinstance(item, Unusable))
        raise ValueError(f"there is no sample: {reasons}" if reasons else "there is no sample")
    return found


def read_crystals(what: str, inputs: Iterable[str], max_sites: int = MAX_SITES) -> tuple[list[Crystal], list[Unusable]]:
    """Return crystals to compare with, and what could not be used.

    Parameters
    ----------
    what
        What they are, for messages: reference, training, held-out.
    inputs
        Files, folders and named sources.
    max_sites
        Crystals of more sites are not used.

    Raises
    ------
    ValueError
        There is not one crystal.
    """
    found = list(stream(inputs, max_sites))
    crystals = [item for item in found if isinstance(item, Crystal)]
    unusable = [item for item in found if isinstance(item, Unusable)]
    if not crystals:
        first = f": {unusable[0].name}: {unusable[0].reason}" if unusable else ""
        raise ValueError(f"there is no {what} crystal{first}")
    return crystals, unusable


def refuse_latents(path: str) -> None:
    """Tell a table of latents from one of crystals.

    Raises
    ------
    ValueError
        It holds latents.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.endswith(".parquet") or not Path(path).is_file():
        return
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return  # whoever reads it says what is wrong with it
    if {"z", "patches", "basis"} <= set(names):
        raise ValueError(f"{path}: it holds latents, not crystals; `xtalcodec decode` makes crystals of them")
