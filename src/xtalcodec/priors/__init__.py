"""Distributions over latents, one file each in this folder: what a random crystal's code may be."""

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from xtalcodec.config import unknown
from xtalcodec.priors.about import ABOUT, PriorError, read_about

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.priors.base import Prior


WEIGHTS = Path(__file__).parent / "weights"
"""Folders of the priors that ship with the package."""

NO_PRIORS = "about", "asked", "base", "card", "conditions", "plan"
"""Modules that priors are made with."""


def available() -> list[str]:
    """Names of the priors: every other module here has one, `PRIOR`."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name not in NO_PRIORS)


def shipped() -> list[str]:
    """Names of the priors that ship with the package."""
    return sorted(file.parent.name for file in WEIGHTS.glob(f"*/{ABOUT}"))


def folder_of(name: "str | Path") -> Path:
    """Folder of a prior: of one that ships, by its name, or the folder that is named.

    Raises
    ------
    PriorError
        Neither; the message lists those that ship.
    """
    if str(name) in shipped():
        return WEIGHTS / str(name)
    if Path(name).is_dir():
        return Path(name)
    have = unknown("prior", str(name), shipped()) if shipped() else f"no prior {str(name)!r}; none ships."
    raise PriorError(f"{have} A folder of `xtalcodec train-prior` will do too.")


def open_prior(name: "str | Path") -> "Prior":
    """Read a prior of any kind: one that ships, by its name, or one in a folder.

    Raises
    ------
    PriorError
        A name of none, a folder without a prior, or with one that is broken.
    """
    folder = folder_of(name)
    form = read_about(folder).get("format")
    kinds = {prior(name).format: prior(name) for name in available()}
    if form not in kinds:
        raise PriorError(unknown(f"prior in {folder} of the format", str(form), [*kinds]))
    return kinds[form].load(folder)


def prior_for(codec: "Codec") -> "Prior":
    """Read the prior that ships for a codec; of several, the one of its name.

    Raises
    ------
    PriorError
        None ships, or several and none of the codec's name; the message lists those that ship.
    """
    owners = {name: str(read_about(WEIGHTS / name).get("codec")) for name in shipped()}
    own = [name for name, identity in owners.items() if codec.owns(identity)]
    chosen = own if len(own) == 1 else [name for name in own if name == codec.config.name]
    if not chosen:
        there = ", ".join(f"{name} (of {identity})" for name, identity in owners.items()) or "none at all"
        many = "several priors" if own else "no prior"
        raise PriorError(
            f"{many} for the codec {codec.identity!r} among those that ship: {there}. Name a prior, or a folder of "
            "`xtalcodec train-prior`"
        )
    return open_prior(chosen[0])


def prior(name: str) -> "type[Prior]":
    """Return the class of a prior.

    Raises
    ------
    ValueError
        No such prior; the message lists those there are.
    """
    if name not in available():
        raise ValueError(unknown("prior", name, available()))
    return import_module(f"{__name__}.{name}").PRIOR
