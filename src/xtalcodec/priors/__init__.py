"""Distributions over latents, one file each in this folder: what a random crystal's code may be."""

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from xtalcodec.config import unknown

if TYPE_CHECKING:
    from xtalcodec.priors.base import Prior


NO_PRIORS = "base", "conditions"
"""Modules that priors are made with."""


def available() -> list[str]:
    """Names of the priors: every other module here has one, `PRIOR`."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name not in NO_PRIORS)


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
