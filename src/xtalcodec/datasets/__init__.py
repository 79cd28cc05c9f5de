"""Where crystals come from, named sources and files of the user's; their splits, and stores of painted views."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.sources import sources
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import AnyPath, Unusable, read_all

FILES = "files"


def available() -> dict[str, str]:
    """Return the names of the sources, each with what it is in one line."""
    found = {name: (module.__doc__ or "").split("\n")[0] for name, module in sorted(sources().items())}
    return found | {FILES: "Paths: CIF, POSCAR, extxyz, SHELX, JSON, ASE databases, parquet, CSV, folders, zips, tars."}


def load(inputs: AnyPath | Iterable[AnyPath], max_sites: int = MAX_SITES) -> tuple[list[Crystal], list[Unusable]]:
    """Return the crystals of named sources and of files, and what could not be used.

    Parameters
    ----------
    inputs
        One or several of: the name of a source, a file, a folder.
    max_sites
        Crystals of more sites are unusable.

    Raises
    ------
    ValueError
        A word that is neither a source nor a path; the message has the choices.

    Examples
    --------
    >>> crystals, unusable = load("aflow-prototypes")
    >>> len(crystals), unusable
    (288, [])
    """
    known = sources()
    crystals: list[Crystal] = []
    unusable: list[Unusable] = []
    for source in [inputs] if isinstance(inputs, str | os.PathLike) else inputs:
        if source in known:
            for crystal in known[str(source)].crystals():
                if len(crystal) <= max_sites:
                    crystals.append(crystal)
                else:
                    unusable.append(Unusable(crystal.name, f"it has {len(crystal)} sites; the limit is {max_sites}"))
            continue
        check_name(source)
        good, bad = read_all([source], max_sites)
        crystals += good
        unusable += bad
    return crystals, unusable


def check_name(source: AnyPath) -> None:
    """Refuse a bare word that no source and no file is called: it is a name with a typo.

    A path (with a folder or a suffix) that is missing is left to the reader, which tells so.
    """
    text = os.fspath(source)
    if Path(text).exists() or Path(text).suffix or Path(text).name != text:
        return
    names = list(available())
    guess = difflib.get_close_matches(text, names, n=1)
    hint = f" Did you mean {guess[0]!r}?" if guess else ""
    raise ValueError(f"no data source {text!r}, nor such a file; have {', '.join(names)}.{hint}")
