"""Where crystals come from: named sources, one file each in this folder, and files of the user's."""

import difflib
import os
import pkgutil
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from xtalcodec.crystal import Crystal
from xtalcodec.io.found import MAX_SITES
from xtalcodec.io.read import AnyPath, Unusable, read_all

FILES = "files"


def _sources() -> dict[str, ModuleType]:
    """Name → module; a module here is a source if it has a NAME and a function `crystals`."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {module.NAME: module for module in modules if hasattr(module, "NAME")}


def available() -> dict[str, str]:
    """Return the names of the sources, each with what it is in one line."""
    found = {name: (module.__doc__ or "").split("\n")[0] for name, module in sorted(_sources().items())}
    return found | {FILES: "Paths: CIF, POSCAR, extxyz, SHELX, JSON, ASE databases, parquet, CSV, folders, zips, tars."}


def load(sources: AnyPath | Iterable[AnyPath], max_sites: int = MAX_SITES) -> tuple[list[Crystal], list[Unusable]]:
    """Return the crystals of named sources and of files, and what could not be used.

    Parameters
    ----------
    sources
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
    known = _sources()
    crystals: list[Crystal] = []
    unusable: list[Unusable] = []
    for source in [sources] if isinstance(sources, str | os.PathLike) else sources:
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
